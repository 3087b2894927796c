/**
 * The recorded private HTTP of an original bridge (protocol/transcripts/http-jvb-in-call.txt), asked of ours over real sockets.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { useRealTime } from "../../tests/real-time.ts";
import { type RecordedExchange, recordedExchanges } from "../../tests/recorded-http.ts";
import { type BridgeHttp, startBridgeHttp } from "./http.ts";
import { TestBridge } from "./test-bridge.ts";

useRealTime();

const bridge = new TestBridge();
let http: BridgeHttp;
let base = "";

beforeAll(async () => {
  http = await startBridgeHttp({ host: "127.0.0.1", port: 0 }, bridge.bridge, () => bridge.take());
  base = `http://127.0.0.1:${http.port}`;
});
afterAll(() => http.stop());

const recorded = (file: string): RecordedExchange[] =>
  recordedExchanges(new URL(`./fixtures/${file}`, import.meta.url));

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
  const exchanges = recorded("http-jvb.txt");
  expect(exchanges.length).toBeGreaterThan(15);
  for (const { method, path, request, status, body: response } of exchanges) {
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
      expect(Object.keys(own as object).filter((name) => name !== "relay_id" && !name.startsWith("parley_"))).toEqual(
        names,
      );
    } else if (path.endsWith("/dominant-speaker-identification")) {
      // The original keeps an endpoint that it refused for its SCTP (bridge.md 1.6); ours never has it.
      const without = JSON.parse(response.replaceAll(',"aabbcce1"', "")) as unknown;
      expect(own).toEqual(without);
    } else if (path === "/colibri/muc-client/list") expect(Array.isArray(own)).toBe(true);
    else expect({ what, body: shape(own) }).toEqual({ what, body: shape(theirs) });
  }
});

/** Metrics of the original about its runtime and its queues, which ours has not. */
const NOT_OURS =
  /^(jvm_|.*queue|rtp_(sender|receiver)_|startup_time|rejected_data_channels|ice_restarts_(agent|rejected)|mucs_connected|drain$)/;
const familiesOf = (text: string): string[] =>
  [...text.matchAll(/^# TYPE jitsi_jvb_(\S+ \S+)$/gm)].map(([, each = ""]) => each);

test("/stats has the conferences that did not refuse it", async () => {
  const create = (id: string, refused: boolean): Promise<Response> =>
    fetch(`${base}/colibri/v2/conferences`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        "meeting-id": id,
        ...(refused ? { "rtcstats-enabled": false } : {}),
        endpoints: [{ id: "aabbccdd", create: true, capabilities: ["source-names"], transport: {} }],
      }),
    });
  await create("open", false);
  await create("refused", true);
  const { conferences } = (await (await fetch(`${base}/stats`)).json()) as { conferences: Record<string, object> };
  expect([conferences["open"] !== undefined, conferences["refused"]]).toEqual([true, undefined]);
  expect(conferences["open"]).toMatchObject({ endpoints: { aabbccdd: { transport: "new" } } });
});

