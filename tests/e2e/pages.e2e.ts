/**
 * Each page at the size of the box's screen, of a phone and of a desktop, in light and dark: nothing scrolls sideways, nothing fails; a picture of each is
 * kept for people to look at.
 */
import { expect, test } from "bun:test";
import { disarmGuard } from "../real-time.ts";
import { openPage, screenshot } from "./browsers.ts";
import { Stage } from "./stage.ts";
import { until } from "./until.ts";

disarmGuard(); // each of these files runs in a process of its own

const SIZES = [
  [800, 480],
  [390, 844],
  [844, 390],
  [320, 640],
  [1440, 900],
] as const;

const stage = new Stage();

test.each(SIZES)(
  "before the meeting and alone in it at %i × %i",
  async (width, height) => {
    for (const scheme of ["light", "dark"] as const) {
      const { page, context, errors } = await openPage(stage.chromium);
      await page.setViewport({ width, height });
      await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
      await page.goto(stage.url(`picture-book-${width}-${scheme}`), { waitUntil: "load" });
      await page.waitForSelector("#join", { visible: true });
      const playing = "[...document.querySelectorAll('video')].some((each) => each.videoWidth > 0)";
      await until("the preview", 15_000, () => page.evaluate(playing) as Promise<boolean>);
      const fits = "document.scrollingElement.scrollWidth <= innerWidth";
      expect(await page.evaluate(fits)).toBe(true);
      await screenshot(page, `prejoin-${width}x${height}-${scheme}`);
      await page.type("#name", "Ana");
      await page.keyboard.press("Enter");
      await page.waitForSelector("#stage", { visible: true, timeout: 20_000 });
      await until("our own picture", 15_000, () => page.evaluate(playing) as Promise<boolean>);
      expect(await page.evaluate(fits)).toBe(true);
      await screenshot(page, `alone-${width}x${height}-${scheme}`);
      expect(errors).toEqual([]);
      await context.close();
    }
  },
  60_000,
);

test("the start page, and one that is not there", async () => {
  const { page, context } = await openPage(stage.chromium);
  await page.setViewport({ width: 1440, height: 900 });
  await page.goto(stage.url(""), { waitUntil: "load" });
  await screenshot(page, "start-1440x900");
  const missing = await page.goto(stage.url("assets/none.js"));
  expect(missing?.status()).toBe(404);
  await context.close();
}, 30_000);
