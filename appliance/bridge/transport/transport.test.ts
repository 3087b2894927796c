import { describe, expect, test } from "bun:test";
import { SimulatedNetwork, seededRandom } from "../../simulated-network.ts";
import type { Path } from "../media-commands.ts";
import type { DataChannelEvents, DataChannelFactory } from "./data-channel.ts";
import { makePwd, makeUfrag } from "./ice.ts";
import type { TransportOptions } from "./transport.ts";
import { candidateOf, link, Peer, testCertificate } from "./transport-pair.ts";

interface PairOptions {
  readonly seed?: number;
  readonly setup?: "active" | "passive" | "actpass";
  readonly bridge?: Partial<TransportOptions>;
  readonly client?: Partial<TransportOptions>;
}

function makePair(network: SimulatedNetwork, { seed = 1, bridge = {}, client = {} }: PairOptions = {}) {
  const a = new Peer(network, { address: "10.0.0.1", seed, options: bridge, certificate: CERTIFICATES[0] });
  const b = new Peer(network, {
    address: "10.0.0.2",
    seed: seed + 1,
    options: { controlling: false, ...client },
    certificate: CERTIFICATES[1],
  });
  link(network, a, b);
  return { bridge: a, client: b };
}

const CERTIFICATES = [testCertificate(1), testCertificate(2)] as const;

/** Both signalled at once; the client knows a candidate of the bridge, the bridge none. */
function begin(network: SimulatedNetwork, options: PairOptions = {}) {
  const pair = makePair(network, options);
  const setup = options.setup ?? "active";
  pair.bridge.setRemote(pair.client.signalled(setup));
  pair.client.setRemote({
    ...pair.bridge.signalled(setup === "active" ? "passive" : "active"),
    candidates: [candidateOf(pair.bridge.path)],
  });
  return pair;
}

type Pair = ReturnType<typeof begin>;
const connected =
  ({ bridge, client }: Pair) =>
  () =>
    bridge.transport.state === "connected" && client.transport.state === "connected";

const sameKeys = ({ bridge, client }: Pair): void => {
  const ours = bridge.find("srtp-keys");
  const theirs = client.find("srtp-keys");
  if (ours === undefined || theirs === undefined) throw new Error("no keys");
  expect(ours.send).toEqual(theirs.receive);
  expect(ours.receive).toEqual(theirs.send);
};

describe("two transports", () => {
  test("connect with the same keys crosswise, in the order that the loop needs", () => {
    const network = new SimulatedNetwork({ seed: 1, delayMs: 10 });
    const pair = begin(network);
    expect(network.run(connected(pair), 5000)).toBe(true);
    sameKeys(pair);
    expect(pair.bridge.actions.map(({ type }) => type).filter((type) => type !== "send")).toEqual([
      "accept-address",
      "ice-credentials",
      "select-path",
      "ice-connected",
      "srtp-keys",
      "connected",
    ]);
    // Four one-way trips of DTLS after ICE, which takes two round trips at most.
    expect(network.now).toBeLessThanOrEqual(80);
  });

  test("the bridge is DTLS client where the peer is passive or leaves it open", () => {
    for (const setup of ["passive", "actpass"] as const) {
      const network = new SimulatedNetwork({ seed: 2, delayMs: 10 });
      const pair = begin(network, { setup });
      expect(network.run(connected(pair), 5000)).toBe(true);
      sameKeys(pair);
    }
  });

  test("DTLS that comes before the answer waits", () => {
    const network = new SimulatedNetwork({ seed: 3, delayMs: 5 });
    const pair = makePair(network);
    // Already knows everything, also that the bridge will be the DTLS server, and begins as soon as its own check is answered.
    pair.client.setRemote({ ...pair.bridge.signalled("passive"), candidates: [candidateOf(pair.bridge.path)] });
    network.run(() => false, 100);
    expect(pair.client.transport.state).toBe("new");
    pair.bridge.setRemote(pair.client.signalled("active"));
    expect(network.run(connected(pair), 5000)).toBe(true);
    sameKeys(pair);
  });

  test("signalling in pieces: credentials first, fingerprint later", () => {
    const network = new SimulatedNetwork({ seed: 4, delayMs: 5 });
    const late = makePair(network, { seed: 50 });
    const full = late.client.signalled("active");
    late.bridge.setRemote({ ...full, fingerprints: [] });
    late.client.setRemote({ ...late.bridge.signalled("passive"), candidates: [candidateOf(late.bridge.path)] });
    network.run(() => false, 60);
    expect(late.bridge.transport.state).toBe("ice-connected");
    late.bridge.setRemote({ fingerprints: full.fingerprints, candidates: [] });
    expect(network.run(connected(late), 5000)).toBe(true);
  });

  for (const loss of [0.05, 0.15])
    test(`${loss * 100} % loss, jitter and duplicates, 12 runs`, () => {
      const times: number[] = [];
      for (let seed = 0; seed < 12; seed++) {
        const network = new SimulatedNetwork({ seed, delayMs: 4, jitterMs: 8, loss, duplicate: 0.05 });
        const pair = begin(network, { seed: seed * 10 + 1 });
        expect(network.run(connected(pair), 10_000)).toBe(true);
        sameKeys(pair);
        times.push(network.now);
        pair.bridge.transport.close();
        pair.client.transport.close();
      }
      expect(times.toSorted((a, b) => a - b)[6]).toBeLessThan(500);
    });
});

