/**
 * Shell: every two seconds, how much of each person's media is lost on its way to us, and of ours on its way out: the bars on the tiles (W61).
 */
import type { JingleSession } from "../session/jingle-session.ts";
import { Losses } from "../session/losses.ts";

const EVERY_MS = 2000;

type Stat = Readonly<Record<string, unknown>>;

export class LinkWatch {
  readonly #session: () => JingleSession | undefined;
  readonly #self: () => string;
  readonly #tell: (links: ReadonlyMap<string, "medium" | "poor">) => void;
  readonly #losses = new Losses();
  #told = "";
  #watched: JingleSession | undefined;

  constructor(
    session: () => JingleSession | undefined,
    self: () => string,
    tell: (links: ReadonlyMap<string, "medium" | "poor">) => void,
  ) {
    this.#session = session;
    this.#self = self;
    this.#tell = tell;
  }

  start(): void {
    setInterval(() => void this.#look(), EVERY_MS);
  }

  async #look(): Promise<void> {
    const session = this.#session();
    if (session !== this.#watched) this.#losses.clear();
    this.#watched = session;
    if (session === undefined || document.hidden) return;
    const report = await session.peer.stats().catch(() => undefined);
    if (report === undefined || session !== this.#session()) return;
    const owners = new Map(
      session.sources.flatMap((source) => source.ssrcs.map((ssrc) => [ssrc, source.owner] as const)),
    );
    report.forEach((stat: Stat) => {
      const ssrc = stat["ssrc"];
      if (typeof ssrc !== "number") return;
      const owner = owners.get(ssrc);
      if (stat["type"] === "inbound-rtp" && owner !== undefined)
        this.#losses.count(owner, ssrc, Number(stat["packetsReceived"] ?? 0), Number(stat["packetsLost"] ?? 0));
      if (stat["type"] === "remote-inbound-rtp") this.#losses.fraction(this.#self(), Number(stat["fractionLost"] ?? 0));
    });
    const links = this.#losses.links();
    const text = JSON.stringify([...links]);
    if (text === this.#told) return;
    this.#told = text;
    this.#tell(links);
  }
}
