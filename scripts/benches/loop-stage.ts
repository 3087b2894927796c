/**
 * Shell: the core of the media loop at work without a network: batches of video of one room in, protected copies for everybody else out. For timing (micro.ts) and
 * counting (emulated.ts): whatever measures wraps the batches, and nothing else.
 */
import { ptr } from "bun:ffi";
import type { SrtpProfile } from "../../appliance/bridge/media-commands.ts";
import { writeAddress } from "../../appliance/bridge/media-loop/addresses.ts";
import { Layout, MEMORY_PAGES, RECEIVE_SLOTS, SLOT_BYTES } from "../../appliance/bridge/media-loop/layout.ts";
import { MediaLoop } from "../../appliance/bridge/media-loop/media-loop.ts";
import { ADDRESS_BYTES } from "../../appliance/bridge/media-loop/outbox.ts";
import { write16 } from "../../appliance/bridge/rtp/bytes.ts";
import { writeHeader } from "../../appliance/bridge/rtp/header.ts";
import { createSrtpContext, type PacketMemory, type SrtpProviderName } from "../../appliance/bridge/transport/srtp.ts";
import { srtpProviders } from "../../appliance/bridge/transport/srtp-providers.ts";
import { commandsFor, masterKey, TRANSPORT_CC_ID, VIDEO_TYPE, videoSsrc, withSpeakers } from "./bridge/participants.ts";
import { loadName } from "./options.ts";

export const HEADER_BYTES = 20;
export const VIDEO_BYTES = 1_130;
const PEOPLE = 10;
const PACKETS = 1_024;
const BATCH_EVERY_MS = 4;

/** Reachable for good: addresses of theirs are in the ciphers' hands. */
const kept: PacketMemory[] = [];

export function newMemory(pages: number): PacketMemory {
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const bytes = new Uint8Array(memory.buffer);
  const packets = { memory, bytes, base: ptr(bytes) as number };
  kept.push(packets);
  return packets;
}

/** A VP8 packet as a browser sends it, in the clear. */
export function videoPacket(
  bytes: Uint8Array,
  at: number,
  sequence: number,
  frame: number,
  start: boolean,
  ssrc: number,
): void {
  writeHeader(bytes, at, false, true, !start, VIDEO_TYPE, sequence & 0xffff, (frame * 3000) >>> 0, ssrc);
  write16(bytes, at + 12, 0xbede);
  write16(bytes, at + 14, 1);
  bytes[at + 16] = (TRANSPORT_CC_ID << 4) | 1;
  write16(bytes, at + 17, sequence & 0xffff);
  bytes[at + 19] = 0;
  bytes[at + 20] = 0x80 | (start ? 0x10 : 0);
  bytes[at + 21] = 0xe0;
  write16(bytes, at + 22, 0x8000 | (frame & 0x7fff));
  bytes[at + 24] = frame & 255;
  bytes[at + 25] = 0;
  bytes[at + 26] = frame === 1 && start ? 0 : 1;
  bytes.set([0x9d, 1, 0x2a, 0x40, 1, 0x68, 1], at + 29);
}

export interface LoopAtWork {
  readonly load: string;
  /** Some thousand packets out; `around` is handed each batch and calls it once. Answers the packets that went out. */
  pass(around: (batch: () => void) => void): number;
}

/** Undefined where the provider does not run here. */
export function loopAtWork(profile: SrtpProfile, name: SrtpProviderName): LoopAtWork | undefined {
  const load = withSpeakers({ rooms: 1, people: PEOPLE, profile });
  const memory = newMemory(MEMORY_PAGES);
  const source = newMemory(MEMORY_PAGES);
  const region = { at: Layout.kernel, contexts: 4 * PEOPLE };
  const find = (of: PacketMemory) => srtpProviders(of, region).providers.find((each) => each.name === name);
  const [provider, sourceProvider] = [find(memory), find(source)];
  if (provider === undefined || sourceProvider === undefined) return undefined;
  let out = 0;
  const loop = new MediaLoop({
    memory,
    drain: (outbox) => {
      for (let run = 0; run < outbox.runCount; run++) out += outbox.runSegments[run] as number;
    },
    emit: () => {},
    random: Math.random,
    provider: () => provider,
    onlyFrom: undefined,
  });
  loop.sockets([4]);
  loop.apply(
    0,
    commandsFor(
      load,
      Array.from({ length: PEOPLE }, (_, person) => 20_000 + person),
    ),
  );
  const contexts = Array.from({ length: PEOPLE }, (_, person) =>
    createSrtpContext(sourceProvider, source, profile, masterKey(person, true, profile), "send"),
  );
  for (let person = 0; person < PEOPLE; person++)
    writeAddress(memory.bytes, Layout.receiveAddresses + person * ADDRESS_BYTES, 4, "127.0.0.1", 20_000 + person);
  // Sealed packets wait in the log's place of a memory that no loop uses.
  const waiting = Layout.log;
  const lengths = new Int32Array(PACKETS);
  const sequences = new Int32Array(PEOPLE);
  let nowMs = 1;
  let first = 0;
  const batch = (): void => {
    for (let slot = 0; slot < RECEIVE_SLOTS; slot++) {
      const person = ((first + slot) >> 2) % PEOPLE;
      loop.receive(
        ...([nowMs, 0, Layout.slots + slot * SLOT_BYTES, lengths[first + slot] as number] as const),
        Layout.receiveAddresses + person * ADDRESS_BYTES,
      );
    }
    loop.endBatch(nowMs);
  };
  return {
    load: loadName(load),
    pass(around) {
      for (let i = 0; i < PACKETS; i++) {
        const person = (i >> 2) % PEOPLE;
        const sequence = (sequences[person] as number) + 1;
        sequences[person] = sequence;
        const at = waiting + i * SLOT_BYTES;
        const frame = 1 + ((sequence - 1) >> 2);
        videoPacket(source.bytes, at, sequence, frame, ((sequence - 1) & 3) === 0, videoSsrc(person));
        const context = contexts[person];
        lengths[i] = context?.protectRtp(at, HEADER_BYTES, at + HEADER_BYTES, VIDEO_BYTES) ?? 0;
      }
      out = 0;
      for (first = 0; first < PACKETS; first += RECEIVE_SLOTS) {
        for (let slot = 0; slot < RECEIVE_SLOTS; slot++) {
          const at = waiting + (first + slot) * SLOT_BYTES;
          const packet = source.bytes.subarray(at, at + (lengths[first + slot] as number));
          memory.bytes.set(packet, Layout.slots + slot * SLOT_BYTES);
        }
        nowMs += BATCH_EVERY_MS;
        around(batch);
      }
      if (out < PACKETS * (PEOPLE - 1) * 0.9)
        throw new Error(`the loop forwarded ${out} of ${PACKETS * (PEOPLE - 1)} packets`);
      return out;
    },
  };
}
