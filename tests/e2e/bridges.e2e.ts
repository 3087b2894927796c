/**
 * More cores: a second bridge process starts because the first is loaded, takes the next conference, and ends when nobody needs it. The first bridge is "loaded"
 * by two people because its configuration says that it forwards four cameras only.
 */
import { expect, test } from "bun:test";
import { disarmGuard } from "../real-time.ts";
import { alive } from "./box.ts";
import { Participant } from "./participant.ts";
import { Stage } from "./stage.ts";
import { until } from "./until.ts";

disarmGuard(); // each of these files runs in a process of its own

const stage = new Stage({
  toml: "[bridge]\nmax_count = 2\nmax_cameras = 4\nstart_next_at = 0.3\nstop_idle_after = 5\npin = true\n[gateway.client]\nresolution = 180\n",
});
let ana: Participant;
let ben: Participant;
const bridges = (): readonly number[] => stage.box.refresh().pids.bridge;
const conferences = async (bridge: number): Promise<unknown> => {
  const port = stage.box.refresh().ports.bridgeHttp[bridge] ?? 0;
  const answer = await fetch(`http://127.0.0.1:${port}/colibri/stats`).catch(() => undefined);
  if (answer === undefined) return undefined; // it is listed before it listens
  return ((await answer.json()) as Record<string, unknown>)["conferences"];
};

test("one bridge runs while that is enough; under load the second starts", async () => {
  expect(bridges()).toHaveLength(1);
  ana = await Participant.join(stage.chromium, stage.url("first"), "Ana");
  ben = await Participant.join(stage.chromium, stage.url("first"), "Ben");
  await ana.seesAndHears([ben]);
  await until("a second bridge", 60_000, () => bridges().length === 2);
}, 180_000);

test("the next conference goes to it, the first stays where it is", async () => {
  await until("the second bridge to answer", 10_000, async () => (await conferences(1)) === 0);
  const cleo = await Participant.join(stage.chromium, stage.url("second"), "Cleo");
  const dan = await Participant.join(stage.chromium, stage.url("second"), "Dan");
  await cleo.seesAndHears([dan]);
  expect([await conferences(0), await conferences(1)]).toEqual([1, 1]);
  await ana.seesAndHears([ben]);
  expect([ana, ben, cleo, dan].flatMap((person) => person.errors())).toEqual([]);
  for (const person of [cleo, dan]) await person.close();
}, 180_000);

test("it ends when it is idle and the first is calm", async () => {
  const [, second = 0] = bridges();
  for (const person of [ana, ben]) await person.close();
  await until("the second bridge to end", 120_000, () => bridges().length === 1);
  await until("its process to be gone", 10_000, () => !alive(second));
  expect(stage.box.errors()).toEqual([]);
  expect(stage.box.log).toContain("bridge-1: stopped, no longer needed");
}, 180_000);
