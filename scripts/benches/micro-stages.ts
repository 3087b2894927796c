/**
 * Shell: the media loop's stages one by one, and all of them together without system calls, timed in this process; prints `{name: ns}` as JSON (micro.ts). The least
 * of several batches counts: whatever else runs only ever adds.
 */
import { ptr } from "bun:ffi";
import { History } from "../../appliance/bridge/forward/history.ts";
import { PacketLog } from "../../appliance/bridge/forward/packet-log.ts";
import { writeVideoHeader } from "../../appliance/bridge/forward/packet-writer.ts";
import { Rewrite } from "../../appliance/bridge/forward/rewrite.ts";
import { writeAddress } from "../../appliance/bridge/media-loop/addresses.ts";
import {
  Layout,
  LOG_BYTES,
  MEMORY_PAGES,
  RECEIVE_SLOTS,
  SLOT_BYTES,
} from "../../appliance/bridge/media-loop/layout.ts";
import { MediaLoop } from "../../appliance/bridge/media-loop/media-loop.ts";
import { Destination, OUTBOX_BYTES, Outbox } from "../../appliance/bridge/media-loop/outbox.ts";
import { nackBitmask, nackEntryCount, nackPid, writeNack } from "../../appliance/bridge/rtcp/nack.ts";
import { ArrivalRecorder } from "../../appliance/bridge/rtcp/transport-feedback.ts";
import { write16 } from "../../appliance/bridge/rtp/bytes.ts";
import { Extension, parseExtensions } from "../../appliance/bridge/rtp/extensions.ts";
import { parseHeader, writeHeader } from "../../appliance/bridge/rtp/header.ts";
import { RtpPacket } from "../../appliance/bridge/rtp/packet.ts";
import { parseVp8 } from "../../appliance/bridge/rtp/vp8.ts";
import {
  markReplayWindow,
  REPLAY_WINDOW_WORDS,
  replayVerdict,
} from "../../appliance/bridge/transport/replay-window.ts";
import { createSrtpContext, type PacketMemory } from "../../appliance/bridge/transport/srtp.ts";
import { SRTP_PROFILE_SIZES } from "../../appliance/bridge/transport/srtp-keys.ts";
import {
  KERNEL_TABLE_BYTES,
  kernelRegionBytes,
  SRTP_PROFILES,
  srtpProviders,
} from "../../appliance/bridge/transport/srtp-providers.ts";
import {
  AUDIO_LEVEL_ID,
  commandsFor,
  masterKey,
  TRANSPORT_CC_ID,
  VIDEO_TYPE,
  videoSsrc,
  withSpeakers,
} from "./bridge/participants.ts";

const BATCHES = 9;
const WARM_UP_MS = 60;
const BATCH_MS = 12;
const HEADER_BYTES = 20;
const VIDEO_BYTES = 1_130;
const AUDIO_BYTES = 80;
const PEOPLE = 10;
/** Packets sealed beforehand; a multiple of 32, so that what lies behind them begins on a page. */
const OPENED = 128;

const results: Record<string, number> = {};

/** `work` does the stage `count` times, `first` being the number of the first. */
function stage(name: string, work: (count: number, first: number) => void): void {
  let done = 0;
  const timed = (count: number): number => {
    const from = performance.now();
    work(count, done);
    done += count;
    return performance.now() - from;
  };
  const from = performance.now();
  let count = 64;
  let last = 0;
  while (performance.now() - from < WARM_UP_MS) last = timed(count);
  count = Math.max(64, Math.floor((count * BATCH_MS) / Math.max(0.001, last)));
  let least = Number.POSITIVE_INFINITY;
  for (let batch = 0; batch < BATCHES; batch++) least = Math.min(least, timed(count) / count);
  results[name] = least * 1e6;
}

/** As `stage`, for what needs something new each time: `prepare` makes it for a batch and is not timed. */
function stageOfBatches(name: string, batch: number, prepare: (first: number) => void, work: () => void): void {
  const from = performance.now();
  let least = Number.POSITIVE_INFINITY;
  let done = 0;
  for (let rounds = 0; rounds < 2 * BATCHES || performance.now() - from < 2 * WARM_UP_MS; rounds++) {
    prepare(done);
    done += batch;
    const begin = performance.now();
    work();
    least = Math.min(least, (performance.now() - begin) / batch);
  }
  results[name] = least * 1e6;
}

const newMemory = (pages: number): PacketMemory => {
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const bytes = new Uint8Array(memory.buffer);
  return { memory, bytes, base: ptr(bytes) };
};

/** Reachable for good: addresses of theirs are in the ciphers' hands. */
const kept: PacketMemory[] = [];

