/**
 * A box at its limit: four forwarded cameras, set in its configuration. Who comes with one too many hears and sees the others and is told why his is off; a
 * second conference waits; both go on when somebody leaves.
 */
import { expect, test } from "bun:test";
import { disarmGuard } from "../real-time.ts";
import { Participant } from "./participant.ts";
import { Stage } from "./stage.ts";
import { until } from "./until.ts";

disarmGuard(); // each of these files runs in a process of its own

const stage = new Stage({ toml: "[bridge]\nmax_cameras = 4\n[gateway.client]\nresolution = 180\n" });
let ana: Participant;
let ben: Participant;
let cleo: Participant;
const stats = async (): Promise<Record<string, unknown>> =>
  (await (await fetch(`http://127.0.0.1:${stage.box.ready.ports.bridgeHttp[0]}/colibri/stats`)).json()) as Record<
    string,
    unknown
  >;

const CAMERAS_FULL = "The box carries no further cameras right now.";

/** The focus hears of its bridge every few seconds, and turns nobody away in its first half minute. */
const turnsAway = async (): Promise<boolean> => {
  const answer = await fetch(`http://127.0.0.1:${stage.box.ready.ports.focusHttp}/debug`);
  return ((await answer.json()) as Record<string, unknown>)["parley_turns_away"] === true;
};

test("the third camera does not fit: it is off, its owner is told, and everybody hears and sees what there is", async () => {
  ana = await Participant.join(stage.chromium, stage.url("small"), "Ana", { width: 1280, height: 720 });
  ben = await Participant.join(stage.chromium, stage.url("small"), "Ben", { width: 1280, height: 720 });
  await ana.seesAndHears([ben]);
  await ben.seesAndHears([ana]);
  await until(
    "the bridge to say that it forwards two cameras",
    20_000,
    async () => (await stats())["parley_cameras"] === 2,
  );
  expect(await stats()).toMatchObject({ parley_max_cameras: 4, parley_camera_room: 2, stress_level: 0.5 });
  cleo = await Participant.join(stage.chromium, stage.url("small"), "Cleo", { width: 1280, height: 720 });
  await cleo.sees(CAMERAS_FULL);
  await cleo.screenshot("cameras-full-1280x720");
  const { endpoint } = await cleo.summary();
  for (const other of [ana, ben])
    await other.until("to see Cleo's camera off", ({ participants }) =>
      participants.some((each) => each.endpoint === endpoint && each.cameraMuted),
    );
  await cleo.until(
    "to see and hear both",
    (summary) => Participant.others(summary, "video").filter((each) => each.framesDecoded > 5).length === 2,
  );
}, 180_000);

test("switching it on is refused while there is no room", async () => {
  await cleo.key("v");
  await cleo.sees("so yours is off");
  await cleo.screenshot("cameras-full-refused-1280x720");
}, 60_000);

test("another conference waits at the door, and is told so", async () => {
  await until("the focus to turn conferences away", 60_000, turnsAway);
  const dan = await Participant.join(stage.chromium, stage.url("other"), "Dan", {
    wait: false,
    width: 1280,
    height: 720,
  });
  await dan.sees("The box is full. You come in as soon as there is room.");
  await dan.screenshot("box-full-1280x720");
  await ben.close();
  // Two are left: one camera is forwarded to one. The gate opens after half a minute.
  await dan.untilJoined(120_000);
  await dan.close();
}, 240_000);

test("with room again the camera goes on", async () => {
  await until(
    "the message to go",
    90_000,
    () => cleo.page.evaluate((text: string) => !document.body.innerText.includes(text), CAMERAS_FULL),
    () => cleo.page.evaluate(() => document.body.innerText.slice(0, 2_000)),
  );
  await cleo.key("v");
  await ana.seesAndHears([cleo]);
  expect([ana, cleo].flatMap((person) => person.errors())).toEqual([]);
}, 180_000);
