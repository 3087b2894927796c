/**
 * Shell: how long a person waits: from the click on "Join" to the first remote picture, in Chromium, on loopback. And the box's memory with real browsers in a call.
 */

import type { Browser, Page } from "puppeteer-core";
import { Box } from "../../tests/e2e/box.ts";
import { launch, openPage } from "../../tests/e2e/browsers.ts";
import { Participant } from "../../tests/e2e/participant.ts";
import { memoryOf, printMemory } from "./box.ts";
import { totalPss } from "./memory.ts";
import type { Section } from "./section.ts";
import { median } from "./statistics.ts";

const ROUNDS = 5;

interface PageSummary {
  readonly endpoint: string;
  readonly sources: readonly { readonly kind: string; readonly owner: string; readonly framesDecoded: number }[];
}

/** Opens the room's page, fills the form in, then measures in the page itself from the click to the first decoded picture of somebody else. */
const joinOnce = async (browser: Browser, url: string, name: string): Promise<{ page: Page; ms: number }> => {
  const { page } = await openPage(browser);
  await page.goto(url, { waitUntil: "load" });
  const field = await page.waitForSelector("#name", { timeout: 20_000 });
  await field?.type(name);
  await page.waitForFunction(() => document.querySelector("#join button:not([disabled])") !== null, {
    timeout: 20_000,
  });
  const ms = await page.evaluate(async () => {
    const hook = (globalThis as unknown as { parley: { summary(): Promise<PageSummary> } }).parley;
    const button = [...document.querySelectorAll<HTMLElement>("#join button")].find((each) =>
      (each.textContent ?? "").trim().startsWith("Join"),
    );
    if (button === undefined) throw new Error("there is no button to join");
    const from = performance.now();
    button.click();
    while (performance.now() - from < 30_000) {
      const { endpoint, sources } = await hook.summary();
      if (
        sources.some(
          (each) => each.kind === "video" && each.owner !== endpoint && each.owner !== "jvb" && each.framesDecoded > 0,
        )
      )
        return performance.now() - from;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    throw new Error("no picture within 30 s");
  });
  return { page, ms };
};

export const joinSection: Section = {
  name: "join",
  title: "click to first remote frame, Chromium",
  needs: { chromium: "chromium" },
  seconds: () => 25,
  async measure({ say }) {
    const box = await Box.start();
    const browser = await launch("chromium");
    try {
      const url = `${box.ready.base}/bench-join`;
      await Participant.join(browser, url, "First");
      const times: number[] = [];
      for (let round = 1; round <= ROUNDS; round++) {
        const { page, ms } = await joinOnce(browser, url, `Guest ${round}`);
        times.push(Math.round(ms));
        await page.close();
      }
      const { page } = await joinOnce(browser, url, "Last");
      const memory = memoryOf(box.ready);
      await page.close();
      say(`  ${times.join(", ")} ms; median ${median(times)} ms`);
      printMemory("two meet", memory, say);
      return {
        joinMs: times,
        medianJoinMs: median(times),
        twoInCallPssBytes: totalPss(memory),
        headlines: { join: { value: median(times), unit: "ms", better: "lower" } },
      };
    } finally {
      await browser.close();
      await box.stop();
    }
  },
};
