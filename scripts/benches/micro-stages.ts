import { History } from "../../appliance/bridge/forward/history.ts";
import { PacketLog } from "../../appliance/bridge/forward/packet-log.ts";
import { writeVideoHeader } from "../../appliance/bridge/forward/packet-writer.ts";
import { Rewrite } from "../../appliance/bridge/forward/rewrite.ts";
import { LOG_BYTES, SLOT_BYTES } from "../../appliance/bridge/media-loop/layout.ts";
import { Destination, OUTBOX_BYTES, Outbox } from "../../appliance/bridge/media-loop/outbox.ts";
import { nackBitmask, nackEntryCount, nackPid, writeNack } from "../../appliance/bridge/rtcp/nack.ts";
import { ArrivalRecorder } from "../../appliance/bridge/rtcp/transport-feedback.ts";
import { Extension, parseExtensions } from "../../appliance/bridge/rtp/extensions.ts";
import { parseHeader, writeHeader } from "../../appliance/bridge/rtp/header.ts";
import { RtpPacket } from "../../appliance/bridge/rtp/packet.ts";
import { parseVp8 } from "../../appliance/bridge/rtp/vp8.ts";
import {
  markReplayWindow,
  REPLAY_WINDOW_WORDS,
  replayVerdict,
} from "../../appliance/bridge/transport/replay-window.ts";
import { createSrtpContext } from "../../appliance/bridge/transport/srtp.ts";
import { SRTP_PROFILE_SIZES } from "../../appliance/bridge/transport/srtp-keys.ts";
import {
  KERNEL_TABLE_BYTES,
  kernelRegionBytes,
  srtpProviders,
} from "../../appliance/bridge/transport/srtp-providers.ts";
import { AUDIO_LEVEL_ID, TRANSPORT_CC_ID, VIDEO_TYPE } from "./bridge/participants.ts";
import { HEADER_BYTES, loopAtWork, newMemory, VIDEO_BYTES, videoPacket } from "./loop-stage.ts";

const BATCHES = 9;
const WARM_UP_MS = 60;
const BATCH_MS = 12;
const AUDIO_BYTES = 80;
const LOOP_PASSES = 60;
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

function plainStages(): void {
  const memory = newMemory(1 + Math.ceil(OUTBOX_BYTES / 65_536) + LOG_BYTES / 65_536);
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
    mid: 0,
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
          undefined,
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
  stage("history: packet of 1150 bytes copied into the log", (count, first) => {
    for (let i = 0; i < count; i++) sum += log.add((first + i) * 0.8, 0, HEADER_BYTES + VIDEO_BYTES, 1);
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
  const { providers } = srtpProviders(memory, { at: kernel, contexts });
  const { bytes } = memory;
  for (const provider of providers)
    for (const profile of provider.profiles) {
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

/** The core of the loop at work, with libcrypto. */
function wholeLoop(): void {
  const profile = "AEAD_AES_128_GCM";
  const bench = loopAtWork(profile, "libcrypto");
  if (bench === undefined) return; // no libcrypto here: nothing to compare with
  let best = Number.POSITIVE_INFINITY;
  for (let pass = 0; pass < LOOP_PASSES; pass++) {
    let spent = 0;
    const out = bench.pass((batch) => {
      const from = performance.now();
      batch();
      spent += performance.now() - from;
    });
    best = Math.min(best, spent / out);
  }
  results[`whole loop without system calls, a packet out of ${bench.load}, ${profile}, libcrypto`] = best * 1e6;
}

plainStages();
cipherStages();
wholeLoop();
process.stdout.write(JSON.stringify(results));
