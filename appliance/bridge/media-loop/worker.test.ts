import { afterEach, describe, expect, test } from "bun:test";
import { useRealTime } from "../../../tests/real-time.ts";
import type { MediaEvent } from "../media-commands.ts";
import { type MediaLoopHandle, type MediaLoopStartOptions, startMediaLoop } from "./start.ts";
import { pinnedProvider } from "./test-provider.ts";

useRealTime();

interface Started {
  readonly loop: MediaLoopHandle;
  readonly events: MediaEvent[];
  /** Resolves with the next event that satisfies. */
  until(wanted: (event: MediaEvent) => boolean): Promise<MediaEvent>;
}

const running: MediaLoopHandle[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((loop) => loop.stop()));
});

function start(options: Partial<MediaLoopStartOptions> = {}): Started {
  const events: MediaEvent[] = [];
  const waiting: { wanted: (event: MediaEvent) => boolean; found: (event: MediaEvent) => void }[] = [];
  const loop = startMediaLoop(
    { addresses: ["127.0.0.1"], port: 0, srtpProvider: pinnedProvider(), ...options },
    (news) => {
      for (const event of news) {
        events.push(event);
        for (const [index, { wanted, found }] of waiting.entries())
          if (wanted(event)) {
            waiting.splice(index, 1);
            found(event);
            break;
          }
      }
    },
  );
  running.push(loop);
  return {
    loop,
    events,
    until: (wanted) => {
      const before = events.find(wanted);
      if (before !== undefined) return Promise.resolve(before);
      return new Promise((found) => waiting.push({ wanted, found }));
    },
  };
}

describe("the media loop's worker", () => {
  test("opens one port on every address, v4 and v6, and says what it has", async () => {
    const { loop } = start({ addresses: ["127.0.0.1", "::1"] });
    const { sockets, providers, receiveBufferBytes } = await loop.ready;
    expect(sockets.map(({ address, family }) => [address, family])).toEqual([
      ["127.0.0.1", 4],
      ["::1", 6],
    ]);
    expect(new Set(sockets.map(({ port }) => port)).size).toBe(1);
    expect(receiveBufferBytes).toBeGreaterThan(65_536);
    expect(providers.AEAD_AES_128_GCM.microsPerPacket).toBeGreaterThan(0);
  });

  test("datagrams go up from an unknown address and down by command, on both families", async () => {
    for (const address of ["127.0.0.1", "::1"]) {
      const { loop, until } = start({ addresses: [address] });
      const port = (await loop.ready).sockets[0]?.port ?? 0;
      const heard = Promise.withResolvers<Uint8Array>();
      const peer = await Bun.udpSocket({
        hostname: address,
        socket: { data: (_socket, data) => heard.resolve(data), error: () => {} },
      });
      peer.send(Uint8Array.of(0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42), port, address);
      const event = await until(({ type }) => type === "datagram");
      expect(event).toMatchObject({ endpoint: -1, path: { socket: 0, address, port: peer.port } });
      if (event.type === "datagram") loop.send([{ type: "send", path: event.path, bytes: Uint8Array.of(1, 2, 3) }]);
      expect([...(await heard.promise)]).toEqual([1, 2, 3]);
      peer.close();
    }
  });

  test("what comes from elsewhere than the listed addresses is dropped and counted", async () => {
    const { loop, until, events } = start({ onlyFrom: ["192.0.2.1"] });
    const port = (await loop.ready).sockets[0]?.port ?? 0;
    const peer = await Bun.udpSocket({ hostname: "127.0.0.1", socket: { error: () => {} } });
    peer.send(Uint8Array.of(0, 1, 0, 0), port, "127.0.0.1");
    const counted = (event: MediaEvent): boolean =>
      event.type === "statistics" && event.statistics.dropped["outside-lan"] === 1;
    const asking = setInterval(() => loop.send([{ type: "report" }]), 10);
    await until(counted);
    clearInterval(asking);
    expect(events.some(({ type }) => type === "datagram")).toBe(false);
    peer.close();
  });

  test("a taken port, an address of another machine, a provider that is not there: a fault that says so", async () => {
    const first = start();
    const port = (await first.loop.ready).sockets[0]?.port ?? 0;
    for (const [options, said] of [
      [{ port }, `UDP port ${port} is taken`],
      [{ addresses: ["192.0.2.1"] }, "bind"],
      [{ addresses: ["nowhere"] }, "not an address: nowhere"],
    ] as const) {
      const { loop, until } = start(options);
      expect(loop.ready).rejects.toThrow(said);
      expect(await until(({ type }) => type === "fault")).toMatchObject({ type: "fault" });
    }
  });

  test("an address that cannot be bound is left out while another can", async () => {
    const { loop } = start({ addresses: ["192.0.2.1", "127.0.0.1"] });
    expect((await loop.ready).sockets.map(({ address }) => address)).toEqual(["127.0.0.1"]);
  });

  test("no command is left lying while the thread sleeps, however they fall together", async () => {
    const { loop, events, until } = start();
    await loop.ready;
    const answers = (): number => events.filter(({ type }) => type === "statistics").length;
    let asked = 0;
    for (const burst of [1, 1, 2, 7, 1, 40, 1, 3, 1, 100, 1]) {
      for (let each = 0; each < burst; each++) loop.send([{ type: "report" }]);
      asked += burst;
      // Only what was asked may wake the thread: nothing else comes, and no endpoint makes it tick.
      while (answers() < asked) {
        const heard = events.length;
        await until((event) => events.indexOf(event) >= heard);
      }
    }
    expect(answers()).toBe(asked);
  });

  test("commands are answered while nothing comes in, and stopping frees the port", async () => {
    const { loop, until } = start();
    const port = (await loop.ready).sockets[0]?.port ?? 0;
    loop.send([{ type: "report" }]);
    expect(await until(({ type }) => type === "statistics")).toBeDefined();
    await loop.stop();
    await loop.stop();
    loop.send([{ type: "report" }]);
    const again = start({ port });
    expect((await again.loop.ready).sockets[0]?.port).toBe(port);
  });
});
