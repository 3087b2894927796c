import { expect, test } from "bun:test";
import { useRealTime } from "../../tests/real-time.ts";
import { watchedCommand } from "./watched-command.ts";

useRealTime();

const run = (script: string, silenceMs: number, graceMs = 60_000) => {
  const said: string[] = [];
  const ended = watchedCommand(["/bin/sh", "-c", script], {
    cwd: "/",
    env: { PATH: process.env["PATH"] },
    onText: (text, stream) => said.push(`${stream}: ${text}`),
    silenceMs,
    graceMs,
  });
  return { ended, said };
};

test("what it says comes as it is said, and its exit code", async () => {
  const { ended, said } = run("echo one; echo two >&2; exit 3", 60_000);
  const { text, code, hungAfter } = await ended;
  expect({ code, hungAfter, lines: text.trim().split("\n").sort() }).toEqual({
    code: 3,
    hungAfter: undefined,
    lines: ["one", "two"],
  });
  expect(said.sort()).toEqual(["stderr: two\n", "stdout: one\n"]);
});

test("one that falls silent is ended with all it started, and one knows after which word", async () => {
  // The child holds the pipes: only its end ends the command's output.
  const { ended } = run("sleep 1000 & echo first; echo last; wait", 300);
  const { code, hungAfter } = await ended;
  expect(hungAfter).toBe("last");
  expect(code).not.toBe(0);
});

test("one that does not want to end is ended all the same", async () => {
  const { ended } = run("trap '' TERM; echo deaf; while :; do sleep 1000; done", 300, 100);
  expect((await ended).hungAfter).toBe("deaf");
});

test("what it started in a session of its own, as browsers are, ends with it", async () => {
  const { ended } = run("setsid sleep 1000 & echo away; wait", 300);
  expect((await ended).hungAfter).toBe("away");
});