/** A VP8 packet as a browser sends it, in the clear. */
function videoPacket(
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

function plainStages(): void {
  const memory = newMemory(1 + Math.ceil(OUTBOX_BYTES / 65_536) + LOG_BYTES / 65_536);
  kept.push(memory);
  const { bytes } = memory;
  const packet = new RtpPacket();
  const kinds = new Uint8Array(256);
  kinds[AUDIO_LEVEL_ID] = Extension.audioLevel;
  kinds[TRANSPORT_CC_ID] = Extension.transportSequence;
  videoPacket(bytes, 0, 7, 1, true, 1);
  let sum = 0;
  stage("header and extensions parsed", (count) => {
    for (let i = 0; i < count; i++) {
      if (!parseHeader(bytes, 0, HEADER_BYTES + VIDEO_BYTES, packet)) throw new Error("unreadable");
      parseExtensions(bytes, kinds, packet);
      sum += packet.transportSequence;
    }
  });
  stage("VP8 descriptor parsed", (count) => {
    for (let i = 0; i < count; i++) if (parseVp8(bytes, packet)) sum += packet.pictureId;
  });
  const rewrite = new Rewrite();
  const extensions = {
    audioLevel: 1,
    transportCc: 5,
    absSendTime: 0,
    videoOrientation: 0,
    dependencyDescriptor: 0,
    mixed: true,
  };
  stage("header and extensions written", (count, first) => {
    for (let i = 0; i < count; i++)
      sum += writeVideoHeader(
        ...([
          bytes,
          4096,
          packet,
          rewrite,
          extensions,
          1,
          VIDEO_TYPE,
          first + i,
          false,
          (first + i) & 0xffff,
          0,
        ] as const),
      );
  });
  const windows = new Int32Array(REPLAY_WINDOW_WORDS);
  stage("replay window", (count, first) => {
    for (let i = 0; i < count; i++) {
      sum += replayVerdict(windows, 0, 0, first + i);
      markReplayWindow(windows, 0, 1, first + i);
    }
  });
  const history = new History();
  stage("history: remembered and found", (count, first) => {
    for (let i = 0; i < count; i++) {
      rewrite.sequence = first + i;
      history.add(rewrite, i * 8, 0, false, i & 0xffff);
      sum += history.find(first + i);
    }
  });
  const log = new PacketLog(bytes, 65_536 + OUTBOX_BYTES, LOG_BYTES);
  stage("history: packet of 1150 bytes copied into the log", (count) => {
    for (let i = 0; i < count; i++) sum += log.add(0, HEADER_BYTES + VIDEO_BYTES, 1);
  });
  const outbox = new Outbox(bytes, 65_536, () => {});
  const destination = new Destination();
  stage("outbox: datagram into a run", (count) => {
    for (let i = 0; i < count; i++) {
      outbox.reserve(destination, 1_400);
      outbox.commit(destination, 1_170);
      if ((i & 63) === 63) outbox.drain();
    }
  });
  const missing = Uint16Array.from({ length: 8 }, (_, index) => index * 3);
  stage("NACK of eight written and read", (count) => {
    for (let i = 0; i < count; i++) {
      const length = writeNack(bytes, 8192, 200, 1, 2, missing, missing.length);
      for (let entry = 0; entry < nackEntryCount(length); entry++)
        sum += nackPid(bytes, 8192, entry) + nackBitmask(bytes, 8192, entry);
    }
  });
  const arrivals = new ArrivalRecorder();
  stage("transport feedback: arrival noted, a report each 100", (count, first) => {
    for (let i = 0; i < count; i++) {
      arrivals.record((first + i) & 0xffff, (first + i) * 0.8);
      if (arrivals.pending >= 100) while (arrivals.pending > 0 && arrivals.write(bytes, 8192, 1, 2) > 0);
    }
  });
  if (!Number.isFinite(sum)) throw new Error("unreachable");
}

function cipherStages(): void {
  const contexts = 64;
  const first = Math.ceil(KERNEL_TABLE_BYTES / 65_536) * 65_536;
  const room = first + 65_536;
  const kernel = room + OPENED * SLOT_BYTES;
  const memory = newMemory(kernel / 65_536 + Math.ceil(kernelRegionBytes(contexts) / 65_536));
  kept.push(memory);
  const { providers } = srtpProviders(memory, { at: kernel, contexts });
  const { bytes } = memory;
  for (const provider of providers)
    for (const profile of SRTP_PROFILES) {
      const sizes = SRTP_PROFILE_SIZES[profile];
      const master = { key: new Uint8Array(sizes.key).fill(1), salt: new Uint8Array(sizes.salt).fill(2) };
      for (const payload of [VIDEO_BYTES, AUDIO_BYTES]) {
        const seal = createSrtpContext(provider, memory, profile, master, "send");
        stage(`protect ${HEADER_BYTES + payload} bytes, ${profile}, ${provider.name}`, (count, from) => {
          for (let i = 0; i < count; i++) {
            writeHeader(bytes, first, false, false, false, 100, (from + i) & 0xffff, 0, 1);
            if (seal.protectRtp(first, HEADER_BYTES, first + 4096, payload) < 0) throw new Error("not sealed");
          }
        });
        seal.close();
        const again = createSrtpContext(provider, memory, profile, master, "send");
        const open = createSrtpContext(provider, memory, profile, master, "receive");
        const lengths = new Int32Array(OPENED);
        stageOfBatches(
          `unprotect ${HEADER_BYTES + payload} bytes, ${profile}, ${provider.name}`,
          OPENED,
          (from) => {
            for (let i = 0; i < OPENED; i++) {
              const at = room + i * SLOT_BYTES;
              writeHeader(bytes, at, false, false, false, 100, (from + i) & 0xffff, 0, 1);
              lengths[i] = again.protectRtp(at, HEADER_BYTES, at + HEADER_BYTES, payload);
            }
          },
          () => {
            for (let i = 0; i < OPENED; i++)
              if (open.unprotectRtp(room + i * SLOT_BYTES, HEADER_BYTES, lengths[i] as number) < 0)
                throw new Error("not opened");
          },
        );
        again.close();
        open.close();
      }
    }
}

/** The core of the loop at work: batches of video in, nine protected copies of each out, all but the system calls. */
function wholeLoop(): void {
  const PACKETS = 2_048;
  const profile = "AEAD_AES_128_GCM";
  const load = withSpeakers({ rooms: 1, people: PEOPLE, profile });
  const memory = newMemory(MEMORY_PAGES);
  const source = newMemory(Math.ceil((PACKETS * SLOT_BYTES) / 65_536));
  kept.push(memory, source);
  const region = { at: Layout.kernel, contexts: 16 };
  const { providers } = srtpProviders(memory, region, true);
  const [provider] = providers;
  const [sourceProvider] = srtpProviders(source, region, true).providers;
  if (provider === undefined || sourceProvider === undefined) return; // no libcrypto here: nothing to compare with
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
    writeAddress(memory.bytes, Layout.receiveAddresses + person * 32, 4, "127.0.0.1", 20_000 + person);
  const lengths = new Int32Array(PACKETS);
  const sequences = new Int32Array(PEOPLE);
  let nowMs = 1;
  let best = Number.POSITIVE_INFINITY;
  for (let pass = 0; pass < 60; pass++) {
    for (let i = 0; i < PACKETS; i++) {
      const person = (i >> 2) % PEOPLE;
      const sequence = (sequences[person] as number) + 1;
      sequences[person] = sequence;
      const at = i * SLOT_BYTES;
      videoPacket(source.bytes, at, sequence, 1 + ((sequence - 1) >> 2), ((sequence - 1) & 3) === 0, videoSsrc(person));
      lengths[i] = (contexts[person] as (typeof contexts)[number]).protectRtp(
        at,
        HEADER_BYTES,
        at + HEADER_BYTES,
        VIDEO_BYTES,
      );
    }
    out = 0;
    let spent = 0;
    for (let first = 0; first < PACKETS; first += RECEIVE_SLOTS) {
      for (let slot = 0; slot < RECEIVE_SLOTS; slot++) {
        const at = (first + slot) * SLOT_BYTES;
        memory.bytes.set(
          source.bytes.subarray(at, at + (lengths[first + slot] as number)),
          Layout.slots + slot * SLOT_BYTES,
        );
      }
      nowMs += 4;
      const from = performance.now();
      for (let slot = 0; slot < RECEIVE_SLOTS; slot++) {
        const person = ((first + slot) >> 2) % PEOPLE;
        loop.receive(
          nowMs,
          0,
          Layout.slots + slot * SLOT_BYTES,
          lengths[first + slot] as number,
          Layout.receiveAddresses + person * 32,
        );
      }
      loop.endBatch(nowMs);
      spent += performance.now() - from;
    }
    if (out > 0) best = Math.min(best, spent / out);
  }
  if (out < PACKETS * (PEOPLE - 1) * 0.9) throw new Error(`the loop forwarded ${out} of ${PACKETS * (PEOPLE - 1)}`);
  results[`whole loop without system calls, a packet out of 1x${PEOPLE}, ${profile}, libcrypto`] = best * 1e6;
}

plainStages();
cipherStages();
wholeLoop();
process.stdout.write(JSON.stringify(results));
