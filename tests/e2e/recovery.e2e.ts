/**
 * What dies comes back (design.md 2): the bridge killed, the control process killed, in mid-meeting and without a reload.
 */
import { beforeAll, expect, test } from "bun:test";
import { disarmGuard } from "../real-time.ts";
import { alive } from "./box.ts";
import { Participant } from "./participant.ts";
import { Slowness } from "./slowness.ts";
import { Stage } from "./stage.ts";
import { until } from "./until.ts";

disarmGuard(); // each of these files runs in a process of its own

const stage = new Stage();
let ana: Participant;
let ben: Participant;
let cleo: Participant;
const everybody = (): Participant[] => [ana, ben, cleo];

beforeAll(async () => {
  const room = stage.url("recovery");
  ana = await Participant.join(stage.chromium, room, "Ana");
  ben = await Participant.join(stage.chromium, room, "Ben");
  cleo = await Participant.join(stage.chromium, room, "Cleo");
  for (const person of everybody()) await person.seesAndHears(everybody().filter((each) => each !== person));
}, 400_000);

/** Frames decoded from each other person, by name. */
async function frames(person: Participant): Promise<Map<string, number>> {
  const summary = await person.summary();
  const videos = Participant.others(summary, "video");
  return new Map(
    summary.participants.map((each) => [
      each.name,
      videos.find((video) => video.owner === each.endpoint)?.framesDecoded ?? 0,
    ]),
  );
}

test("the bridge is killed: pictures of everybody are back within 5 s of the kill", async () => {
  const [pid] = stage.box.ready.pids.bridge;
  if (pid === undefined) throw new Error("no bridge");
  const slowness = new Slowness();
  process.kill(pid, "SIGKILL");
  const killed = performance.now();
  await until("the bridge to be gone", 5_000, () => !alive(pid));
  // New sessions count frames anew: media is back when every stream of a session begun after the kill advances.
  await Promise.all(everybody().map((person) => person.seesNewMedia(2, 40_000)));
  const seconds = (performance.now() - killed) / 1000;
  const slow = slowness.stop();
  console.log(
    `media back ${seconds.toFixed(1)} s after the bridge was killed, the machine ${slow.toFixed(1)} times busy`,
  );
  expect(seconds / slow).toBeLessThan(6); // 5 s plus what two observations of advancing frames take
  for (const person of everybody()) expect((await frames(person)).size).toBe(2);
}, 60_000);

test("the control process is killed: everybody is back within 10 s, without a reload", async () => {
  const { control } = stage.box.refresh().pids;
  const slowness = new Slowness();
  process.kill(control, "SIGKILL");
  const killed = performance.now();
  await until("the control process to be gone", 5_000, () => !alive(control));
  for (const person of everybody())
    await person.until(
      "to be back in the meeting",
      ({ page, connections, participants }) =>
        page === "meeting" && connections.stream === "connected" && participants.length === 2,
      60_000,
    );
  const seconds = (performance.now() - killed) / 1000;
  const slow = slowness.stop();
  console.log(
    `everybody back ${seconds.toFixed(1)} s after the control process was killed, the machine ${slow.toFixed(1)} times busy`,
  );
  for (const person of everybody()) await person.seesAndHears(everybody().filter((each) => each !== person));
  expect(seconds / slow).toBeLessThan(10);
}, 150_000);

test("Ctrl-C stops all of it, at once", async () => {
  const pids = [stage.box.ready.pids.supervisor, stage.box.refresh().pids.control, ...stage.box.ready.pids.bridge];
  const seconds = await stage.box.stop();
  expect(seconds).toBeLessThan(5);
  await until("all processes to be gone", 2_000, () => pids.every((pid) => !alive(pid)));
}, 30_000);
