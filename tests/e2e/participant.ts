/**
 * Shell: a person at the meeting page: acts on what a person sees (buttons by their names), and looks at the page's own summary.
 */
import type { Browser, BrowserContext, Page } from "puppeteer-core";
import type { SourceSummary, Summary } from "../../ui/client/debug.ts";
import { openPage, screenshot } from "./browsers.ts";
import { evidencePath, witness } from "./evidence.ts";
import { until } from "./until.ts";

/** Console errors that are no fault of ours: what a browser says of a dropped connection or a killed server, which tests do on purpose. */
const EXPECTED =
  /WebSocket|Failed to load resource|NetworkError|net::ERR|can.t establish a connection|Connection closed|interrupted/i;

export class Participant {
  readonly name: string;
  readonly page: Page;
  readonly context: BrowserContext;
  readonly #errors: string[];

  private constructor(name: string, page: Page, context: BrowserContext, errors: string[]) {
    this.name = name;
    this.page = page;
    this.context = context;
    this.#errors = errors;
    const unique = witness(name, async (failure) => {
      if (page.isClosed()) return "has left";
      await page.screenshot({ path: evidencePath(`failure-${failure}-${unique}.png`) as `${string}.png` });
      const [summary, statistics] = [await this.summary(), await this.#statistics()];
      return `${JSON.stringify(summary, undefined, 1)}\n${statistics}\n${errors.join("\n")}`;
    });
  }

  /** Opens the room's page and joins by the form, as a newcomer. Waits until the meeting page is there unless `wait` is false. */
  static async join(
    browser: Browser,
    url: string,
    name: string,
    options: { readonly wait?: boolean; readonly width?: number; readonly height?: number } = {},
  ): Promise<Participant> {
    const { page, context, errors } = await openPage(browser, name);
    await page.setViewport({ width: options.width ?? 800, height: options.height ?? 480 });
    const person = new Participant(name, page, context, errors);
    await page.goto(url, { waitUntil: "load" });
    await person.enter(options.wait ?? true);
    return person;
  }

  /** Joins with something changed in the page before any of its scripts run. */
  static async opened(browser: Browser, url: string, name: string, before: () => void): Promise<Participant> {
    const { page, context, errors } = await openPage(browser, name);
    await page.setViewport({ width: 800, height: 480 });
    await page.evaluateOnNewDocument(before);
    const person = new Participant(name, page, context, errors);
    await page.goto(url, { waitUntil: "load" });
    await person.enter();
    return person;
  }

  /** Fills the form in and joins. */
  async enter(wait = true): Promise<void> {
    const field = await this.page.waitForSelector("#name", { timeout: 60_000 });
    if (field === null) throw new Error("no name field");
    await this.page.evaluate(() => {
      const input = document.querySelector<HTMLInputElement>("#name");
      if (input !== null) {
        input.value = "";
        input.dispatchEvent(new Event("input", { bubbles: true }));
      }
    });
    await field.type(this.name);
    await this.press("Join", "#join");
    if (wait) await this.untilJoined();
  }

  async untilJoined(timeoutMs = 45_000): Promise<Summary> {
    return this.until(
      "to be in the meeting",
      (summary) => summary.page === "meeting" && summary.endpoint !== "",
      timeoutMs,
    );
  }

  summary(): Promise<Summary> {
    return this.page.evaluate(async () => {
      const hook = (globalThis as unknown as { parley?: { summary(): Promise<unknown> } }).parley;
      if (hook === undefined) throw new Error("window.parley is not there");
      return hook.summary();
    }) as Promise<Summary>;
  }

  /** The browser's own statistics of the session, a line each. */
  #statistics(): Promise<string> {
    return this.page.evaluate(async () => {
      const hook = (globalThis as unknown as { parley?: { statistics(): Promise<readonly unknown[]> } }).parley;
      return ((await hook?.statistics()) ?? []).map((each) => JSON.stringify(each)).join("\n");
    });
  }

