import { describe, expect, test } from "bun:test";
import { Holding } from "./holding.ts";
import { TestBed, type TestPeer, vp8Payload } from "./test-bed.ts";

const OPTIONS = { maxMs: 2, fromLoad: 0.6, leastPackets: 5 };
/** Packets for each receiver and millisecond: ten in the longest wait. */
const MUCH = 5;
const settle = (holding: { heard(load: number, flow: number): void }, load: number, flow = MUCH): void => {
  for (let window = 0; window < 50; window++) holding.heard(load, flow);
};

describe("how long video may wait", () => {
  test("not at all while the core has time, the whole wait when it has none, in between in proportion", () => {
    const holding = new Holding(OPTIONS);
    expect(holding.ms).toBe(0);
    for (const load of [0, 0.3, 0.6]) {
      settle(holding, load);
      expect({ load, ms: holding.ms }).toEqual({ load, ms: 0 });
    }
    settle(holding, 0.775);
    expect(holding.ms).toBeCloseTo(1, 1);
    for (const load of [0.95, 1]) {
      settle(holding, load);
      expect(holding.ms).toBeCloseTo(2, 3);
    }
  });

  test("not at all where little goes to each receiver: what waits would find nothing to go with", () => {
    const holding = new Holding(OPTIONS);
    settle(holding, 1, 2.4);
    expect(holding.ms).toBe(0);
    settle(holding, 1, 2.6);
    expect(holding.ms).toBeCloseTo(2, 3);
    settle(holding, 1, 0);
    expect(holding.ms).toBe(0);
  });

  test("the loop counts what goes to each receiver in a window", () => {
    const bed = new TestBed(0, () => 0.5, { ...OPTIONS, leastPackets: 0.02 });
    const [a, b] = [bed.peer(), bed.peer()];
    bed.command(
      ...a.join([{ source: 0, name: "a0", kind: "audio", encodings: [{ ssrc: 11, rtxSsrc: 0 }] }]),
      ...b.join([]),
    );
    // In the longest wait 0.02 packets for each: ten a second, one in 100 ms.
    const windows = (packets: number): void => {
      for (let window = 0; window < 50; window++) {
        for (let each = 0; each < packets; each++) {
          const sequence = window * packets + each + 1;
          a.send({ ssrc: 11, sequence, timestamp: sequence * 960, payload: Uint8Array.of(1), audioLevel: 30 });
        }
        bed.loop.busy(1, 100);
      }
    };
    windows(1); // one to b, none to a: half a packet each
    expect(bed.loop.statistics().holdMs).toBe(0);
    windows(4);
    expect(bed.loop.statistics().holdMs).toBeGreaterThan(1.9);
  });

  test("one busy window is no reason", () => {
    const holding = new Holding(OPTIONS);
    settle(holding, 0.2);
    holding.heard(1, MUCH);
    expect(holding.ms).toBe(0);
  });

  test("ends soon after the load does, and is never asked for more than its most", () => {
    const holding = new Holding(OPTIONS);
    settle(holding, 5);
    expect(holding.ms).toBe(2);
    let windows = 0;
    for (; holding.ms > 0; windows++) holding.heard(0.1, MUCH);
    expect(windows).toBeLessThan(4);
  });

  test("turned off, whatever the load", () => {
    const holding = new Holding({ maxMs: 0, fromLoad: 0.1 });
    settle(holding, 1);
    expect(holding.ms).toBe(0);
  });
});

