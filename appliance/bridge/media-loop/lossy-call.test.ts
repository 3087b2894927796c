import { expect, test } from "bun:test";
import { SimulatedNetwork } from "../../simulated-network.ts";
import { millis } from "../../time.ts";
import { FeedbackFormat, RtcpType } from "../rtcp/compound.ts";
import { nackBitmask, nackEntryCount, nackPid, writeNack } from "../rtcp/nack.ts";
import { read16, read32, write16, write32 } from "../rtp/bytes.ts";
import { FIRST_CYCLE, unwrap16 } from "../rtp/sequence.ts";
import { type GotRtcp, type GotRtp, RTX_TYPE, TestBed, type TestPeer, VIDEO_TYPE, vp8Payload } from "./test-bed.ts";

const AUDIO = 11;
const ENCODINGS = [101, 102] as const;
const PACKETS = 3;

/** A browser that sends: audio, two encodings of VP8, answers NACKs with RTX and PLIs with key frames. */
class SendingPeer {
  readonly #peer: TestPeer;
  readonly #out: (datagram: Uint8Array) => void;
  readonly #sent = new Map<number, Map<number, { timestamp: number; payload: Uint8Array; marker: boolean }>>();
  readonly #sequence = [65_400, 65_100];
  readonly #rtx = [0, 0];
  #audio = 65_000;
  #frame = 0;
  #transport = 0;
  #keyWanted = true;
  #readRtcp = 0;
  audioSent = 0;

  constructor(peer: TestPeer, out: (datagram: Uint8Array) => void) {
    this.#peer = peer;
    this.#out = out;
    for (const ssrc of ENCODINGS) this.#sent.set(ssrc, new Map());
  }

