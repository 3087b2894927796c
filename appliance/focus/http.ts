/**
 * Shell: the focus's HTTP server (8888): health, version, conference request, statistics, debug, administration. signaling.md 2.2, 5.8.
 */
import { Elysia } from "elysia";
import type { ListenAddress } from "../config.ts";
import type { Millis } from "../time.ts";
import { type ConferenceRequest, type HttpAnswer, readConferenceJson } from "./conference-request.ts";
import type { Focus, FocusInput } from "./focus.ts";

export interface HttpBackend {
  readonly focus: Focus;
  readonly version: string;
  conferenceRequest(request: ConferenceRequest): Promise<HttpAnswer>;
  handle(input: FocusInput): void;
  now(): Millis;
}

/** Bytes of a request's body. */
const MAX_BODY = 64 * 1024;

const text = (status: number, body: string): Response =>
  new Response(body, { status, headers: { "Content-Type": "text/plain; charset=utf-8" } });
const json = (value: unknown, status = 200): Response => Response.json(value, { status });

export async function startHttp(
  address: ListenAddress,
  backend: HttpBackend,
): Promise<{ readonly port: number; stop(): Promise<void> }> {
  const { focus } = backend;
  const app = new Elysia({ serve: { maxRequestBodySize: MAX_BODY } })
    .onError(({ code }) => (code === "NOT_FOUND" ? text(404, "") : text(400, "Error: 400 bad-request")))
    .get("/about/health", () => {
      const fault = focus.health();
      return fault === undefined ? text(200, "OK") : text(503, fault);
    })
    .get("/about/version", () => json({ name: "Parley focus", version: backend.version, os: "Linux" }))
    .options(
      "/conference-request/v1",
      () =>
        new Response(null, {
          status: 200,
          headers: {
            "Access-Control-Allow-Origin": "*",
            "Access-Control-Allow-Methods": "POST, OPTIONS",
            "Access-Control-Allow-Headers": "Content-Type, Authorization",
          },
        }),
    )
    .post("/conference-request/v1", async ({ body }) => {
      const request = readConferenceJson(body);
      const answer: HttpAnswer =
        request === undefined
          ? { status: 400, body: "Error: 400 bad-request: not a JSON object", json: false }
          : await backend.conferenceRequest(request);
      return new Response(answer.body, {
        status: answer.status,
        headers: {
          "Content-Type": answer.json ? "application/json" : "text/plain; charset=utf-8",
          "Access-Control-Allow-Origin": "*",
        },
      });
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