describe("the end", () => {
  test("close says goodbye, and the other side ends as well", () => {
    const network = new SimulatedNetwork({ seed: 5, delayMs: 5 });
    const pair = begin(network);
    network.run(connected(pair), 5000);
    pair.bridge.transport.close();
    pair.bridge.drain();
    expect(pair.bridge.actions.at(-1)).toEqual({ type: "closed" });
    expect(pair.bridge.actions.at(-2)?.type).toBe("forget-address");
    network.run(() => pair.client.transport.state === "closed", 1000);
    expect(pair.client.transport.state).toBe("closed");
    expect(pair.bridge.nextDeadline()).toBeUndefined();
    const count = pair.bridge.actions.length;
    pair.bridge.receive(network.now, pair.client.path, Uint8Array.of(22, 0, 0));
    pair.bridge.setRemote(pair.client.signalled("active"));
    pair.bridge.handleTimeout(network.now);
    expect(pair.bridge.transport.sendMessage("x")).toBe(false);
    expect(pair.bridge.actions.length).toBe(count);
    expect(pair.bridge.transport.dropped.get("transport-closed")).toBe(4);
  });

  test("a wrong fingerprint fails; no keys come out", () => {
    const network = new SimulatedNetwork({ seed: 6, delayMs: 5 });
    const pair = makePair(network);
    const other = testCertificate(77).fingerprint;
    pair.bridge.setRemote(pair.client.signalled("active", [{ hash: "sha-256", value: other, setup: "active" }]));
    pair.client.setRemote({ ...pair.bridge.signalled("passive"), candidates: [candidateOf(pair.bridge.path)] });
    network.run(() => pair.bridge.transport.state === "failed", 5000);
    expect(pair.bridge.find("failed")).toEqual({ type: "failed", reason: "dtls-fingerprint" });
    expect(pair.bridge.find("srtp-keys")).toBeUndefined();
    expect(pair.bridge.actions.at(-1)).toEqual({ type: "closed" });
  });

  test("a vanished peer fails for want of consent", () => {
    const network = new SimulatedNetwork({ seed: 7, delayMs: 5 });
    const pair = begin(network);
    network.run(connected(pair), 5000);
    const since = network.now;
    network.remove(pair.client);
    pair.bridge.route(() => {});
    network.run(() => pair.bridge.transport.state === "failed", 60_000);
    expect(pair.bridge.find("failed")).toEqual({ type: "failed", reason: "consent-expired" });
    expect(network.now - since).toBeLessThanOrEqual(30_100);
  });

  test("a peer that never comes fails after 30 s of knowing it", () => {
    const network = new SimulatedNetwork({ seed: 8, delayMs: 5 });
    const { bridge, client } = makePair(network);
    expect(bridge.nextDeadline()).toBeUndefined();
    bridge.setRemote(client.signalled("active"));
    network.run(() => bridge.transport.state === "failed", 60_000);
    expect(bridge.find("failed")).toEqual({ type: "failed", reason: "ice-timeout" });
  });
});