  sendAudio(): void {
    this.#audio = (this.#audio + 1) & 0xffff;
    this.audioSent += 1;
    this.#out(
      this.#peer.rtp({
        ssrc: AUDIO,
        sequence: this.#audio,
        timestamp: (this.#audio * 960) >>> 0,
        payload: new Uint8Array(60),
        audioLevel: 20 + (this.#audio % 20),
      }),
    );
  }

  sendFrame(): void {
    this.#frame += 1;
    const key = this.#keyWanted;
    this.#keyWanted = false;
    const temporal = key ? 0 : ([0, 2, 1, 2][this.#frame % 4] as number);
    for (const [encoding, ssrc] of ENCODINGS.entries())
      for (let index = 0; index < PACKETS; index++) {
        const sequence = ((this.#sequence[encoding] as number) + 1) & 0xffff;
        this.#sequence[encoding] = sequence;
        this.#transport = (this.#transport + 1) & 0xffff;
        const packet = {
          timestamp: (this.#frame * 3000 + encoding * 777_777) >>> 0,
          marker: index === PACKETS - 1,
          payload: vp8Payload({
            pictureId: this.#frame & 0x7fff,
            zeroIndex: (this.#frame >> 2) & 255,
            temporal,
            sync: temporal > 0,
            key,
            start: index === 0,
            size: 300 + index,
          }),
        };
        this.#sent.get(ssrc)?.set(sequence, packet);
        this.#out(this.#peer.rtp({ ssrc, sequence, transportSequence: this.#transport, ...packet }));
      }
  }

  /** Looks at what feedback has come. */
  answer(): void {
    for (; this.#readRtcp < this.#peer.gotRtcp.length; this.#readRtcp++) {
      const { type, count, bytes } = this.#peer.gotRtcp[this.#readRtcp] as GotRtcp;
      if (type === RtcpType.payloadFeedback && count === FeedbackFormat.pictureLoss) this.#keyWanted = true;
      if (type !== RtcpType.transportFeedback || count !== FeedbackFormat.nack) continue;
      const ssrc = read32(bytes, 8);
      for (let entry = 0; entry < nackEntryCount(bytes.length); entry++)
        for (let bit = 0; bit <= 16; bit++) {
          if (bit > 0 && (nackBitmask(bytes, 0, entry) & (1 << (bit - 1))) === 0) continue;
          this.#again(ssrc, (nackPid(bytes, 0, entry) + bit) & 0xffff);
        }
    }
  }

  #again(ssrc: number, sequence: number): void {
    const packet = this.#sent.get(ssrc)?.get(sequence);
    const encoding = ENCODINGS.indexOf(ssrc as (typeof ENCODINGS)[number]);
    if (packet === undefined || encoding < 0) return;
    this.#rtx[encoding] = ((this.#rtx[encoding] as number) + 1) & 0xffff;
    const payload = new Uint8Array(packet.payload.length + 2);
    write16(payload, 0, sequence);
    payload.set(packet.payload, 2);
    this.#transport = (this.#transport + 1) & 0xffff;
    this.#out(
      this.#peer.rtp({
        ssrc: ssrc + 1000,
        sequence: this.#rtx[encoding] as number,
        timestamp: packet.timestamp,
        marker: packet.marker,
        payload,
        payloadType: RTX_TYPE,
        transportSequence: this.#transport,
      }),
    );
  }
}

/** A browser that receives: puts numbers in order, takes RTX apart, asks for what is missing. */
class ReceivingPeer {
  readonly #peer: TestPeer;
  readonly #out: (datagram: Uint8Array) => void;
  readonly video = new Map<number, GotRtp>();
  readonly #asked = new Map<number, number>();
  #read = 0;
  highest = -1;
  first = -1;
  audio = 0;
  retransmitted = 0;

  constructor(peer: TestPeer, out: (datagram: Uint8Array) => void) {
    this.#peer = peer;
    this.#out = out;
  }

  read(): void {
    for (; this.#read < this.#peer.got.length; this.#read++) {
      const got = this.#peer.got[this.#read] as GotRtp;
      if (got.ssrc === AUDIO) {
        this.audio += 1;
        continue;
      }
      const rtx = got.payloadType === RTX_TYPE;
      if (rtx) this.retransmitted += 1;
      const sequence = rtx ? read16(got.payload, 0) : got.sequence;
      if (this.highest < 0) {
        this.highest = FIRST_CYCLE + sequence;
        this.first = this.highest;
      }
      const extended = unwrap16(sequence, this.highest);
      this.highest = Math.max(this.highest, extended);
      this.first = Math.min(this.first, extended);
      if (!this.video.has(extended)) this.video.set(extended, rtx ? { ...got, payload: got.payload.slice(2) } : got);
    }
  }

  ask(nowMs: number): void {
    const missing: number[] = [];
    for (let number = Math.max(this.first, this.highest - 200); number < this.highest; number++) {
      if (this.video.has(number) || nowMs - (this.#asked.get(number) ?? Number.NEGATIVE_INFINITY) < 80) continue;
      this.#asked.set(number, nowMs);
      missing.push(number & 0xffff);
    }
    if (missing.length === 0) return;
    const bytes = new Uint8Array(400);
    const length = writeNack(bytes, 0, 400, 5, ENCODINGS[0], Uint16Array.from(missing), missing.length);
    this.#out(this.#peer.rtcp(bytes.slice(0, length)));
  }

  /** Asks for a key frame, as a decoder does that lost its way. */
  pli(): void {
    const bytes = new Uint8Array(12);
    bytes.set([0x81, 206, 0, 2]);
    write32(bytes, 4, 5);
    write32(bytes, 8, ENCODINGS[0]);
    this.#out(this.#peer.rtcp(bytes));
  }
}

test.each([
  [0, 0, 1],
  [0.05, 10, 2],
  [0.15, 40, 3],
])("half a minute of call at %p loss and %p ms of jitter, switching layers (seed %p)", (loss, jitterMs, seed) => {
  const network = new SimulatedNetwork({ seed, delayMs: 15, jitterMs, loss });
  const bed = new TestBed();
  const [a, b] = [bed.peer(), bed.peer()];
  const video = {
    source: 1,
    name: "v",
    kind: "video",
    encodings: ENCODINGS.map((ssrc) => ({ ssrc, rtxSsrc: ssrc + 1000 })),
  } as const;
  bed.command(
    ...a.join([{ source: 0, name: "a", kind: "audio", encodings: [{ ssrc: AUDIO, rtxSsrc: 0 }] }, video]),
    ...b.join([]),
  );
  bed.carry = (peer, datagram) => network.send(datagram, (now, bytes) => peer.take(now, bytes));
  const up = (peer: TestPeer) => (datagram: Uint8Array) =>
    network.send(datagram, (now, bytes) => {
      bed.nowMs = now;
      bed.deliver(peer, bytes);
    });
  network.add({
    nextDeadline: () => ({ at: millis(bed.loop.nextTick), why: "tick" }),
    handleTimeout: (now) => {
      bed.nowMs = now;
      bed.loop.tick(now);
    },
  });
  const sender = new SendingPeer(a, up(a));
  const receiver = new ReceivingPeer(b, up(b));
  const watch = (layer: number): void =>
    bed.command({
      type: "video-targets",
      receiver: b.index,
      targets: [{ source: 1, layer, ssrc: ENCODINGS[0], rtxSsrc: 1101 }],
    });

  const every = (periodMs: number, untilMs: number, work: (now: number) => void): void => {
    const step = (now: number): void => {
      work(now);
      if (now + periodMs < untilMs) network.after(periodMs, step);
    };
    network.after(periodMs, step);
  };
  every(20, 30_000, () => sender.sendAudio());
  every(33, 30_000, () => sender.sendFrame());
  every(10, 31_000, () => sender.answer());
  every(20, 31_500, (now) => {
    receiver.read();
    receiver.ask(now);
  });
  // The receiver's wishes change, its decoder stumbles now and then.
  for (const [at, layer] of [
    [0, 0x07],
    [5000, 0x47],
    [10_000, 0x40],
    [15_000, 0x47],
    [20_000, 0x01],
    [25_000, 0x47],
  ] as const)
    network.after(at + 1, () => watch(layer));
  every(7000, 30_000, () => receiver.pli());
  network.run(() => false, 32_000);
  receiver.read();

  expect(a.bad + b.bad).toBe(0);
  expect(bed.loop.state.drops.of("authentication")).toBe(0);
  expect(receiver.audio).toBeGreaterThan(sender.audioSent * (1 - loss) ** 2 * 0.97);

  // Every number between the first and the last came, in the end.
  const numbers = [...receiver.video.keys()].toSorted((x, y) => x - y);
  const span = receiver.highest - receiver.first + 1;
  expect(span).toBeGreaterThan(1200);
  expect(numbers.length / span).toBeGreaterThan(loss === 0 ? 0.9999 : 0.998);

  // In the order of numbers: time runs forward, a frame has one timestamp and one picture id, and ids grow by one from frame to frame.
  let previous: GotRtp | undefined;
  let steps = 0;
  let odd = 0;
  for (const number of numbers) {
    const got = receiver.video.get(number) as GotRtp;
    if (got.payload.length === 0) continue; // padding in a hole
    if (previous !== undefined) {
      const ticks = (got.timestamp - previous.timestamp) | 0;
      const ids = ((read16(got.payload, 2) - read16(previous.payload, 2)) << 17) >> 17;
      expect(ticks).toBeGreaterThanOrEqual(0);
      if (ticks === 0) expect(ids).toBe(0);
      else {
        steps += 1;
        if (ids !== 1) odd += 1;
        expect(ids).toBeGreaterThan(0);
      }
    }
    previous = got;
  }
  expect(steps).toBeGreaterThan(400);
  if (loss === 0) expect(odd).toBe(0);
  expect(odd / steps).toBeLessThan(0.05);
  if (loss > 0) expect(receiver.retransmitted).toBeGreaterThan(20);
  expect(
    [...receiver.video.values()].every(
      ({ ssrc, payloadType }) =>
        (ssrc === 101 && payloadType === VIDEO_TYPE) || (ssrc === 1101 && payloadType === RTX_TYPE),
    ),
  ).toBe(true);
});