test("http-jvb-in-call: state, metrics in each format, what is not there", async () => {
  const exchanges = recorded("http-jvb-state.txt");
  expect(exchanges.length).toBe(7);
  for (const { path, headers, status, type, body: response } of exchanges) {
    const answer = await fetch(base + path, { headers });
    const body = await answer.text();
    expect({ path, status: answer.status }).toEqual({ path, status });
    if (status !== 200) continue;
    expect({ path, type: answer.headers.get("content-type")?.split(";")[0] }).toEqual({ path, type });
    if (path === "/metrics" && response.startsWith("# TYPE")) {
      const ours = familiesOf(body);
      const theirs = familiesOf(response).filter((each) => !NOT_OURS.test(each));
      expect(theirs.filter((each) => !ours.includes(each))).toEqual([]);
      expect(body.endsWith("\n# EOF\n")).toBe(true);
    } else if (path === "/metrics") {
      const ours = JSON.parse(body) as object;
      const theirs = response
        .split(" ")
        .slice(1)
        .filter((each) => !NOT_OURS.test(each));
      expect(theirs.filter((each) => !(each in ours))).toEqual([]);
    } else if (path === "/debug") {
      const own = JSON.parse(body) as Record<string, unknown>;
      const theirs = JSON.parse(response) as Record<string, unknown>;
      expect(Object.keys(own)).toEqual(Object.keys(theirs));
      const [conference] = Object.values(theirs["conferences"] as object) as object[];
      const [ours] = Object.values(own["conferences"] as object) as object[];
      expect(Object.keys(ours ?? {}).sort()).toEqual(Object.keys(conference ?? {}).sort());
    } else expect(JSON.parse(body)).toBeObject();
  }
  const plain = await fetch(`${base}/metrics`, { headers: { accept: "text/plain" } });
  expect(plain.headers.get("content-type")).toStartWith("text/plain; version=0.0.4");
  expect(await plain.text()).toContain("# TYPE jitsi_jvb_conferences_created_total counter\n");
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
  const parley = [...bridge.bridge.conferences].find((each) => each.meetingId === "m1");
  const id = parley?.id ?? "";
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
  expect(text).toMatch(/^jitsi_jvb_conferences [1-9]/m);
  expect(text).toContain("jitsi_jvb_endpoints_total");
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

test("debug statistics: what there are figures for, under the original's names; nothing else, and no switches", async () => {
  const get = (path: string, method = "GET"): Promise<Response> =>
    fetch(`${base}/debug/${path}`, { method, redirect: "manual" });
  const names = ["ice", "xmpp-delay", "conference-packet", "queue", "transit", "tossed-packet"];
  for (const name of names) {
    const answer = await get(`stats/jvb/${name}-stats`);
    expect({ name, status: answer.status }).toEqual({ name, status: 200 });
    expect(Object.keys((await answer.json()) as object).length).toBeGreaterThan(0);
  }
  expect((await get("stats/jvb/ICE_STATS")).status).toBe(200);
  for (const name of ["node-stats", "pool-stats", "task-pool-stats", "payload-verification", "nosuch"])
    expect({ name, status: (await get(`stats/jvb/${name}`)).status }).toEqual({ name, status: 404 });
  const former = await get("stats/transit-stats");
  expect([former.status, former.headers.get("location")]).toEqual([302, "/debug/stats/jvb/transit-stats"]);
  expect(await (await get("features/jvb/transit-stats")).text()).toBe("true");
  for (const path of ["jvb/nosuch", "jvb/node-tracing", "endpoint/a/b/pcap-dump", "relay/a/b/pcap-dump"])
    expect({ path, status: (await get(`features/${path}`)).status }).toEqual({ path, status: 404 });
  for (const path of ["jvb/transit-stats/false", "jvb/nosuch/true", "endpoint/a/b/pcap-dump/true"])
    expect({ path, status: (await get(`features/${path}`, "POST")).status }).toEqual({ path, status: 404 });
});

test("muc-client: XMPP servers come and go, with the original's status codes", async () => {
  const post = async (path: string, body: string): Promise<number> =>
    (
      await fetch(`${base}/colibri/muc-client/${path}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body,
      })
    ).status;
  const list = async (): Promise<unknown> => (await fetch(`${base}/colibri/muc-client/list`)).json();
  const client = {
    id: "two",
    hostname: "192.0.2.9",
    username: "jvb",
    password: "p",
    muc_jids: "jvbbrewery@internal.other.test",
    muc_nickname: "box-1",
  };
  const before = (await list()) as string[];
  expect(before).toHaveLength(1);
  expect(await post("add", JSON.stringify(client))).toBe(200);
  expect(await post("add", JSON.stringify(client))).toBe(200);
  expect(await list()).toEqual([...before, "two"]);
  expect(await (await fetch(`${base}/colibri/stats`)).json()).toMatchObject({ muc_clients_configured: 2 });
  for (const body of ["", "{", "[]", '{"id":"three"}', JSON.stringify({ ...client, id: 3 })])
    expect({ body, status: await post("add", body) }).toEqual({ body, status: 400 });
  for (const body of ["", "{", "[]", "{}", '{"id":"three"}'])
    expect({ body, status: await post("remove", body) }).toEqual({ body, status: 400 });
  expect(await post("remove", '{"id":"two"}')).toBe(200);
  expect(await post("remove", '{"id":"two"}')).toBe(400);
  expect(await list()).toEqual(before);
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
