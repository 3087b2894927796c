import { describe, expect, test } from "bun:test";
import { type LinkOptions, SimulatedNetwork, seededBytes, seededRandom } from "./simulated-network.ts";
import { later, type Millis, millis } from "./time.ts";

/** Sends 1000 numbered datagrams, one a millisecond; answers number and time of each arrival. */
function arrivals(seed: number, link: LinkOptions): (readonly [number, Millis])[] {
  const network = new SimulatedNetwork({ seed, ...link });
  const heard: (readonly [number, Millis])[] = [];
  for (let n = 0; n < 1000; n++)
    network.after(n, () =>
      network.send(Uint8Array.of(n >> 8, n & 255), (now, bytes) =>
        heard.push([((bytes[0] as number) << 8) | (bytes[1] as number), now]),
      ),
    );
  network.run(() => false, 60_000);
  return heard;
}

describe("the link", () => {
  test("delivers all in order after the delay, without loss and jitter", () => {
    const heard = arrivals(1, { delayMs: 20 });
    expect(heard).toEqual(Array.from({ length: 1000 }, (_, n) => [n, millis(n + 20)] as const));
  });

  test("loses, duplicates and reorders about as often as told", () => {
    const heard = arrivals(2, { delayMs: 5, jitterMs: 10, loss: 0.2, duplicate: 0.1 });
    const distinct = new Set(heard.map(([n]) => n)).size;
    expect(heard.length).toBeGreaterThan(830);
    expect(heard.length).toBeLessThan(930);
    expect(heard.length - distinct).toBeGreaterThan(40);
    expect(heard.some(([n], at) => at > 0 && n < (heard[at - 1] as readonly [number, Millis])[0])).toBe(true);
    for (const [n, at] of heard) expect(at - n >= 5 && at - n < 15).toBe(true);
  });

  test("the same seed gives the same run, another another", () => {
    const link = { delayMs: 5, jitterMs: 10, loss: 0.2 };
    expect(arrivals(3, link)).toEqual(arrivals(3, link));
    expect(arrivals(3, link)).not.toEqual(arrivals(4, link));
  });

  test("hands over a copy", () => {
    const network = new SimulatedNetwork({ seed: 5, delayMs: 1 });
    const bytes = Uint8Array.of(1);
    let heard = 0;
    network.send(bytes, (_now, copy) => (heard = copy[0] as number));
    bytes[0] = 2;
    network.run(() => false, 10);
    expect(heard).toBe(1);
  });
});

describe("nodes", () => {
  test("are woken at their deadlines, in the order of time, between datagrams", () => {
    const network = new SimulatedNetwork({ seed: 6, delayMs: 15 });
    const log: string[] = [];
    const node = (name: string, every: number) => {
      let at = millis(every);
      return {
        nextDeadline: () => (at <= 50 ? { at, why: name } : undefined),
        handleTimeout: (now: Millis) => {
          log.push(`${name}@${now}`);
          at = later(at, every);
        },
      };
    };
    network.add(node("a", 10));
    const b = node("b", 25);
    network.add(b);
    network.send(Uint8Array.of(0), (now) => log.push(`datagram@${now}`));
    expect(network.run(() => log.length === 4, 1000)).toBe(true);
    network.remove(b);
    network.run(() => false, 1000);
    expect(log).toEqual(["a@10", "datagram@15", "a@20", "b@25", "a@30", "a@40", "a@50"]);
    expect(network.now).toBe(millis(1025));
    expect(network.nextInstant()).toBeUndefined();
  });

  test("one that is never satisfied is reported", () => {
    const network = new SimulatedNetwork({ seed: 7, delayMs: 1 });
    network.add({ nextDeadline: () => ({ at: millis(5), why: "stuck" }), handleTimeout: () => {} });
    expect(() => network.run(() => false, 100)).toThrow("stuck");
  });
});

test("seeded randomness is even enough and repeats", () => {
  const random = seededRandom(8);
  const values = Array.from({ length: 10_000 }, random);
  expect(Math.min(...values)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...values)).toBeLessThan(1);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  expect(Math.abs(mean - 0.5)).toBeLessThan(0.02);
  expect(seededBytes(9)(100)).toEqual(seededBytes(9)(100));
  expect(new Set(seededBytes(9)(2000)).size).toBe(256);
});