describe("ICE restart", () => {
  const restart = (pair: Pair, network: SimulatedNetwork, clientPath: Path) => {
    const random = (count: number): Uint8Array => Uint8Array.from({ length: count }, (_, i) => i * 7 + 3);
    const ufrag = makeUfrag(random);
    const pwd = makePwd(random);
    const generation = pair.bridge.transport.restartIce(network.now, ufrag, pwd);
    // The client's side of a restart is a fresh agent behind the same DTLS: here another transport's ICE answers.
    const fresh = new Peer(network, {
      address: clientPath.address,
      seed: 900,
      options: { controlling: false },
      certificate: CERTIFICATES[1],
    });
    fresh.route((bytes) => network.send(bytes, (now, copy) => pair.bridge.receive(now, clientPath, copy)));
    const owns = (bytes: Uint8Array): boolean => (bytes[0] as number) <= 3;
    pair.bridge.route((bytes, from) =>
      network.send(bytes, (now, copy) => {
        if (owns(copy)) fresh.receive(now, from, copy);
        pair.client.receive(now, from, copy);
      }),
    );
    network.add(fresh);
    fresh.setRemote({ ufrag, pwd, fingerprints: [], candidates: [candidateOf(pair.bridge.path)] });
    return { generation, fresh, ufrag };
  };

  for (const [name, path] of [
    ["from a new address", { socket: 0, address: "10.0.0.9", port: 10000 }],
    ["from the same address", { socket: 0, address: "10.0.0.2", port: 10000 }],
  ] as const)
    test(`${name}: the new pair takes over, DTLS goes on, the former agent answers 3 s more`, () => {
      const network = new SimulatedNetwork({ seed: 9, delayMs: 5 });
      const pair = begin(network);
      network.run(connected(pair), 5000);
      const { generation, fresh, ufrag } = restart(pair, network, path);
      expect(generation).toBe(1);
      pair.bridge.setRemote({ ufrag: fresh.ufrag, pwd: fresh.pwd, iceGeneration: 1, fingerprints: [], candidates: [] });
      const before = pair.bridge.actions.length;
      network.run(() => pair.bridge.actions.slice(before).some(({ type }) => type === "select-path"), 5000);
      const news = pair.bridge.actions.slice(before);
      expect(news.find(({ type }) => type === "select-path")).toEqual({ type: "select-path", path });
      expect(news.find(({ type }) => type === "ice-credentials")).toMatchObject({
        localUfrag: ufrag,
        remoteUfrag: fresh.ufrag,
      });
      expect(pair.bridge.transport.state).toBe("connected");
      network.run(() => false, 4000);
      expect(pair.bridge.actions.some(({ type }) => type === "forget-address")).toBe(path.address === "10.0.0.9");
      expect(pair.bridge.find("failed")).toBeUndefined();
    });

  test("without an answer it is given up after 20 s, the old pair goes on", () => {
    const network = new SimulatedNetwork({ seed: 10, delayMs: 5 });
    const pair = begin(network);
    network.run(connected(pair), 5000);
    const random = (count: number): Uint8Array => new Uint8Array(count).fill(9);
    pair.bridge.transport.restartIce(network.now, makeUfrag(random), makePwd(random));
    const since = network.now;
    network.run(() => pair.bridge.find("ice-restart-failed") !== undefined, 30_000);
    expect(pair.bridge.find("ice-restart-failed")).toEqual({ type: "ice-restart-failed", generation: 1 });
    expect(network.now - since).toBe(20_000);
    network.run(() => false, 40_000);
    expect(pair.bridge.transport.state).toBe("connected");
  });

  test("an answer to a restart that is none is dropped and counted", () => {
    const network = new SimulatedNetwork({ seed: 11, delayMs: 5 });
    const { bridge, client } = begin(network);
    bridge.setRemote({ ...client.signalled("active"), iceGeneration: 5 });
    expect(bridge.transport.dropped.get("remote-unknown-generation")).toBe(1);
  });
});

