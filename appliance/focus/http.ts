/**
 * Shell: the focus's HTTP server (8888): health, version, conference request, statistics, debug, administration. signaling.md 2.2, 5.8.
 */
import { Elysia } from "elysia";
import type { ListenAddress } from "../config.ts";
import type { Millis } from "../time.ts";
import { administration } from "./administration.ts";
import { bearerToken } from "./bearer.ts";
import { type ConferenceRequest, type HttpAnswer, readConferenceJson } from "./conference-request.ts";
import type { Focus, FocusInput } from "./focus.ts";
import { metricsJson, metricsText } from "./metrics-report.ts";
import { debugReport, describeConference, statsReport } from "./report.ts";

export interface HttpBackend {
  readonly focus: Focus;
  /** `token`: of the `Authorization` header. */
  conferenceRequest(request: ConferenceRequest, token: string | undefined): Promise<HttpAnswer>;
  handle(input: FocusInput): void;
  now(): Millis;
  /** Of the process. */
  threads(): number;
}

/** Bytes of a request's body. */
const MAX_BODY = 64 * 1024;
const OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8";

const text = (status: number, body: string): Response =>
  new Response(body, { status, headers: { "Content-Type": "text/plain; charset=utf-8" } });
const json = (value: unknown, status = 200): Response => Response.json(value, { status });
const empty = (status: number): Response => new Response(null, { status });

/** The body as JSON, whatever its content type says; undefined when it is none. */
async function readJson(request: Request): Promise<unknown> {
  try {
    const body = await request.text();
    return body.length > MAX_BODY ? undefined : JSON.parse(body);
  } catch {
    return undefined; // answered with 400
  }
}

export async function startHttp(
  address: ListenAddress,
  backend: HttpBackend,
): Promise<{ readonly port: number; stop(): Promise<void> }> {
  const { focus } = backend;
  const admin = administration(focus, backend.handle);
  const app = new Elysia({ serve: { maxRequestBodySize: MAX_BODY, reusePort: false } }) // Elysia shares ports unless told not to
    .onError(({ code }) => empty(code === "NOT_FOUND" ? 404 : 400))
    .onParse(() => null) // bodies are read by readJson
    .onBeforeHandle(({ path, headers }) => (administrative(path) && fromPage(headers) ? empty(403) : undefined))
    .get("/about/health", () => {
      // As the original: without a bridge nobody meets, however well the focus is.
      const without = focus.bridges.operational(backend.now()) === 0 ? "no operational bridges" : undefined;
      const fault = focus.health() ?? without;
      return fault === undefined ? text(200, "OK") : text(503, fault);
    })
    .get("/about/version", () => json({ name: "Parley focus", version: focus.settings.version, os: "Linux" }))
    .get("/conference-request/v1", () => empty(405))
    .options(
      "/conference-request/v1",
      () =>
        new Response(null, {
          headers: {
            "Access-Control-Allow-Origin": "*",
            "Access-Control-Allow-Methods": "POST, OPTIONS",
            "Access-Control-Allow-Headers": "Content-Type, Authorization",
          },
        }),
    )
    .post("/conference-request/v1", async ({ request }) => {
      // What is said to be something else is not looked into, as recorded.
      const says = request.headers.get("content-type") ?? "application/json";
      const asked = /\bjson\b/i.test(says) ? readConferenceJson(await readJson(request)) : undefined;
      const answer: HttpAnswer =
        asked === undefined
          ? { status: 400, body: "Error: 400 bad-request: not a JSON object", json: false }
          : await backend.conferenceRequest(asked, bearerToken(request.headers.get("authorization")));
      return new Response(answer.body, {
        status: answer.status,
        headers: {
          "Content-Type": answer.json ? "application/json" : "text/plain; charset=utf-8",
          "Access-Control-Allow-Origin": "*",
        },
      });
    })
    .get("/stats", () => json(statsReport(focus, backend.now(), backend.threads())))
    .get("/metrics", ({ headers }) => {
      const accept = headers["accept"] ?? "";
      if (accept.includes("application/json")) return json(metricsJson(focus, backend.now(), backend.threads()));
      const open = accept === "" || accept.includes("openmetrics") || accept.includes("*/*");
      return new Response(metricsText(focus, backend.now(), backend.threads(), open), {
        headers: { "Content-Type": open ? OPEN_METRICS : "text/plain; version=0.0.4; charset=utf-8" },
      });
    })
    .get("/debug", ({ query }) => json(debugReport(focus, backend.now(), query["full"] === "true")))
    .get("/debug/conferences", () => json([...focus.conferences.keys()]))
    .get("/debug/conferences-full", () => {
      const now = backend.now();
      return json(
        Object.fromEntries([...focus.conferences].map(([room, each]) => [room, describeConference(each, now)])),
      );
    })
    .get("/debug/conference/:jid", ({ params }) => {
      const conference = focus.conferences.get(params.jid) ?? focus.conferences.get(safeDecode(params.jid));
      return conference === undefined ? empty(404) : json(describeConference(conference, backend.now()));
    })
    .get("/debug/xmpp-caps", () =>
      json(
        Object.fromEntries(
          [...focus.context.caps.entries()].map(([key, features]) => [
            key,
            { count: focus.context.caps.uses(key), features: [...features] },
          ]),
        ),
      ),
    )
    .get("/rtcstats", () => {
      const now = backend.now();
      const conferences = [...focus.conferences.values()].filter((each) => each.options.rtcstats);
      return json(
        Object.fromEntries(conferences.map((each) => [each.bridges.meetingId, describeConference(each, now)])),
      );
    })
    .get("/move-endpoints/move-endpoint", ({ query }) => reply(admin.moveEndpoint(backend.now(), query)))
    .get("/move-endpoints/move-endpoints", ({ query }) => reply(admin.moveEndpoints(backend.now(), query)))
    .get("/move-endpoints/move-fraction", ({ query }) => reply(admin.moveFraction(backend.now(), query)))
    .get("/pin", () => json(admin.pins(backend.now())))
    .post("/pin", async ({ request }) => reply(admin.pin(backend.now(), await readJson(request))))
    .post("/pin/remove", async ({ request }) => reply(admin.unpin(await readJson(request))))
    .get("/drain", () => json({ drain: focus.draining }))
    .post("/drain/enable", () => {
      backend.handle({ kind: "drain", on: true });
      return empty(200);
    })
    .post("/drain/disable", () => {
      backend.handle({ kind: "drain", on: false });
      return empty(200);
    });
  app.listen({ hostname: address.host, port: address.port });
  const port = app.server?.port;
  if (port === undefined) throw new Error(`cannot listen on ${address.host}:${address.port}`);
  return {
    port,
    async stop() {
      await app.stop(true);
    },
  };
}

const administrative = (path: string): boolean => /^\/(drain|pin|move-endpoints)(\/|$)/.test(path);

/** Sent by a browser for some page: a page that somebody on this machine has open must not administer the focus on the loopback. */
const fromPage = (headers: Readonly<Record<string, string | undefined>>): boolean =>
  headers["origin"] !== undefined || !["none", undefined].includes(headers["sec-fetch-site"]);

const reply = (answer: { readonly status: number; readonly body: unknown }): Response =>
  typeof answer.body === "string" ? text(answer.status, answer.body) : json(answer.body, answer.status);

function safeDecode(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value; // not percent-encoded: then it is the name itself, or nobody's
  }
}