describe("a loop that holds", () => {
  /** Three peers, two cameras that the third watches, a microphone of the first; how busy the thread is. */
  function meeting(load: number): { bed: TestBed; a: TestPeer; b: TestPeer; c: TestPeer } {
    const bed = new TestBed(0, () => 0.5, { ...OPTIONS, leastPackets: 0 });
    const [a, b, c] = [bed.peer(), bed.peer(), bed.peer()];
    const camera = (source: number, ssrc: number) =>
      ({ source, name: `v${source}`, kind: "video", encodings: [{ ssrc, rtxSsrc: ssrc + 1000 }] }) as const;
    bed.command(
      ...a.join([{ source: 0, name: "a0", kind: "audio", encodings: [{ ssrc: 11, rtxSsrc: 0 }] }, camera(1, 101)]),
    );
    bed.command(...b.join([camera(2, 102)]), ...c.join([]));
    bed.command({
      type: "video-targets",
      receiver: c.index,
      targets: [1, 2].map((source) => ({ source, layer: 7, ssrc: 100 + source, rtxSsrc: 1100 + source })),
    });
    settle({ heard: (share) => bed.loop.busy(share, 100) }, load);
    return { bed, a, b, c };
  }

  const picture = (peer: TestPeer, ssrc: number, number: number): void =>
    peer.send({
      ssrc,
      sequence: number,
      timestamp: number * 3000,
      marker: true,
      transportSequence: number,
      payload: vp8Payload({ pictureId: number, zeroIndex: number, key: number === 1, size: 600 }),
    });
  const sound = (peer: TestPeer, sequence: number): void =>
    peer.send({ ssrc: 11, sequence, timestamp: sequence * 960, payload: Uint8Array.of(1, sequence), audioLevel: 30 });

  test("gathers what comes within the wait into one run, and lets it go when the wait of the first is over", () => {
    const { bed, a, b, c } = meeting(1);
    picture(a, 101, 1);
    expect(c.got.length).toBe(0);
    bed.advance(1.5);
    picture(b, 102, 1);
    bed.advance(0.4);
    expect(c.got.length).toBe(0);
    bed.advance(0.2);
    expect(c.got.map(({ ssrc }) => ssrc)).toEqual([101, 102]);
    expect(bed.runs.map((run) => run.length)).toEqual([2]);
    expect(bed.loop.statistics()).toMatchObject({ packetsHeld: 2 });
  });

  test("audio goes at once, and takes along what waits for the same receiver", () => {
    const { bed, a, b, c } = meeting(1);
    picture(a, 101, 1);
    sound(a, 1);
    expect(c.got.map(({ ssrc }) => ssrc)).toEqual([101, 11]);
    expect(bed.runs.map((run) => run.length).toSorted()).toEqual([1, 2]); // to b, who watches nothing, the sound alone
    bed.advance(2.1);
    expect(c.got.length).toBe(2);
    // What waited is gone, and the next waits anew.
    picture(b, 102, 1);
    expect(c.got.length).toBe(2);
    bed.advance(1);
    picture(a, 101, 2);
    bed.advance(1.1);
    expect(c.got.map(({ ssrc }) => ssrc)).toEqual([101, 11, 102, 101]);
  });

  test("audio that is longer than the video of a run goes past it", () => {
    const { bed, a, c } = meeting(1);
    picture(a, 101, 1);
    a.send({ ssrc: 11, sequence: 1, timestamp: 960, payload: new Uint8Array(900).fill(1), audioLevel: 30 });
    expect(c.got.map(({ ssrc }) => ssrc)).toEqual([11]);
    bed.advance(2.1);
    expect(c.got.map(({ ssrc }) => ssrc)).toEqual([11, 101]);
  });

  test("a core that has time holds nothing", () => {
    const { bed, a, c } = meeting(0.5);
    picture(a, 101, 1);
    expect(c.got.map(({ ssrc }) => ssrc)).toEqual([101]);
    expect(bed.loop.statistics()).toMatchObject({ packetsHeld: 0, holdMs: 0 });
  });

  test("nothing waits longer than its most, however often something comes", () => {
    const { bed, a, c } = meeting(1);
    const sentAt: number[] = [];
    const waits: number[] = [];
    for (let number = 1; number <= 200; number++) {
      sentAt.push(bed.nowMs);
      picture(a, 101, number);
      for (let each = waits.length; each < c.got.length; each++) waits.push(bed.nowMs - (sentAt[each] as number));
      bed.advance(0.3);
      for (let each = waits.length; each < c.got.length; each++) waits.push(bed.nowMs - (sentAt[each] as number));
    }
    expect(waits.length).toBeGreaterThan(180);
    expect(Math.max(...waits)).toBeLessThanOrEqual(2.31);
  });

  test("a command finds nothing waiting: addresses and keys are those of the packets", () => {
    const { bed, a, c } = meeting(1);
    picture(a, 101, 1);
    expect(c.got.length).toBe(0);
    bed.command({ type: "select-path", endpoint: c.index, path: { socket: 0, address: "127.0.0.1", port: 9 } });
    expect(c.got.map(({ ssrc }) => ssrc)).toEqual([101]);
  });

  test("what waits goes out when the load is gone", () => {
    const { bed, a, c } = meeting(1);
    picture(a, 101, 1);
    settle({ heard: (share) => bed.loop.busy(share, 100) }, 0);
    bed.advance(0);
    expect(c.got.length).toBe(1);
  });
});
