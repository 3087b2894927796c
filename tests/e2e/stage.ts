/**
 * Tests only: the box and the Chromium that all tests of a file share, started before the first and stopped after the last.
 */
import { afterAll, beforeAll } from "bun:test";
import type { Browser } from "puppeteer-core";
import { Box } from "./box.ts";
import { launch } from "./browsers.ts";

const START_MS = 120_000;
const STOP_MS = 60_000;

export class Stage {
  #box: Box | undefined;
  #chromium: Browser | undefined;

  constructor(options: Parameters<typeof Box.start>[0] = {}) {
    beforeAll(async () => {
      this.#box = await Box.start(options);
      this.#chromium = await launch("chromium");
    }, START_MS);
    afterAll(async () => {
      await this.#chromium?.close();
      await this.#box?.stop();
    }, STOP_MS);
  }

  get box(): Box {
    if (this.#box === undefined) throw new Error("the box has not been started");
    return this.#box;
  }

  get chromium(): Browser {
    if (this.#chromium === undefined) throw new Error("Chromium has not been started");
    return this.#chromium;
  }

  /** Of a page of the box: a room's, or any other path. */
  url(path: string): string {
    return `${this.box.ready.base}/${path}`;
  }
}
