/**
 * Tests only: what a client of the simulated world has and knows. It fails on what would confuse a real one.
 */
import type { Jingle } from "../wire/jingle.ts";
import type { EndpointSources } from "../wire/sources.ts";
import type { Element } from "../wire/xml.ts";

/** A participant as a client would see the meeting. */
export interface SimulatedClient {
  readonly nick: string;
  readonly jid: string;
  readonly room: string;
  readonly features: readonly string[];
  /** Session-initiate, session-terminate and so on, in order. */
  readonly jingle: Jingle[];
  readonly mutes: Element[];
  sid: string | undefined;
  bridgeSession: string | undefined;
  accepted: boolean;
  /** What it was told others send: owner → SSRCs. */
  readonly remote: Map<string, Set<number>>;
  readonly answers: Map<string, Element>;
  /** Whether it accepts offers by itself, and with what. */
  accepts: (() => EndpointSources) | undefined;
  /** Answers offers with an error. */
  refuses: boolean;
}

/** Takes in what the focus tells about others' sources. */
export function learn(client: SimulatedClient, jingle: Jingle, add: boolean): void {
  for (const [owner, sources] of jingle.sources) {
    if (owner === "jvb") continue;
    const known = client.remote.get(owner) ?? new Set();
    for (const { ssrc } of sources.sources) {
      if (add && known.has(ssrc)) throw new Error(`told of ${ssrc} twice`);
      if (!add && !known.has(ssrc)) throw new Error(`told to remove ${ssrc}, which is not known`);
      if (add) known.add(ssrc);
      else known.delete(ssrc);
    }
    if (known.size > 0) client.remote.set(owner, known);
    else client.remote.delete(owner);
  }
}

let nextSsrc = 1000;
/** An audio source and a simulcast camera with RTX, as a stock client has. */
export function stockSources(nick: string, name = "v0"): EndpointSources {
  nextSsrc += 10;
  const base = nextSsrc;
  const msid = `${nick}-video-${base} track`;
  const video = (ssrc: number) => ({ ssrc, mediaType: "video" as const, name: `${nick}-${name}`, msid });
  const fid = (ssrc: number) => ({ mediaType: "video" as const, semantics: "FID" as const, ssrcs: [ssrc, ssrc + 3] });
  return {
    sources: [
      ...(name === "v0"
        ? [{ ssrc: base + 9, mediaType: "audio" as const, name: `${nick}-a0`, msid: `${nick}-audio-${base} track` }]
        : []),
      ...[1, 2, 3, 4, 5, 6].map((offset) => video(base + offset)),
    ],
    groups: [
      { mediaType: "video", semantics: "SIM", ssrcs: [base + 1, base + 2, base + 3] },
      fid(base + 1),
      fid(base + 2),
      fid(base + 3),
    ],
  };
}
