/**
 * Shell: how loud each person is, ten times a second, written to `--level` of their tiles: no rendering (W20).
 */
import type { JingleSession } from "../session/jingle-session.ts";
import type { LevelMeter } from "./level-meter.ts";

const EVERY_MS = 100;

export class SpeechLevels {
  readonly #session: () => JingleSession | undefined;
  readonly #meter: LevelMeter;
  readonly #ownSource: () => string;

  constructor(session: () => JingleSession | undefined, meter: LevelMeter, ownSource: () => string) {
    this.#session = session;
    this.#meter = meter;
    this.#ownSource = ownSource;
  }

  start(): void {
    setInterval(() => this.#tick(), EVERY_MS);
  }

  #tick(): void {
    const session = this.#session();
    if (session === undefined || document.hidden) return;
    for (const source of session.sources) {
      if (source.kind !== "audio") continue;
      const level = session.receiver(source.name)?.getSynchronizationSources()[0]?.audioLevel ?? 0;
      show(source.owner, Math.min(1, Math.sqrt(level) * 1.4));
    }
    const own = this.#ownSource().replace(/-a0$/, "");
    if (own !== "") show(own, this.#meter.level);
  }
}

function show(endpoint: string, level: number): void {
  for (const tile of document.querySelectorAll<HTMLElement>(`[data-tile="${CSS.escape(endpoint)}"]`))
    tile.style.setProperty("--level", level.toFixed(2));
}
