/**
 * Who is heard by whom: loudest-N (bridge.md 5.5), tables (product.md W31), subscriptions (bridge.md 2.4), slots (4.6). The lists of takers are worked out
 * when something changed, not per packet.
 */
import { AudioSender } from "../forward/audio-sender.ts";
import { OutgoingStream } from "../forward/sender.ts";
import { type Conference, type Endpoint, type Source, Taker } from "./endpoint.ts";
import type { LoopState } from "./state.ts";

/** Outgoing SSRCs of one kind that a receiver may have over its life; beyond, further sources are not sent to it (numbers may never start anew). */
export const MAX_OUTGOING = 4096;

/** Whether an endpoint's microphone passes now, whoever listens. */
export function isHeard(nowMs: number, endpoint: Endpoint): boolean {
  const conference = endpoint.conference;
  const limit = conference.loudest;
  if (conference.dominant === endpoint.index) return true;
  const inTable = endpoint.table !== 0;
  if (limit <= 0 && !inTable) return true;
  const energy = endpoint.loudness.energy(nowMs);
  let louder = 0;
  const members = conference.members;
  for (let index = 0; index < members.length; index++) {
    const other = members[index] as Endpoint;
    if (other === endpoint) continue;
    const theirs = other.loudness.energy(nowMs);
    if (theirs < energy || (theirs === energy && other.index > endpoint.index)) continue;
    // Of a table only its loudest microphone is heard by the others.
    if (inTable && other.table === endpoint.table) return false;
    louder += 1;
    if (limit > 0 && louder >= limit) return false;
  }
  return true;
}

/** The receiver's stream for an outgoing SSRC; undefined when it may have no more. */
export function outgoingStream(
  state: LoopState,
  receiver: Endpoint,
  kind: "audio" | "video",
  ssrc: number,
): OutgoingStream | undefined {
  const known = receiver.outgoing.get(ssrc | 0);
  if (known !== undefined) return known;
  if (receiver.outgoing.size >= MAX_OUTGOING) return undefined;
  const stream = new OutgoingStream(kind, ssrc >>> 0, Math.floor(state.random() * 32768));
  receiver.outgoing.set(ssrc | 0, stream);
  return stream;
}

const subscribes = (receiver: Endpoint, source: Source): boolean =>
  receiver.subscription.sources.has(source.index) !== receiver.subscription.all;

/** Works out who takes whose microphone in a conference. */
export function routeAudio(state: LoopState, conference: Conference): void {
  conference.stale = false;
  for (const owner of conference.endpoints) {
    for (const source of owner.sources.values()) {
      if (source.kind !== "audio") continue;
      const before = source.audioTakers;
      source.audioTakers = [];
      source.wantsSlot = false;
      for (const receiver of conference.endpoints) {
        if (receiver === owner || !subscribes(receiver, source)) continue;
        if (owner.table !== 0 && owner.table === receiver.table) continue;
        const slot = receiver.audioSsrcs.get(source.index) ?? 0;
        if (slot === 0 && receiver.ssrcRewriting) {
          source.wantsSlot = true;
          continue;
        }
        const ssrc = slot === 0 ? (source.encodings[0]?.ssrc ?? 0) : slot;
        const kept = before.find((taker) => taker.receiver === receiver && taker.sender.stream.ssrc === ssrc >>> 0);
        if (kept !== undefined) {
          source.audioTakers.push(kept);
          continue;
        }
        const stream = outgoingStream(state, receiver, "audio", ssrc);
        if (stream === undefined || stream.kind !== "audio") continue;
        const sender = new AudioSender(stream);
        receiver.audioSenders.set(source.index, sender);
        source.audioTakers.push(new Taker(receiver, sender));
      }
    }
  }
}
