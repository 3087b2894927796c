/**
 * Shell: the bridge's private HTTP (bridge.md 1.13): health, version, statistics, metrics, drain, shutdown, XMPP servers, colibri2 as JSON, state dumps.
 */
import { Elysia } from "elysia";
import { monotonicNow, wallNow } from "../clock.ts";
import type { ListenAddress } from "../config.ts";
import type { Bridge } from "./bridge.ts";
import { conferenceModifiedJson, readConferenceModifyJson } from "./colibri2-json.ts";
import { debugConference, debugEndpoint, debugState, snapshot, speakerState } from "./debug.ts";
import { debugFeature } from "./debug-stats.ts";
import { metricsJson, metricsText } from "./metrics-report.ts";
import { readMucClient, readMucClientId } from "./muc-client-json.ts";
import { mediaStats } from "./stats.ts";

export interface BridgeHttp {
  readonly port: number;
  stop(): Promise<void>;
}

const MAX_BODY_BYTES = 1024 * 1024;
const OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8";

const plain = (status: number, body = ""): Response => new Response(body, { status });
const json = (value: unknown): Response => Response.json(value);

/** `done` carries out what the bridge answered with; it is called after everything that may have changed something. */
export async function startBridgeHttp(listen: ListenAddress, bridge: Bridge, done: () => void): Promise<BridgeHttp> {
  const modify = (body: unknown, meetingId: string | undefined, create: boolean): Response => {
    const request = readConferenceModifyJson(body, meetingId);
    if (request === undefined) return plain(400);
    const outcome = bridge.modify(monotonicNow(), create ? { ...request, create: true } : request);
    done();
    if (!("error" in outcome)) return json(conferenceModifiedJson(outcome.modified));
    return plain(outcome.error.condition === "item-not-found" && !bridge.hasMeeting(request.meetingId) ? 404 : 400);
  };

  const setDrain = (drain: boolean): Response => {
    bridge.setDrain(monotonicNow(), wallNow(), drain);
    done();
    return plain(200);
  };

  const app = new Elysia({ serve: { maxRequestBodySize: MAX_BODY_BYTES, reusePort: false } }) // Elysia shares ports unless told not to
    .onError(({ code }) => plain(code === "NOT_FOUND" ? 404 : code === "INTERNAL_SERVER_ERROR" ? 500 : 400))
    .get("/about/health", () => {
      const fault = bridge.health();
      return fault === undefined ? plain(200) : plain(500, fault);
    })
    .get("/about/version", () => {
      const { version, os } = bridge.context.settings;
      return json({ name: "JVB", version, os });
    })
    .get("/colibri/stats", () => json({ ...Object.fromEntries(bridge.stats(wallNow())), ...mediaStats(bridge.rates) }))
    .get("/colibri/drain", () => json({ drain: bridge.drain }))
    .post("/colibri/drain/enable", () => setDrain(true))
    .post("/colibri/drain/disable", () => setDrain(false))
    .post("/colibri/shutdown", ({ body }) => {
      const graceful = (body as Readonly<Record<string, unknown>> | null)?.["graceful-shutdown"];
      if (typeof graceful !== "boolean") return plain(500);
      bridge.beginShutdown(monotonicNow(), wallNow(), graceful);
      done();
      return plain(200);
    })
    .get("/colibri/muc-client/list", () => json(bridge.mucClientIds))
    .post("/colibri/muc-client/add", ({ body }) => {
      const request = readMucClient(body);
      const added = request !== undefined && bridge.addMucClient(request);
      done();
      return plain(added ? 200 : 400);
    })
    .post("/colibri/muc-client/remove", ({ body }) => {
      const id = readMucClientId(body);
      const removed = id !== undefined && bridge.removeMucClient(id);
      done();
      return plain(removed ? 200 : 400);
    })
    .get("/colibri/v2/conferences", () => plain(501))
    .get("/colibri/v2/conferences/:meeting", () => plain(501))
    .post("/colibri/v2/conferences", ({ body }) => modify(body, undefined, true))
    .patch("/colibri/v2/conferences/:meeting", ({ body, params }) => modify(body, params.meeting, false))
    .get("/colibri/v2/conferences/:meeting/dominant-speaker-identification", ({ params }) => {
      const conference = bridge.meeting(params.meeting);
      return conference === undefined ? plain(404) : json(speakerState(conference));
    })
    .get("/debug", ({ query }) => json(debugState(bridge, wallNow(), query["full"] === "true")))
    .get("/debug/stats/jvb/:name", ({ params }) => {
      const stats = bridge.debugStats.of(params.name, bridge.rates.latest);
      return stats === undefined ? plain(404) : json(stats);
    })
    .get("/debug/stats/:name", ({ params }) => {
      const location = `/debug/stats/jvb/${encodeURIComponent(params.name)}`; // where it was before
      return new Response(null, { status: 302, headers: { location } });
    })
    .get("/debug/features/jvb/:feature", ({ params }) => {
      const on = debugFeature(params.feature);
      return on === undefined ? plain(404) : plain(200, String(on));
    })
    .get("/debug/:conference", ({ params }) => {
      const conference = bridge.conferenceById(params.conference);
      return conference === undefined ? plain(404) : json(debugConference(conference, true));
    })
    .get("/debug/:conference/:endpoint", ({ params }) => {
      const endpoint = bridge.conferenceById(params.conference)?.endpoints.get(params.endpoint);
      return endpoint === undefined ? plain(404) : json(debugEndpoint(endpoint));
    })
    .get("/stats", () => json({ conferences: snapshot(bridge) }))
    .get("/metrics", ({ headers }) => {
      const accept = headers["accept"] ?? "";
      if (accept.includes("application/json")) return json(metricsJson(bridge, wallNow()));
      const open = accept === "" || accept.includes("openmetrics") || accept.includes("*/*");
      return new Response(metricsText(bridge, wallNow(), open ? "openmetrics" : "prometheus"), {
        headers: { "content-type": open ? OPEN_METRICS : "text/plain; version=0.0.4; charset=utf-8" },
      });
    });

  app.listen({ hostname: listen.host, port: listen.port });
  return {
    port: app.server?.port ?? listen.port,
    stop: async () => {
      await app.stop(true);
    },
  };
}
