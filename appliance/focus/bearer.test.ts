/** Tokens of HTTP conference requests: whom they let open a conference, and which. */
import { expect, test } from "bun:test";
import { createHmac, createSign, generateKeyPairSync } from "node:crypto";
import type { XmppTokens } from "../config.ts";
import type { EpochMillis } from "../time.ts";
import { bearerToken } from "./bearer.ts";
import type { HttpAnswer } from "./conference-request.ts";
import { SimulatedWorld, testConfig } from "./simulated-world.ts";

const wallNow = Date.UTC(2026, 7, 21) as EpochMillis;
const ROOM = "standup@muc.meet.test";
const CLAIMS = { iss: "app", exp: wallNow / 1000 + 600, room: "standup" };
const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const PEM = publicKey.export({ type: "spki", format: "pem" }).toString();
const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
const token = (claims: unknown): string => {
  const signed = `${part({ alg: "HS256" })}.${part(claims)}`;
  return `${signed}.${createHmac("sha256", "s3cret").update(signed).digest("base64url")}`;
};

const world = (rules: Partial<XmppTokens> = { secret: "s3cret" }, kind: "jwt" | "xmpp" = "jwt", verifyTenant = false) =>
  new SimulatedWorld(
    testConfig({
      options: {
        authentication: {
          kind,
          loginDomain: "meet.test",
          ...(kind === "jwt" ? { tokens: { rules: { appId: "app", allowEmpty: true, ...rules }, verifyTenant } } : {}),
        },
      },
    }),
  ).start();

let requests = 0;
function ask(focus: SimulatedWorld, bearer: string | undefined, room = ROOM): HttpAnswer | undefined {
  const request = { room, machineUid: "m", sessionId: undefined, properties: new Map<string, string>() };
  focus.input({
    kind: "http-conference-request",
    token: ++requests,
    request,
    bearer: bearer === undefined ? undefined : { token: bearer, wallNow },
  });
  return focus.http.get(requests);
}

test("a good token opens its room; whoever comes later needs none", () => {
  const focus = world();
  expect(ask(focus, undefined)?.status).toBe(403);
  const answer = ask(focus, token(CLAIMS));
  expect(answer?.status).toBe(200);
  expect(JSON.parse(answer?.body ?? "")).toMatchObject({
    ready: true,
    properties: { authentication: "true", externalAuth: "true" },
  });
  expect(ask(focus, undefined)?.status).toBe(200);
});

test.each([
  ["of another room", { ...CLAIMS, room: "dinner" }],
  ["without a room", { ...CLAIMS, room: undefined }],
  ["of another issuer", { ...CLAIMS, iss: "other" }],
  ["that has expired", { ...CLAIMS, exp: wallNow / 1000 - 60 }],
])("a token %s opens nothing", (_what, claims) => {
  expect(ask(world(), token(claims))?.status).toBe(403);
});

test("a forged one opens nothing, and none does where people log in with accounts", () => {
  expect(ask(world(), `${token(CLAIMS).slice(0, -3)}xyz`)?.status).toBe(403);
  expect(ask(world(), "nonsense")?.status).toBe(403);
  expect(ask(world({}, "xmpp"), token(CLAIMS))?.status).toBe(403);
});

test("with tenants the subject must be the room's", () => {
  const focus = world({ secret: "s3cret" }, "jwt", true);
  const acme = token({ ...CLAIMS, sub: "acme" });
  expect(ask(focus, acme)?.status).toBe(403);
  expect(ask(focus, acme, "[acme]standup@muc.meet.test")?.status).toBe(200);
  expect(ask(focus, token({ ...CLAIMS, sub: "meet.test" }))?.status).toBe(200);
});

test("a key by id is fetched first; the request waits, and fails when there is none", () => {
  const signed = `${part({ alg: "RS256", kid: "k" })}.${part(CLAIMS)}`;
  const rs256 = `${signed}.${createSign("RSA-SHA256").update(signed).sign(privateKey).toString("base64url")}`;
  for (const [body, status] of [
    [PEM, 200],
    [undefined, 403],
  ] as const) {
    const focus = world({ keyServer: "https://keys.test" });
    expect(ask(focus, rs256)).toBeUndefined();
    const waiting = requests;
    const [url = ""] = focus.fetches;
    expect(url).toStartWith("https://keys.test/");
    focus.input({ kind: "fetched", url, body, wallNow });
    expect(focus.http.get(waiting)?.status).toBe(status);
  }
});

test.each([
  ["Bearer abc", "abc"],
  ["bearer  abc", "abc"],
  ["abc", "abc"],
  ["Bearer ", undefined],
  ["", undefined],
  [null, undefined],
])("the header %p", (header, expected) => {
  expect(bearerToken(header)).toBe(expected as string);
});