  /** Waits until the page's summary fits. */
  async until(what: string, fits: (summary: Summary) => boolean, timeoutMs = 20_000): Promise<Summary> {
    let last: Summary | undefined;
    return until(
      `${this.name} ${what}`,
      timeoutMs,
      async () => {
        last = await this.summary().catch(() => undefined); // the page may be between two documents
        return last !== undefined && fits(last) ? last : false;
      },
      () => `last seen: ${JSON.stringify(last)}\nconsole: ${this.#errors.slice(-10).join("\n")}`,
    );
  }

  /** Clicks the button or link that a person would call by this name. */
  async press(name: string, within = "body"): Promise<void> {
    await until(`a button "${name}" at ${this.name}`, 10_000, () =>
      this.page.evaluate(
        (wanted: string, scope: string) => {
          const shown = (element: Element): boolean => (element as HTMLElement).checkVisibility();
          const nameOf = (element: Element): string =>
            (element.getAttribute("aria-label") ?? element.textContent ?? "").trim();
          const all = [...document.querySelectorAll(`${scope} :is(button, a, [role=menuitem])`)].filter(shown);
          const found =
            all.find((each) => nameOf(each) === wanted) ?? all.find((each) => nameOf(each).startsWith(wanted));
          if (!(found instanceof HTMLElement)) return false;
          found.click();
          return true;
        },
        name,
        within,
      ),
    );
  }

  /** A key, as a shortcut. */
  async key(key: "m" | "v" | "d" | "r" | "c" | "p" | "t"): Promise<void> {
    await this.page.bringToFront();
    // A letter typed into a field is no shortcut.
    await this.page.evaluate(() => {
      if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
    });
    await this.page.keyboard.press(key);
  }

  /** Sources of others that this page knows. */
  static others(summary: Summary, kind: "audio" | "video"): SourceSummary[] {
    return summary.sources.filter(
      (source) => source.kind === kind && source.owner !== summary.endpoint && source.owner !== "jvb",
    );
  }

  /** Waits until pictures advance and sound is heard from each of the named people; what is on the tiles is theirs. */
  async seesAndHears(others: readonly Participant[], timeoutMs = 40_000): Promise<void> {
    const first = new Map<string, { frames: number; energy: number }>();
    const names = others.map((each) => each.name);
    await this.until(
      `to see and hear ${names.join(", ")}`,
      (summary) =>
        names.every((name) => {
          const person = summary.participants.find((each) => each.name === name);
          if (person === undefined) return false;
          const video = Participant.others(summary, "video").find((each) => each.owner === person.endpoint);
          const audio = Participant.others(summary, "audio").find((each) => each.owner === person.endpoint);
          if (video === undefined || audio === undefined) return false;
          const before = first.get(name);
          if (before === undefined) {
            first.set(name, { frames: video.framesDecoded, energy: audio.totalAudioEnergy });
            return false;
          }
          return (
            video.framesDecoded >= before.frames + 3 && audio.totalAudioEnergy > before.energy && video.frameWidth > 0
          );
        }),
      timeoutMs,
    );
  }

  /** Joins from the end page's "Join again": by the form where it is shown, at once where it is not. */
  async enterAgain(): Promise<void> {
    const summary = await this.until("to be on its way in", ({ page }) => page === "prejoin" || page === "meeting");
    if (summary.page === "prejoin") await this.press("Join", "#join");
    await this.untilJoined();
  }

  async openChat(): Promise<void> {
    if ((await this.page.$("#chat")) === null) await this.key("c"); // on small pages the button is in a menu
    await this.page.waitForSelector("#chat :is(textarea, input)", { timeout: 10_000 });
  }

  /** Writes into the open chat. */
  async write(text: string): Promise<void> {
    await this.openChat();
    const field = await this.page.$("#chat :is(textarea, input)");
    if (field === null) throw new Error("no field for a message");
    await field.type(text);
    await field.press("Enter");
  }

