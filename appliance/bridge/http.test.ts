/**
 * The recorded private HTTP of an original bridge (protocol/transcripts/http-jvb-in-call.txt), asked of ours over real sockets.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { useRealTime } from "../../tests/real-time.ts";
import { Metrics } from "../metrics.ts";
import { type BridgeHttp, startBridgeHttp } from "./http.ts";
import { TestBridge } from "./test-bridge.ts";

useRealTime();

const bridge = new TestBridge();
const metrics = new Metrics();
let http: BridgeHttp;
let base = "";

beforeAll(async () => {
  http = await startBridgeHttp({ host: "127.0.0.1", port: 0 }, bridge.bridge, metrics, () => bridge.take());
  base = `http://127.0.0.1:${http.port}`;
});
afterAll(() => http.stop());

interface Exchange {
  readonly method: string;
  readonly path: string;
  readonly request: string;
  readonly status: number;
  readonly response: string;
}

async function recorded(): Promise<Exchange[]> {
  const text = await Bun.file(new URL("./fixtures/http-jvb.txt", import.meta.url)).text();
  return text
    .trim()
    .split(/\n(?=>>> )/)
    .map((part) => {
      const [head = "", ...rest] = part.split("\n");
      const answer = rest.findIndex((line) => line.startsWith("<<< "));
      const [, method = "", url = ""] = head.split(" ");
      return {
        method,
        path: new URL(url).pathname,
        request: rest.slice(0, answer).join("\n"),
        status: Number(rest[answer]?.split(" ")[1]),
        response: rest
          .slice(answer + 1)
          .join("\n")
          .trim(),
      };
    });
}

const OWN_VALUES: readonly string[] = [
  "ufrag",
  "pwd",
  "ssrc",
  "ip",
  "port",
  "id",
  "priority",
  "foundation",
  "fingerprint",
  "os",
  "version",
];

/** The shape of an answer: names and kinds; values where they do not belong to one run. */
function shape(value: unknown, name = ""): unknown {
  if (Array.isArray(value)) return value.map((each) => shape(each, name));
  if (typeof value === "object" && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, shape(each, key)]));
  if (name === "web-sockets") return "url";
  if (OWN_VALUES.includes(name)) return typeof value === "string" && /^\d+$/.test(value) ? "digits" : typeof value;
  return value;
}

test("http-jvb-in-call: colibri2 as JSON and its neighbours", async () => {
  const exchanges = await recorded();
  expect(exchanges.length).toBeGreaterThan(15);
  for (const { method, path, request, status, response } of exchanges) {
    const answer = await fetch(base + path, {
      method,
      ...(method === "GET" ? {} : { body: request, headers: { "content-type": "application/json" } }),
    });
    const body = await answer.text();
    const what = `${method} ${path} ${request.slice(0, 200)}`;
    expect({ what, status: answer.status }).toEqual({ what, status });
    if (response === "" || status !== 200) continue;
    const [own, theirs] = [JSON.parse(body), JSON.parse(response)] as [unknown, unknown];
    if (path === "/colibri/stats") {
      const names = Object.keys(theirs as object);
      expect(Object.keys(own as object).filter((name) => name !== "relay_id")).toEqual(names);
    } else if (path.endsWith("/dominant-speaker-identification")) {
      // The original keeps an endpoint that it refused for its SCTP (bridge.md 1.6); ours never has it.
      const without = JSON.parse(response.replaceAll(',"aabbcce1"', "")) as unknown;
      expect(own).toEqual(without);
    } else if (path === "/colibri/muc-client/list") expect(Array.isArray(own)).toBe(true);
    else expect({ what, body: shape(own) }).toEqual({ what, body: shape(theirs) });
  }
});

test("drain, dumps, metrics, shutdown", async () => {
  const get = async (path: string): Promise<unknown> => (await fetch(base + path)).json();
  await fetch(`${base}/colibri/drain/enable`, { method: "POST" });
  expect(await get("/colibri/drain")).toEqual({ drain: true });
  await fetch(`${base}/colibri/drain/disable`, { method: "POST" });
  expect(await get("/colibri/drain")).toEqual({ drain: false });
  const create = await fetch(`${base}/colibri/v2/conferences`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      "meeting-id": "m1",
      name: "room@muc.meet.test",
      endpoints: [{ id: "aabbccdd", create: true, "stats-id": "Ada", capabilities: ["source-names"], transport: {} }],
    }),
  });
  expect(create.status).toBe(200);
  const [conference] = bridge.bridge.conferences;
  const id = conference?.id ?? "";
  expect(await get("/debug")).toMatchObject({
    shutdown_state: "RUNNING",
    conferences: { [id]: { meeting_id: "m1", endpoints: { aabbccdd: "Ada" } } },
  });
  expect(await get("/debug?full=true")).toMatchObject({
    conferences: { [id]: { endpoints: { aabbccdd: { stats_id: "Ada" } } } },
  });
  expect(await get(`/debug/${id}/aabbccdd`)).toMatchObject({ stats_id: "Ada", transport: "new" });
  expect((await fetch(`${base}/debug/${id}/nosuch`)).status).toBe(404);
  const text = await (await fetch(`${base}/metrics`)).text();
  expect(text).toContain("jitsi_jvb_conferences 1");
  expect(text).toContain("jitsi_jvb_participants_total");
  for (const body of ["", "{}", '{"graceful-shutdown":1}', "not json"]) {
    const answer = await fetch(`${base}/colibri/shutdown`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
    });
    expect(answer.status).toBeGreaterThanOrEqual(400);
  }
  const post = await fetch(`${base}/colibri/shutdown`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: '{"graceful-shutdown":true}',
  });
  expect(post.status).toBe(200);
  expect(await get("/colibri/stats")).toMatchObject({ graceful_shutdown: true, shutting_down: false });
});

test("garbage is answered with an error", async () => {
  const bodies = [
    "[]",
    "null",
    '{"endpoints":{}}',
    '{"meeting-id":1}',
    '{"meeting-id":"x","endpoints":[1]}',
    '{"meeting-id":"x","create":true,"endpoints":[{"id":"a","medias":[{"type":"smell"}]}]}',
    "{".repeat(50_000),
  ];
  for (const body of bodies) {
    const answer = await fetch(`${base}/colibri/v2/conferences`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
    });
    expect({ body: body.slice(0, 60), status: answer.status }).toEqual({ body: body.slice(0, 60), status: 400 });
  }
  expect((await fetch(`${base}/nosuch`)).status).toBe(404);
  expect((await fetch(`${base}/about/health`, { method: "POST" })).status).toBe(404);
});
