/**
 * The recorded private HTTP of an original focus (protocol/transcripts/http-jicofo-in-call.txt), asked of ours in the same call of three, over real sockets.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { useRealTime } from "../../tests/real-time.ts";
import type { HttpAnswer } from "./conference-request.ts";
import { startHttp } from "./http.ts";
import { SimulatedWorld } from "./simulated-world.ts";

useRealTime();

const ROOM = "recbridge@muc.meet.test";
const world = new SimulatedWorld();
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
      conferenceRequest: (request): Promise<HttpAnswer> => {
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

interface Exchange {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly request: string;
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

const recorded = (): Exchange[] =>
  readFileSync(new URL("./fixtures/http-jicofo.txt", import.meta.url), "utf8")
    .split(/\n(?=>>> )/)
    .slice(1)
    .map((part) => {
      const lines = part.trim().split("\n");
      const [, method = "", url = "", headers = "{}"] =
        /^>>> (\S+) http:\/\/jicofo:8888(\S+) ?(.*)$/.exec(lines[0] ?? "") ?? [];
      const answer = lines.findIndex((line) => line.startsWith("<<< "));
      const [, status = "", said = "{}"] = /^<<< (\d+) (\{.*\}) \(/.exec(lines[answer] ?? "") ?? [];
      return {
        method,
        path: url,
        headers: headers === "" ? {} : JSON.parse(headers),
        request: lines.slice(1, answer).join("\n"),
        status: Number(status),
        type: (JSON.parse(said) as Record<string, string>)["content-type"] ?? "",
        body: lines.slice(answer + 1).join("\n"),
      };
    });

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
