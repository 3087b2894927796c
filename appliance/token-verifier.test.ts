import { expect, test } from "bun:test";
import { createHmac, createSign, generateKeyPairSync } from "node:crypto";
import type { TokenRules } from "./jwt.ts";
import type { EpochMillis, Millis } from "./time.ts";
import { TokenVerifier, type Verdict } from "./token-verifier.ts";

const WALL = Date.UTC(2026, 7, 21) as EpochMillis;
const CLAIMS = { iss: "app", exp: WALL / 1000 + 600, room: "standup" };
const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const PEM = publicKey.export({ type: "spki", format: "pem" }).toString();
const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
const hs256 = (claims: unknown): string => {
  const signed = `${part({ alg: "HS256" })}.${part(claims)}`;
  return `${signed}.${createHmac("sha256", "s3cret").update(signed).digest("base64url")}`;
};
const rs256 = (kid: string | undefined): string => {
  const signed = `${part({ alg: "RS256", kid })}.${part(CLAIMS)}`;
  return `${signed}.${createSign("RSA-SHA256").update(signed).sign(privateKey).toString("base64url")}`;
};

class Bed {
  readonly fetches: string[] = [];
  readonly later: Verdict[] = [];
  readonly verifier: TokenVerifier;
  constructor(rules: Partial<TokenRules>) {
    this.verifier = new TokenVerifier({ appId: "app", allowEmpty: false, ...rules }, (url) => this.fetches.push(url));
  }
  verify(token: string, now = 0): Verdict | undefined {
    return this.verifier.verify(now as Millis, WALL, token, (_now, verdict) => this.later.push(verdict));
  }
  fetched(url: string, body: string | undefined, now = 0): void {
    this.verifier.fetched(now as Millis, WALL, url, body);
  }
}

test("a shared secret decides at once", () => {
  const bed = new Bed({ secret: "s3cret" });
  expect(bed.verify(hs256(CLAIMS))).toEqual({ ok: true, claims: CLAIMS });
  expect(bed.verify(hs256({ ...CLAIMS, exp: WALL / 1000 - 60 }))).toMatchObject({ ok: false, text: "token expired" });
  expect(bed.verify(`${hs256(CLAIMS)}x`)).toMatchObject({ ok: false });
  expect(bed.verify("no token")).toMatchObject({ ok: false, text: "token is malformed" });
  expect(bed.verify(rs256("a"))).toMatchObject({ ok: false, text: "token algorithm is not accepted" });
});

test("a key by id is fetched once for all who wait, and kept an hour", () => {
  const bed = new Bed({ keyServer: "https://keys.test" });
  expect([bed.verify(rs256("a")), bed.verify(rs256("a"))]).toEqual([undefined, undefined]);
  expect(bed.fetches).toHaveLength(1);
  const [url = ""] = bed.fetches;
  bed.fetched(url, PEM);
  expect(bed.later.map((each) => each.ok)).toEqual([true, true]);
  expect(bed.verify(rs256("a"), 59 * 60_000)?.ok).toBe(true);
  expect(bed.verify(rs256("a"), 61 * 60_000)).toBeUndefined();
  expect(bed.fetches).toHaveLength(2);
  expect(bed.verify(rs256(undefined))).toMatchObject({ ok: false, text: "token names no key" });
  expect(bed.verify(hs256(CLAIMS))).toMatchObject({ ok: false });
});

test("a key that cannot be had is not asked for again for a minute", () => {
  const bed = new Bed({ keyServer: "https://keys.test" });
  bed.verify(rs256("a"));
  bed.fetched(bed.fetches[0] ?? "", undefined);
  expect(bed.later).toMatchObject([{ ok: false, text: "token key could not be obtained" }]);
  expect(bed.verify(rs256("a"), 59_000)).toMatchObject({ ok: false });
  expect(bed.verify(rs256("a"), 61_000)).toBeUndefined();
});

test("tokens that wait for keys are bounded", () => {
  const bed = new Bed({ keyServer: "https://keys.test" });
  for (let index = 0; index < 1_000; index++) bed.verify(rs256("a"));
  expect(bed.verify(rs256("a"))).toMatchObject({ ok: false, busy: true });
  bed.fetched(bed.fetches[0] ?? "", PEM);
  expect(bed.later).toHaveLength(1_000);
});