describe("what is not for it", () => {
  test("is dropped and counted by reason", () => {
    const network = new SimulatedNetwork({ seed: 12, delayMs: 5 });
    const { bridge } = makePair(network);
    const stranger: Path = { socket: 0, address: "203.0.113.5", port: 9 };
    for (const bytes of [[], [0x80, 1], [22, 254, 253, 0], [0, 1, 0, 0], [200]])
      bridge.receive(network.now, stranger, Uint8Array.from(bytes));
    expect(Object.fromEntries(bridge.transport.dropped)).toEqual({
      "not-for-transport": 3,
      "dtls-unheard-address": 1,
      "stun-malformed": 1,
    });
    expect(bridge.actions).toEqual([]);
  });

  test("early DTLS is kept up to 16 datagrams", () => {
    const network = new SimulatedNetwork({ seed: 13, delayMs: 1 });
    const pair = makePair(network);
    pair.client.setRemote({
      ...pair.bridge.signalled("passive"),
      fingerprints: [],
      candidates: [candidateOf(pair.bridge.path)],
    });
    network.run(() => false, 50);
    for (let n = 0; n < 20; n++) pair.bridge.receive(network.now, pair.client.path, Uint8Array.of(22, 254, 253, n));
    expect(pair.bridge.transport.dropped.get("dtls-early-queue-full")).toBe(4);
  });

  test("property: 20 000 mutated datagrams into a connected transport (seed 14): it stays connected", () => {
    const network = new SimulatedNetwork({ seed: 14, delayMs: 5 });
    const pair = begin(network);
    const seen: Uint8Array[] = [];
    pair.client.route((bytes, from) => {
      seen.push(bytes.slice());
      network.send(bytes, (now, copy) => pair.bridge.receive(now, from, copy));
    });
    network.run(connected(pair), 5000);
    network.run(() => false, 6000);
    const random = seededRandom(14);
    for (let n = 0; n < 20_000; n++) {
      const bytes = (seen[n % seen.length] as Uint8Array).slice();
      for (let change = 1 + Math.floor(random() * 5); change > 0; change--)
        bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
      const from = random() < 0.8 ? pair.client.path : { ...pair.client.path, port: 1 + (n % 1000) };
      pair.bridge.transport.handleDatagram(network.now, from, bytes);
      pair.bridge.drain();
    }
    expect(pair.bridge.transport.state).toBe("connected");
    expect(network.run(() => false, 20_000)).toBe(false);
    expect(pair.bridge.transport.state).toBe("connected");
  });
});

describe("data channel", () => {
  /** A stand-in for SCTP: a packet is a message. */
  const plain: DataChannelFactory = (events: DataChannelEvents) => {
    events.open();
    return {
      handlePacket: (packet) => events.message(new TextDecoder().decode(packet)),
      send: (text) => {
        events.sendPacket(new TextEncoder().encode(text));
        return true;
      },
      close: () => {},
    };
  };

  test("runs over DTLS, both ways, and closes with it", () => {
    const network = new SimulatedNetwork({ seed: 15, delayMs: 5 });
    const pair = begin(network, { bridge: { dataChannel: plain }, client: { dataChannel: plain } });
    network.run(connected(pair), 5000);
    expect(pair.bridge.find("channel-open")).toBeDefined();
    expect(pair.client.transport.sendMessage("hello")).toBe(true);
    pair.client.drain();
    network.run(() => pair.bridge.find("channel-message") !== undefined, 1000);
    expect(pair.bridge.find("channel-message")).toEqual({ type: "channel-message", text: "hello" });
  });

  test("without SCTP nothing can be sent", () => {
    const network = new SimulatedNetwork({ seed: 16, delayMs: 5 });
    const pair = begin(network);
    network.run(connected(pair), 5000);
    expect(pair.bridge.transport.sendMessage("x")).toBe(false);
    expect(pair.bridge.transport.dropped.get("channel-not-taken")).toBe(1);
  });

  test("events outside of a call wake the owner", () => {
    let kept: DataChannelEvents | undefined;
    let woken = 0;
    const network = new SimulatedNetwork({ seed: 17, delayMs: 5 });
    const pair = begin(network, {
      bridge: {
        dataChannel: (events) => {
          kept = events;
          return { handlePacket: () => {}, send: () => true, close: () => {} };
        },
        wake: () => woken++,
      },
    });
    network.run(connected(pair), 5000);
    kept?.message("later");
    kept?.message("and again");
    expect(woken).toBe(1);
    pair.bridge.drain();
    kept?.closed();
    expect(woken).toBe(2);
  });
});

test("200 transports made and closed leave memory where it was", () => {
  const network = new SimulatedNetwork({ seed: 20, delayMs: 2 });
  const shared = makePair(network, { seed: 2 });
  const once = (seed: number): void => {
    const inner = new SimulatedNetwork({ seed, delayMs: 2 });
    const pair = begin(inner, { seed, bridge: { dtls: shared.bridge.dtls }, client: { dtls: shared.client.dtls } });
    expect(inner.run(connected(pair), 5000)).toBe(true);
    pair.bridge.transport.close();
    pair.client.transport.close();
  };
  for (let n = 0; n < 50; n++) once(n);
  // The best of four rounds: other tests' garbage comes and goes, a leak of 100 KB a pair is in each round.
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 4; round++) {
    Bun.gc(true);
    const before = process.memoryUsage.rss();
    for (let n = 0; n < 60; n++) once(n);
    Bun.gc(true);
    least = Math.min(least, process.memoryUsage.rss() - before);
  }
  expect(least).toBeLessThan(5_000_000);
}, 60_000);
