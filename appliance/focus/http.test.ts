/**
 * The recorded private HTTP of an original focus (protocol/transcripts/http-jicofo-in-call.txt), asked of ours in the same call of three, over real sockets.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { useRealTime } from "../../tests/real-time.ts";
import { type RecordedExchange, recordedExchanges } from "../../tests/recorded-http.ts";
import type { HttpAnswer } from "./conference-request.ts";
import { startHttp } from "./http.ts";
import { SimulatedWorld } from "./simulated-world.ts";

useRealTime();

const ROOM = "recbridge@muc.meet.test";
const world = new SimulatedWorld();
/** Tokens that came with conference requests. */
const bearers: (string | undefined)[] = [];
let http: Awaited<ReturnType<typeof startHttp>>;
let base = "";

beforeAll(async () => {
  world.start();
  world.ask(ROOM, "bd88dab7-uuid@meet.test/res", {}, { rtcstatsEnabled: "false" });
  for (const nick of ["bd88dab7", "811ee315", "83bf7493"]) world.join(ROOM, nick);
  let tokens = 0;
  http = await startHttp(
    { host: "127.0.0.1", port: 0 },
    {
      focus: world.focus,
      conferenceRequest: (request, bearer): Promise<HttpAnswer> => {
        bearers.push(bearer);
        const token = ++tokens;
        world.input({ kind: "http-conference-request", token, request });
        const answer = world.http.get(token);
        if (answer === undefined) throw new Error("no answer");
        return Promise.resolve(answer);
      },
      handle: (input) => world.input(input),
      now: () => world.now,
      threads: () => 3,
    },
  );
  base = `http://127.0.0.1:${http.port}`;
});
afterAll(() => http.stop());

const recorded = (): RecordedExchange[] => recordedExchanges(new URL("./fixtures/http-jicofo.txt", import.meta.url));

/** Where ours differs on purpose. */
const OWN: Readonly<Record<string, number>> = {
  // Off by default there; ours always tells.
  "GET /about/health": 200,
};
/** Of jicofo's families: what only that focus does. Its load redistribution and rate limit are off by default and not ours. */
const NOT_OURS = ["load_redistributor_endpoints_moved", "bridge_selection_rate_limited", "bridge_endpoints_moved"];
/** Numbers and names of each focus's own. Its smallest conference is always 0, its /stats has a queue for Jingle where ours answers at once. */
const EVEN: Readonly<Record<string, unknown>> = {
  name: "*",
  version: "*",
  threads: "*",
  min: "*",
  queues: "*",
  os: "*",
};

const even = (value: unknown): unknown =>
  typeof value !== "object" || value === null || Array.isArray(value)
    ? value
    : Object.fromEntries(Object.entries(value).map(([key, each]) => [key, EVEN[key] ?? even(each)]));

const families = (text: string): string[] =>
  [...text.matchAll(/^# TYPE jitsi_jicofo_(\S+ \S+)$/gm)].map(([, family = ""]) => family);

test("http-jicofo-in-call: every path has the recorded status, type and content", async () => {
  const exchanges = recorded();
  expect(exchanges.length).toBeGreaterThan(25);
  for (const { method, path, headers, request, status, type, body } of exchanges) {
    const what = `${method} ${path} ${request}`.trim();
    const answer = await fetch(base + path, { method, headers, ...(request === "" ? {} : { body: request }) });
    const text = await answer.text();
    expect({ what, status: answer.status }).toEqual({ what, status: OWN[what] ?? status });
    if (status !== 200 || type === "") continue;
    const kind = (value: string | null): string => (value ?? "").split(";")[0] ?? "";
    expect({ what, type: kind(answer.headers.get("content-type")) }).toEqual({ what, type: kind(type) });
    if (type.startsWith("application/openmetrics")) {
      const ours = new Set(families(text));
      expect(
        families(body).filter((each) => !ours.has(each) && !NOT_OURS.some((name) => each.startsWith(name))),
      ).toEqual([]);
    } else if (body.startsWith("names ")) {
      const ours = JSON.parse(text) as object;
      expect(
        body
          .split(" ")
          .slice(1)
          .filter((name) => !(name in ours)),
      ).toEqual([]);
    } else if (path.startsWith("/debug?") || path === "/debug/xmpp-caps" || body === "")
      expect(JSON.parse(text)).toBeObject();
    else if (path === "/stats") {
      const { jigasi: _, ...theirs } = even(JSON.parse(body)) as Record<string, unknown>;
      expect(even(JSON.parse(text))).toMatchObject(theirs);
    } else if (path === "/debug")
      expect(Object.keys(JSON.parse(text) as object)).toContainValues(Object.keys(JSON.parse(body) as object));
    else expect({ what, body: even(JSON.parse(text)) }).toEqual({ what, body: even(JSON.parse(body)) });
  }
});

/** Jicofo's families that depend on what has happened, and are not in the recording. */
const NOT_RECORDED = /^(endpoint_seconds|jibri_instances_available|visitors_current|jingle_\w+) /;

test("no metric of ours bears the original's prefix without being one of its", async () => {
  const theirs = new Set(
    recorded()
      .filter(({ type }) => type.startsWith("application/openmetrics"))
      .flatMap(({ body }) => families(body)),
  );
  expect(theirs.size).toBeGreaterThan(20);
  const ours = families(await (await fetch(`${base}/metrics`)).text());
  expect(ours.filter((each) => !theirs.has(each) && !NOT_RECORDED.test(each))).toEqual([]);
});

test("/debug names what the original names of each bridge and conference", async () => {
  const theirs = JSON.parse(recorded().find((each) => each.path === "/debug")?.body ?? "{}");
  const ours = await (await fetch(`${base}/debug`)).json();
  const [their] = Object.values(theirs.bridge_selector.bridge) as object[];
  const [our] = Object.values(ours.bridge_selector.bridge) as object[];
  const known = Object.keys(our ?? {}).filter((key) => !key.startsWith("parley_"));
  expect(known.sort()).toEqual(Object.keys(their ?? {}).sort());
  expect(our).toMatchObject({ endpoints: 3, "endpoint-restart-requests": 0, "failing-ice": false, operational: true });
  expect(ours).toMatchObject({
    focus_manager: theirs.focus_manager,
    bridge_selector: { strategy: theirs.bridge_selector.strategy },
    av_moderation: theirs.av_moderation,
    conference_iq_handler: { ...theirs.conference_iq_handler, auth_authority: null },
  });
});

test("the conference's errors over HTTP: status by kind, text for people, the stale session in the words that clients look for", async () => {
  for (const { method, path, headers, request, status } of recorded().filter((each) => each.status === 400)) {
    const answer = await fetch(base + path, { method, headers, body: request });
    expect(answer.status).toBe(status);
    expect(answer.headers.get("content-type")).toStartWith("text/plain");
    expect((await answer.text()).length).toBeGreaterThan(5);
  }
});

test("a token in the header of a conference request goes with it", async () => {
  const post = (headers: Readonly<Record<string, string>>): Promise<Response> =>
    fetch(`${base}/conference-request/v1`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify({ room: ROOM }),
    });
  bearers.length = 0;
  await post({ authorization: "Bearer t.o.k" });
  await post({});
  expect(bearers).toEqual(["t.o.k", undefined]);
});
