/**
 * Five people for ten minutes (PARLEY_SOAK_MINUTES), small pictures: memory does not grow beyond noise, nothing is lost, no log has an error.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import type { Browser } from "puppeteer-core";
import { disarmGuard } from "../real-time.ts";
import { Box } from "./box.ts";
import { launch } from "./browsers.ts";
import { Participant } from "./participant.ts";
import { until } from "./until.ts";

disarmGuard(); // each of these files runs in a process of its own

const minutes = Number(process.env["PARLEY_SOAK_MINUTES"] ?? "10");
let box: Box;
let chromium: Browser;

const megabytes = (pid: number, file: string, field: string): number =>
  Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(readFileSync(`/proc/${pid}/${file}`, "utf8"))?.[1] ?? 0) /
  1024;
/** Proportional set size of a process, MB: what the budget counts. */
const pss = (pid: number): number => megabytes(pid, "smaps_rollup", "Pss");
/** Memory of its own, MB: what can grow, whoever else runs the same program. */
const anonymous = (pid: number): number => megabytes(pid, "status", "RssAnon");

beforeAll(async () => {
  box = await Box.start({ toml: "[gateway.client]\nresolution = 180\n" });
  chromium = await launch("chromium");
}, 120_000);

afterAll(async () => {
  await chromium?.close();
  await box?.stop();
}, 60_000);

test(
  `five people for ${minutes} minutes`,
  async () => {
    const { supervisor, control, bridge } = box.ready.pids;
    const pids = [supervisor, control, ...bridge];
    console.log(`idle: ${pids.map((pid) => pss(pid).toFixed(1)).join(" + ")} MB PSS`);
    const idle = pids.reduce((sum, pid) => sum + pss(pid), 0);
    const people: Participant[] = [];
    for (const name of ["Ana", "Ben", "Cleo", "Dan", "Eve"])
      people.push(await Participant.join(chromium, `${box.ready.base}/soak`, name, { width: 640, height: 480 }));
    for (const person of people) await person.seesAndHears(people.filter((each) => each !== person));
    const samples: number[] = [];
    const start = performance.now();
    await until("the time to pass", minutes * 60_000 + 60_000, async () => {
      const passed = performance.now() - start;
      if (passed >= samples.length * 30_000) {
        samples.push(pids.reduce((sum, pid) => sum + anonymous(pid), 0));
        console.log(
          `${(passed / 60_000).toFixed(1)} min: ${pids.map((pid) => anonymous(pid).toFixed(1)).join(" + ")} MB of their own, ${pids
            .reduce((sum, pid) => sum + pss(pid), 0)
            .toFixed(1)} MB PSS`,
        );
      }
      return passed >= minutes * 60_000;
    });
    let received = 0;
    let lost = 0;
    for (const person of people) {
      const { sources } = await person.summary();
      for (const source of sources) {
        received += source.packetsReceived;
        lost += source.packetsLost;
      }
    }
    console.log(`${received} packets received, ${lost} lost (${((100 * lost) / received).toFixed(4)} %)`);
    // The first minutes fill the packet log (16 MB, at this rate six minutes) and compile; from then on the level may only wander.
    const early = samples.slice(12, 16);
    const late = samples.slice(-4);
    const mean = (values: readonly number[]): number => values.reduce((sum, each) => sum + each, 0) / values.length;
    console.log(
      `idle ${idle.toFixed(1)}, minutes 6 to 8 ${mean(early).toFixed(1)}, last two ${mean(late).toFixed(1)} MB of their own`,
    );
    for (const person of people) await person.seesAndHears(people.filter((each) => each !== person));
    expect(idle).toBeLessThan(120);
    expect(lost / received).toBeLessThan(0.001);
    expect(mean(late)).toBeLessThan(mean(early) * 1.1);
    expect(box.errors()).toEqual([]);
    expect(people.flatMap((person) => person.errors())).toEqual([]);
  },
  (minutes + 5) * 60_000,
);
