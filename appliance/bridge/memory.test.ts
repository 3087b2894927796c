// Alone: a hundred peers and the memory of a process. What an endpoint costs a bridge, all of it: sockets' state, DTLS, SRTP, tables, and (rooms of five) the index of its packet history.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { BridgeFocus } from "../../tests/bridge-focus.ts";
import { disarmGuard, useRealTime } from "../../tests/real-time.ts";

useRealTime();

const ROOM = 5;
const FIRST = 60;
const ALL = 100;
/** issue: beside the packet history. What the history's index of four cameras takes is held with it. */
const PER_ENDPOINT_BYTES = 256 * 1024;
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

async function measure(): Promise<number> {
  const answer = next();
  child.send("measure");
  return Number((await answer)["ownBytes"]);
}

test("an endpoint takes 256 KiB at most", async () => {
  await fill(20); // code is compiled, buffers have their size
  const some = await measure();
  await fill(FIRST);
  const hundred = await measure();
  await fill(ALL);
  const all = await measure();
  const each = [(hundred - some) / (FIRST - 20), (all - hundred) / (ALL - FIRST)];
  console.info(
    `bytes per endpoint: ${each.map((bytes) => `${Math.round(bytes / 1024)} KiB`).join(" to the 60th, ")} to the 100th`,
  );
  for (const bytes of each) expect(bytes).toBeLessThan(PER_ENDPOINT_BYTES);
}, 300_000);