  /** Opens the menu behind "More" and takes one of its entries. */
  async menu(entry: string): Promise<void> {
    await this.press("More", "#controls");
    await this.press(entry, "[popover]");
  }

  /** Flips the switch with that label in the open dialog. */
  async flip(label: string): Promise<void> {
    await until(`a switch "${label}" at ${this.name}`, 10_000, () =>
      this.page.evaluate((wanted: string) => {
        const found = [...document.querySelectorAll("dialog label")].find((each) =>
          (each.textContent ?? "").trim().startsWith(wanted),
        );
        const input = found?.querySelector("input");
        if (!(input instanceof HTMLInputElement)) return false;
        input.click();
        return true;
      }, label),
    );
  }

  /** Types into the field with that id. */
  async fill(id: string, text: string): Promise<void> {
    const field = await this.page.waitForSelector(`#${id}`, { visible: true, timeout: 10_000 });
    if (field === null) throw new Error(`no field ${id}`);
    await field.click({ count: 3 });
    await field.type(text);
  }

  /** Waits until that text is shown somewhere. */
  async sees(text: string, timeoutMs = 15_000): Promise<void> {
    await until(
      `${this.name} to see "${text}"`,
      timeoutMs,
      () => this.page.evaluate((wanted: string) => document.body.innerText.includes(wanted), text).catch(() => false),
      () => this.page.evaluate(() => document.body.innerText.slice(0, 2_000)),
    );
  }

  /** Takes an entry of the menu beside somebody's name in the list of people. */
  async option(name: string, entry: string): Promise<void> {
    if ((await this.page.$("#people")) === null) await this.key("p");
    await this.press(`Options for ${name}`, "#people");
    await this.press(entry, "[popover]:popover-open");
  }

  /** Mutes somebody's microphone from the list of people. */
  async muteOther(name: string): Promise<void> {
    if ((await this.page.$("#people")) === null) await this.key("p");
    await this.press(`Options for ${name}`, "#people");
    await this.press("Mute");
  }

  /** Drops the signalling socket as a network would. */
  async dropStream(): Promise<void> {
    await this.page.evaluate(() => (globalThis as unknown as { parley: { dropStream(): void } }).parley.dropStream());
  }

  /** Waits until video of that many others advances in a session begun after this call's first look (its counters start anew). */
  async seesNewMedia(others: number, timeoutMs: number): Promise<void> {
    const before = new Map(Participant.others(await this.summary(), "video").map((each) => [each.name, each]));
    const fresh = new Map<string, number>();
    await this.until(
      `to see ${others} others again`,
      (summary) => {
        const videos = Participant.others(summary, "video");
        for (const video of videos) {
          const old = before.get(video.name);
          const began = fresh.get(video.name);
          // A counter below the old one belongs to a new session; from there on it has to grow.
          if (old === undefined || video.bytesReceived < old.bytesReceived) before.delete(video.name);
          if (!before.has(video.name) && began === undefined) fresh.set(video.name, video.framesDecoded);
        }
        const advancing = videos.filter((video) => {
          const began = fresh.get(video.name);
          return began !== undefined && video.framesDecoded > began;
        });
        return advancing.length >= others;
      },
      timeoutMs,
    );
  }

  /** Names on the tiles, as shown. */
  tileNames(): Promise<string[]> {
    return this.page.evaluate(() =>
      [...document.querySelectorAll("#stage [data-endpoint]")].map((tile) => tile.getAttribute("aria-label") ?? ""),
    );
  }

  screenshot(name: string): Promise<void> {
    return screenshot(this.page, name);
  }

  /** Script errors and console errors that a user's page should not have. */
  errors(): string[] {
    return this.#errors.filter((each) => !EXPECTED.test(each));
  }

  /** Closes the tab. */
  async close(): Promise<void> {
    await this.context.close();
  }
}
