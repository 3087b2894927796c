/** The gateway asks its parts over real sockets. */
import { afterAll, expect, test } from "bun:test";
import { createServer } from "node:net";
import { useRealTime } from "../../tests/real-time.ts";
import { HealthProbe } from "./health-probe.ts";
import { probesOf } from "./parts-health.ts";

useRealTime();

const domains = {
  domain: "meet.test",
  auth: "auth.meet.test",
  muc: "muc.meet.test",
  internalMuc: "internal-muc.meet.test",
  focus: "focus.meet.test",
  hidden: "hidden.meet.test",
};
const asked: string[] = [];
let focus = 200;
const parts = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch(request) {
    const { pathname } = new URL(request.url);
    asked.push(`${pathname} ${request.headers.get("host")?.replace(/:.*/, "")}`);
    return pathname === "/about/health" ? new Response("not in the brewery", { status: focus }) : new Response("here");
  },
});
const base = `http://127.0.0.1:${parts.port}`;
/** Takes connections and says nothing. */
const silent = createServer((socket) => socket.on("error", () => {}));
await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
const silentAddress = silent.address();
const silentUrl = `http://127.0.0.1:${typeof silentAddress === "object" ? silentAddress?.port : 0}`;
afterAll(async () => {
  await parts.stop(true);
  silent.close();
});

const probe = (bridges: Readonly<Record<string, string>>, now: () => number) =>
  new HealthProbe(() => probesOf({ xmppHttp: base, focusHttp: base, domains }, bridges), now);

test("however many ask within a second, the parts are asked once; then again", async () => {
  let now = 0;
  asked.length = 0;
  const health = probe({ a: base }, () => now);
  const all = await Promise.all([health.check(), health.check(), health.check()]);
  expect(all.map((each) => each.ok)).toEqual([true, true, true]);
  expect(asked.sort()).toEqual(["/ 127.0.0.1", "/about/health 127.0.0.1", "/xmpp-websocket meet.test"]);
  focus = 503;
  now = 999;
  expect((await health.check()).ok).toBe(true);
  now = 1_000;
  expect(await health.check()).toEqual({ ok: false, faults: ["focus: not in the brewery"] });
  expect(asked).toHaveLength(6);
  focus = 200;
});

test("a part that takes the connection and says nothing is given up", async () => {
  const from = performance.now();
  const verdict = await probe({ deaf: silentUrl, gone: "http://127.0.0.1:1" }, () => from).check();
  expect(verdict).toEqual({ ok: false, faults: ["bridge deaf: does not answer", "bridge gone: does not answer"] });
});
