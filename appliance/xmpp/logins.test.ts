import { describe, expect, test } from "bun:test";
import { createHash, createHmac, createSign, generateKeyPairSync } from "node:crypto";
import { DialogueServer, type Participant } from "../../tests/xmpp-dialogue.ts";
import type { TokenRules } from "../jwt.ts";
import { NS } from "../wire/namespaces.ts";
import { attr, type Element } from "../wire/xml.ts";
import type { Host, Sender } from "./host.ts";

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
const NOW = Date.UTC(2026, 7, 21) / 1000;
const CLAIMS = {
  iss: "app",
  aud: "any",
  exp: NOW + 600,
  nbf: NOW - 60,
  room: "standup",
  sub: "meet.test",
  context: { user: { name: "Ana" } },
};
const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const PEM = publicKey.export({ type: "spki", format: "pem" }).toString();

const hs256 = (claims: unknown, secret = "s3cret", header: unknown = { alg: "HS256", typ: "JWT" }): string => {
  const signed = `${part(header)}.${part(claims)}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
};
const rs256 = (claims: unknown, header: unknown = { alg: "RS256", kid: "key-1" }): string => {
  const signed = `${part(header)}.${part(claims)}`;
  return `${signed}.${createSign("RSA-SHA256").update(signed).sign(privateKey).toString("base64url")}`;
};

const RULES: TokenRules = { appId: "app", secret: "s3cret", allowEmpty: false };

/** A host that keeps what it was told of the sender. */
function witness(): { readonly host: Host; readonly senders: Sender[] } {
  const senders: Sender[] = [];
  const handle = (_now: unknown, _stanza: Element, sender: Sender): [] => {
    senders.push(sender);
    return [];
  };
  return { host: { domain: "rooms.meet.test", handle }, senders };
}

function login(box: DialogueServer, query: Record<string, string>, extra: { bearer?: string } = {}): Participant {
  const client = box.websocket(query, extra);
  client.open();
  client.expect("open");
  client.expect("stream:features");
  client.raw(`<auth xmlns="${NS.sasl}" mechanism="ANONYMOUS"/>`);
  return client;
}
const server = (tokens: TokenRules, hosts: readonly Host[] = []): DialogueServer =>
  new DialogueServer({ server: { tokens, hosts } });

describe("HS256", () => {
  const refusals: readonly (readonly [string, string | undefined, string])[] = [
    ["no token", undefined, "token required"],
    ["no token at all", "xyz", "token is malformed"],
    ["a wrong secret", hs256(CLAIMS, "guess"), "token signature is wrong"],
    ["no signature", hs256(CLAIMS, "s3cret", { alg: "none" }), "token is malformed"],
    ["an expired one", hs256({ ...CLAIMS, exp: NOW - 60 }), "token expired"],
    ["one without expiry", hs256({ ...CLAIMS, exp: undefined }), "token has no expiry"],
    ["one for tomorrow", hs256({ ...CLAIMS, nbf: NOW + 60 }), "token is not valid yet"],
    ["another issuer", hs256({ ...CLAIMS, iss: "other" }), "token issuer is not accepted"],
    ["no room", hs256({ ...CLAIMS, room: undefined }), "token names no room"],
    ["RS256 where only a secret is configured", rs256(CLAIMS), "token algorithm is not accepted"],
  ];
  for (const [what, token, text] of refusals)
    test(`${what} is refused with a text that the client shows`, () => {
      const client = login(server(RULES), token === undefined ? {} : { token });
      // Byte for byte what the client's pattern wants (signaling.md 1.4).
      expect(client.written.at(-1)).toMatch(/^<failure[^>]*><not-allowed\/><text>[^<]+<\/text><\/failure>$/);
      expect(client.expect("failure").getChildText("text")).toBe(text);
    });

  test("a good one: in the query, or as bearer; claims reach the hosts, and survive until the end", () => {
    const { host, senders } = witness();
    const box = server(RULES, [host]);
    for (const client of [
      login(box, { token: hs256(CLAIMS), room: "standup" }),
      login(box, { room: "standup" }, { bearer: hs256(CLAIMS) }),
    ]) {
      client.expect("success");
      client.open();
      client.expect("stream:features");
      client.bind();
      client.send(`<presence to="standup@rooms.meet.test/x"/>`);
    }
    expect(senders.map((each) => [each.kind, each.connection?.claims?.["room"], each.connection?.room])).toEqual([
      ["member", "standup", "standup"],
      ["member", "standup", "standup"],
    ]);
  });

  test("audiences", () => {
    const rules = { ...RULES, acceptedAudiences: ["jitsi"] };
    expect(
      login(server(rules), { token: hs256(CLAIMS) })
        .expect("failure")
        .getChildText("text"),
    ).toBe("token audience is not accepted");
    expect(login(server(rules), { token: hs256({ ...CLAIMS, aud: ["x", "jitsi"] }) }).expect("success")).toBeDefined();
  });

  test("empty tokens are guests where that is allowed; a bad one is still refused", () => {
    const { host, senders } = witness();
    const box = server({ ...RULES, allowEmpty: true }, [host]);
    const guest = login(box, {});
    guest.expect("success");
    guest.open();
    guest.expect("stream:features");
    guest.bind();
    guest.send(`<presence to="a@rooms.meet.test/x"/>`);
    expect(senders[0]?.kind).toBe("guest");
    login(box, { token: hs256(CLAIMS, "guess") }).expect("failure");
  });

  test("resuming with a new token keeps the user and takes the new claims; with an expired one it fails", () => {
    const { host, senders } = witness();
    const box = server(RULES, [host]);
    const first = login(box, { token: hs256(CLAIMS) });
    first.expect("success");
    first.open();
    first.expect("stream:features");
    first.bind();
    first.enableManagement();
    first.drop();
    login(box, { token: hs256({ ...CLAIMS, exp: NOW - 60 }), previd: first.resumptionId }).expect("failure");
    const again = login(box, { token: hs256({ ...CLAIMS, room: "other" }), previd: first.resumptionId });
    again.expect("success");
    again.open();
    again.expect("stream:features");
    again.resume(first);
    again.send(`<presence to="a@rooms.meet.test/x"/>`);
    expect(senders.at(-1)?.connection?.claims?.["room"]).toBe("other");
  });
});

describe("RS256 with keys by id", () => {
  const rules: TokenRules = { appId: "app", keyServer: "https://keys.test/", allowEmpty: false };
  const take = (box: DialogueServer): { id: number; url: string } => {
    const action = box.actions.splice(0).find((each) => each.type === "fetch");
    if (action?.type !== "fetch") throw new Error("nothing fetched");
    return action;
  };
  test("the key is fetched once, by the hash of its id; logins wait for it", () => {
    const box = server(rules);
    const ana = login(box, { token: rs256(CLAIMS) });
    const ben = login(box, { token: rs256(CLAIMS) });
    const mallory = login(box, { token: `${rs256(CLAIMS).slice(0, -6)}AAAAAA` });
    ana.expectNothing();
    const { id, url } = take(box);
    expect(url).toBe(`https://keys.test/${createHash("sha256").update("key-1").digest("hex")}.pem`);
    box.feed({ type: "fetched", id, status: 200, body: PEM });
    ana.expect("success");
    ben.expect("success");
    mallory.expect("failure");
    expect(login(box, { token: rs256(CLAIMS) }).expect("success")).toBeDefined();
    expect(box.actions).toEqual([]);
  });
  test("HS256 with the public key as its secret is no way in", () => {
    const box = server(rules);
    const signed = `${part({ alg: "HS256", kid: "key-1" })}.${part(CLAIMS)}`;
    const forged = `${signed}.${createHmac("sha256", PEM).update(signed).digest("base64url")}`;
    expect(login(box, { token: forged }).expect("failure").getChildText("text")).toBe(
      "token algorithm is not accepted",
    );
  });
  for (const [what, status, body] of [
    ["no answer", undefined, ""],
    ["not found", 404, "no"],
    ["what is no key", 200, "-----BEGIN NOTHING-----"],
  ] as const)
    test(`a key server with ${what}: refused, and what is said meanwhile ends the stream`, () => {
      const box = server(rules);
      const ana = login(box, { token: rs256(CLAIMS) });
      const eager = login(box, { token: rs256(CLAIMS) });
      eager.raw(`<auth xmlns="${NS.sasl}" mechanism="ANONYMOUS"/>`);
      eager.expectStreamError("not-authorized");
      const { id } = take(box);
      box.feed({ type: "fetched", id, status, body });
      expect(attr(ana.expect("failure"), "xmlns")).toBe(NS.sasl);
    });
  test("more keys at once than are asked for: refused at once, not after the time for a login", () => {
    const box = server(rules);
    const others = Array.from({ length: 500 }, (_, number) =>
      login(box, { token: rs256(CLAIMS, { alg: "RS256", kid: `other-${number}` }) }),
    );
    const ana = login(box, { token: rs256(CLAIMS) });
    expect(attr(ana.expect("failure"), "xmlns")).toBe(NS.sasl);
    expect(box.counted("too-many-fetches")).toBe(1);
    for (const other of others) other.expectNothing();
  });
  test("a key cache: one JSON object", () => {
    const box = server({ appId: "app", keyCache: "https://keys.test/all", allowEmpty: false });
    const ana = login(box, { token: rs256(CLAIMS) });
    const { id, url } = take(box);
    expect(url).toBe("https://keys.test/all");
    box.feed({ type: "fetched", id, status: 200, body: JSON.stringify({ "key-1": PEM }) });
    ana.expect("success");
    login(box, { token: rs256(CLAIMS, { alg: "RS256", kid: "__proto__" }) }).expect("failure");
  });
});
