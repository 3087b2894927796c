/**
 * Shell: the servers that the signalling benchmark measures: ours with plain rooms and with meetings, and Debian's Prosody as a yardstick.
 */
import { existsSync } from "node:fs";
import { Prosody } from "../../../tests/e2e/prosody.ts";
import { type Child, end, Lines, pinned, SUBJECT_CORE, spawn } from "../processes.ts";

export const BENCH_DOMAIN = "meet.test";
export const BENCH_PASSWORD = "bench-password";

export interface Subject {
  readonly name: string;
  readonly pid: number;
  readonly url: string;
  stop(): Promise<void>;
}

export async function ourServer(rooms: "plain" | "meetings"): Promise<Subject> {
  const child: Child = spawn(pinned(SUBJECT_CORE, [process.execPath, `${import.meta.dirname}/our-server.ts`, rooms]));
  const { http } = await new Lines(child.stdout, "our server").next();
  return {
    name: `parley, ${rooms}`,
    pid: child.pid,
    url: `ws://127.0.0.1:${http}/xmpp-websocket`,
    stop: () => end(child),
  };
}

export const prosodyIsHere = (): boolean => existsSync("/usr/bin/prosody") || existsSync("/usr/sbin/prosody");

export async function prosodyServer(): Promise<Subject> {
  const prosody = await Prosody.start({
    domain: BENCH_DOMAIN,
    accounts: [{ user: "focus", password: BENCH_PASSWORD }],
    extra: `admins = { "focus@auth.${BENCH_DOMAIN}" }\nlog = { { levels = { min = "warn" }, to = "console" } }`,
  });
  const { pid } = prosody;
  if (pinned(SUBJECT_CORE, []).length > 0)
    Bun.spawnSync(["taskset", "-a", "-c", "-p", String(SUBJECT_CORE), String(pid)]);
  return {
    name: "Debian's Prosody, plain",
    pid,
    url: `ws://127.0.0.1:${prosody.ports.http}/xmpp-websocket`,
    stop: () => prosody.stop(),
  };
}
