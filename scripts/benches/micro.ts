/**
 * Shell: nanoseconds of each stage of the media loop, measured in a process of its own on the subject's core.
 */

import { noiseMark } from "./noise.ts";
import { NoiseMeter } from "./noise-meter.ts";
import { pinned, SUBJECT_CORE } from "./processes.ts";
import type { Headline, Section } from "./section.ts";

const HEADLINE = "whole loop";

export const microSection: Section = {
  name: "micro",
  title: "Stages of the media loop, ns",
  needs: {},
  seconds: () => 15,
  async measure({ say, progress }) {
    progress("stages");
    const meter = new NoiseMeter();
    const child = Bun.spawn(pinned(SUBJECT_CORE, [process.execPath, `${import.meta.dirname}/micro-stages.ts`]), {
      stdout: "pipe",
      stderr: "inherit",
    });
    const text = await new Response(child.stdout).text();
    if ((await child.exited) !== 0) throw new Error("the measuring process failed");
    const usage = child.resourceUsage();
    const noise = meter.end(Number(usage?.cpuTime.total ?? 0) / 1e6);
    const stages = JSON.parse(text) as Record<string, number>;
    for (const [name, ns] of Object.entries(stages)) say(`  ${ns.toFixed(0).padStart(7)}  ${name}`);
    const mark = noiseMark(noise);
    if (mark !== "") say(mark.trimStart().padStart(9));
    const whole = Object.entries(stages).find(([name]) => name.startsWith(HEADLINE))?.[1];
    const headlines: Record<string, Headline> =
      whole === undefined ? {} : { wholeLoop: { value: whole, unit: "ns", better: "lower" } };
    return { stages, noise, headlines };
  },
};
