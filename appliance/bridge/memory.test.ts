/**
 * Alone: a hundred peers and the memory of a process. What an endpoint costs a bridge beside its packet history: sockets' state, DTLS, SRTP, tables, and what of
 * the runtime grows with them. The history is two things: the log, of which a page counts once it was written, and each receiver's index of each camera.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { BridgeFocus } from "../../tests/bridge-focus.ts";
import { disarmGuard, useRealTime } from "../../tests/real-time.ts";
import { HISTORY_SIZE } from "./forward/history.ts";

useRealTime();

const ROOM = 5;
const ALL = 100;
const PER_ENDPOINT_BYTES = 256 * 1024;
/** Of a receiver, for each camera that it gets: records of 32 bytes (forward/history.ts). */
const INDEX_BYTES = HISTORY_SIZE * 32;
const MEDIA_MS = 200;

let child: ReturnType<typeof Bun.spawn>;
const waiting: ((message: Record<string, unknown>) => void)[] = [];
const next = (): Promise<Record<string, unknown>> => new Promise((resolve) => waiting.push(resolve));
const rooms: BridgeFocus[] = [];
let ports: Readonly<Record<string, number>> = {};

beforeAll(async () => {
  const started = next();
  child = Bun.spawn([process.execPath, new URL("../../tests/bridge-child.ts", import.meta.url).pathname], {
    stdio: ["ignore", "inherit", "inherit"],
    serialization: "json",
    ipc: (message: unknown) => waiting.shift()?.(message as Record<string, unknown>),
  });
  ports = (await started)["ports"] as Readonly<Record<string, number>>;
}, 60_000);
afterAll(async () => {
  disarmGuard();
  for (const room of rooms) for (const peer of room.peers) peer.vanish();
  child.kill();
  await child.exited;
});

/** Rooms of five until there are so many people; all have sent and got sound and picture. */
async function fill(people: number): Promise<void> {
  while (rooms.length * ROOM < people) {
    const number = rooms.length;
    const room = new BridgeFocus(ports, `memory-${number}`);
    rooms.push(room);
    for (let place = 0; place < ROOM; place++) {
      const ssrc = (number * ROOM + place + 1) * 100;
      await room.join({ id: (0xab000000 + ssrc).toString(16), ssrc });
    }
    for (const peer of room.peers) {
      peer.say({ colibriClass: "ReceiverVideoConstraints", lastN: -1, defaultConstraints: { maxHeight: 180 } });
      peer.startMedia({ audioLevel: 60 });
    }
    const sees = (): boolean =>
      room.peers.every((peer) =>
        room.peers.every(
          (other) => other === peer || (peer.reception(other.encodings[0]?.ssrc ?? 0)?.packets ?? 0) > 0,
        ),
      );
    for (let waited = 0; !sees() && waited < 20_000; waited += MEDIA_MS) await Bun.sleep(MEDIA_MS);
    expect(sees()).toBe(true);
    for (const peer of room.peers) peer.stopMedia();
  }
}

interface Measured {
  readonly people: number;
  /** The process's own bytes without what the packet log has taken so far. */
  readonly bytes: number;
}

/** The log takes each packet that somebody gets once, until it is full (16 MB, more than comes in here). */
async function measure(): Promise<Measured> {
  // The loop reports its sums now and then; nothing is sent any more.
  let received = -1;
  for (let before = -2; before !== received; await Bun.sleep(3_000)) {
    before = received;
    const stats = (await (await fetch(`http://127.0.0.1:${ports["bridgeHttp"]}/colibri/stats`)).json()) as Record<
      string,
      unknown
    >;
    received = Number(stats["total_bytes_received"]);
  }
  const answer = next();
  child.send("measure");
  return { people: rooms.length * ROOM, bytes: Number((await answer)["ownBytes"]) - received };
}

test("an endpoint takes 256 KiB at most", async () => {
  await fill(20); // code is compiled, buffers have their size
  const some = await measure();
  await fill(ALL);
  const all = await measure();
  const each = (all.bytes - some.bytes) / (all.people - some.people) - (ROOM - 1) * INDEX_BYTES;
  console.info(`beside its packet history an endpoint takes ${Math.round(each / 1024)} KiB`);
  expect(each).toBeGreaterThan(0);
  expect(each).toBeLessThan(PER_ENDPOINT_BYTES);
}, 300_000);
