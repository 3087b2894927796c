import { describe, expect, test } from "bun:test";
import { createHash, createHmac, pbkdf2Sync } from "node:crypto";
import { Accounts } from "./accounts.ts";
import { mechanisms, Sasl, type SaslAnswer, type SaslContext } from "./sasl.ts";
import type { ScramHash } from "./scram.ts";

const accounts = new Accounts(
  [{ user: "focus", domain: "auth.meet.test", password: "pencil", admin: true }],
  (size) => Buffer.alloc(size, 7),
  8,
);
const BINDING = { type: "tls-exporter", data: new Uint8Array([1, 2, 3]) } as const;
const context = (changes: Partial<SaslContext> = {}): SaslContext => ({
  domain: "auth.meet.test",
  secure: true,
  anonymous: false,
  accounts,
  bindings: [BINDING],
  nonce: () => "servernonce",
  mayDerive: () => true,
  ...changes,
});
const base64 = (text: string): string => Buffer.from(text).toString("base64");

/** A client's whole SCRAM exchange; gives the server's last answer. */
function scram(sasl: Sasl, mechanism: string, password: string, gs2 = "n,,", binding = "", user = "focus"): SaslAnswer {
  const hash: ScramHash = mechanism.includes("256") ? "sha256" : "sha1";
  const bare = `n=${user},r=clientnonce`;
  const challenge = sasl.auth(mechanism, base64(gs2 + bare));
  if (challenge.type !== "challenge") return challenge;
  const serverFirst = Buffer.from(challenge.data, "base64").toString();
  const [, nonce = "", salt = "", iterations = ""] = /^r=(.*),s=(.*),i=(.*)$/.exec(serverFirst) ?? [];
  const without = `c=${base64(gs2 + binding)},r=${nonce}`;
  const salted = pbkdf2Sync(password, Buffer.from(salt, "base64"), Number(iterations), hash === "sha1" ? 20 : 32, hash);
  const clientKey = createHmac(hash, salted).update("Client Key").digest();
  const signature = createHmac(hash, createHash(hash).update(clientKey).digest())
    .update(`${bare},${serverFirst},${without}`)
    .digest();
  const proof = Buffer.from(clientKey.map((byte, at) => byte ^ (signature[at] ?? 0))).toString("base64");
  return sasl.response(base64(`${without},p=${proof}`));
}
const failure = (condition: string): unknown => ({ type: "failure", condition });

describe("what is offered", () => {
  const cases: readonly (readonly [string, Partial<SaslContext>, string[]])[] = [
    [
      "accounts under TLS with binding",
      {},
      ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"],
    ],
    ["accounts behind a proxy's TLS", { bindings: [] }, ["SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"]],
    ["accounts in clear", { secure: false }, ["SCRAM-SHA-256", "SCRAM-SHA-1"]],
    ["guests", { domain: "meet.test", anonymous: true }, ["ANONYMOUS"]],
    ["nobody", { domain: "meet.test" }, []],
  ];
  for (const [what, changes, expected] of cases)
    test(what, () => expect(mechanisms(context(changes))).toEqual(expected));
});

describe("SCRAM", () => {
  for (const mechanism of ["SCRAM-SHA-1", "SCRAM-SHA-256"]) {
    test(`${mechanism}: right and wrong password, unknown user alike until the end`, () => {
      expect(scram(new Sasl(context()), mechanism, "pencil")).toMatchObject({
        type: "success",
        account: { user: "focus", admin: true },
      });
      expect(scram(new Sasl(context()), mechanism, "pen")).toEqual(failure("not-authorized") as SaslAnswer);
      expect(scram(new Sasl(context()), mechanism, "pencil", "n,,", "", "nobody")).toEqual(
        failure("not-authorized") as SaslAnswer,
      );
      const ask = (user: string): string =>
        (new Sasl(context()).auth(mechanism, base64(`n,,n=${user},r=x`)) as { data: string }).data;
      expect(ask("nobody")).toBe(ask("nobody"));
      expect(Buffer.from(ask("nobody"), "base64").toString()).toMatch(/^r=xservernonce,s=.{24},i=8$/);
    });
    test(`${mechanism}-PLUS: bound to the channel`, () => {
      expect(
        scram(new Sasl(context()), `${mechanism}-PLUS`, "pencil", "p=tls-exporter,,", "\x01\x02\x03"),
      ).toMatchObject({ type: "success" });
      expect(scram(new Sasl(context()), `${mechanism}-PLUS`, "pencil", "p=tls-exporter,,", "\x01\x02\x04")).toEqual(
        failure("not-authorized") as SaslAnswer,
      );
      expect(scram(new Sasl(context()), `${mechanism}-PLUS`, "pencil", "p=tls-unique,,", "x")).toEqual(
        failure("malformed-request") as SaslAnswer,
      );
      expect(scram(new Sasl(context()), `${mechanism}-PLUS`, "pencil")).toEqual(
        failure("malformed-request") as SaslAnswer,
      );
      expect(scram(new Sasl(context()), mechanism, "pencil", "p=tls-exporter,,", "\x01\x02\x03")).toEqual(
        failure("malformed-request") as SaslAnswer,
      );
    });
  }
  test("a client that thinks we cannot bind has been lied to", () => {
    expect(scram(new Sasl(context()), "SCRAM-SHA-1", "pencil", "y,,")).toEqual(failure("not-authorized") as SaslAnswer);
    expect(scram(new Sasl(context({ bindings: [] })), "SCRAM-SHA-1", "pencil", "y,,")).toMatchObject({
      type: "success",
    });
  });
  test("acting for oneself only; the name's case does not matter", () => {
    expect(scram(new Sasl(context()), "SCRAM-SHA-1", "pencil", "n,a=focus@auth.meet.test,")).toMatchObject({
      type: "success",
    });
    expect(scram(new Sasl(context()), "SCRAM-SHA-1", "pencil", "n,a=jvb@auth.meet.test,")).toEqual(
      failure("invalid-authzid") as SaslAnswer,
    );
    expect(scram(new Sasl(context()), "SCRAM-SHA-1", "pencil", "n,,", "", "FOCUS")).toMatchObject({ type: "success" });
  });
  test("a challenge is answered once", () => {
    const sasl = new Sasl(context());
    sasl.auth("SCRAM-SHA-1", base64("n,,n=focus,r=x"));
    expect(sasl.response(base64("c=biws,r=xservernonce,p=AAAA"))).toEqual(failure("not-authorized") as SaslAnswer);
    expect(sasl.response(base64("c=biws,r=xservernonce,p=AAAA"))).toEqual(failure("malformed-request") as SaslAnswer);
  });
  test("without an initial response, which then comes as an answer", () => {
    const sasl = new Sasl(context());
    expect(sasl.auth("SCRAM-SHA-1", "")).toEqual({ type: "challenge", data: "" });
    expect(sasl.response(base64("n,,n=focus,r=x")).type).toBe("challenge");
  });
});

describe("PLAIN", () => {
  const plain = (payload: string, changes: Partial<SaslContext> = {}): SaslAnswer =>
    new Sasl(context(changes)).auth("PLAIN", payload);
  test("right, wrong, in clear, broken", () => {
    expect(plain(base64("\0focus\0pencil"))).toMatchObject({
      type: "success",
      data: undefined,
      account: { user: "focus" },
    });
    expect(plain(base64("focus@auth.meet.test\0focus\0pencil"))).toMatchObject({ type: "success" });
    for (const wrong of ["\0focus\0pen", "\0nobody\0pencil"])
      expect(plain(base64(wrong))).toEqual(failure("not-authorized") as SaslAnswer);
    expect(plain(base64("\0focus\0pencil"), { secure: false })).toEqual(failure("invalid-mechanism") as SaslAnswer);
    for (const broken of ["focus\0pencil", "\0\0pencil", "\0focus\0", "a\0b\0c\0d"])
      expect(plain(base64(broken))).toEqual(failure("malformed-request") as SaslAnswer);
    for (const broken of ["x", "====", "AAA", "A A=", Buffer.from([0, 0xff, 0]).toString("base64"), "A".repeat(9_000)])
      expect(plain(broken)).toEqual(failure("incorrect-encoding") as SaslAnswer);
    expect(plain("=")).toEqual(failure("malformed-request") as SaslAnswer);
  });
});

test("mechanisms that are not offered", () => {
  for (const mechanism of [undefined, "", "EXTERNAL", "DIGEST-MD5", "ANONYMOUS", "scram-sha-1"])
    expect(new Sasl(context()).auth(mechanism, "")).toEqual(failure("invalid-mechanism") as SaslAnswer);
});
