import { describe, expect, test } from "bun:test";
import { conditionOf, DialogueServer, type Participant, TEST_DOMAINS } from "../../tests/xmpp-dialogue.ts";
import { seededRandom } from "../simulated-network.ts";
import { seconds } from "../time.ts";
import { NS } from "../wire/namespaces.ts";
import { attr } from "../wire/xml.ts";
import { createMucHosts } from "./muc/hosts.ts";

/*
 * What strangers may try on TCP and WebSocket: the condition that RFC 6120 names, bounded memory, and everybody else served meanwhile.
 * BOSH: bosh.test.ts; between servers: federation.test.ts; broken XML in all its forms: xml-parser.test.ts.
 */

const PING = `<ping xmlns="${NS.ping}"/>`;

/** Somebody else, who must not notice. */
function bystander(box: DialogueServer): () => void {
  const ben = box.guest();
  return () => expect(attr(ben.ask("get", "meet.test", PING), "type")).toBe("result");
}

function overTls(box: DialogueServer, domain: string = TEST_DOMAINS.auth): Participant {
  const peer = box.tcp();
  peer.startTls(domain);
  return peer;
}

describe("TCP", () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ["no XML", "GET / HTTP/1.1\r\n\r\n", "not-well-formed"],
    [
      "a DOCTYPE with entities",
      `<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;">]>`,
      "restricted-xml",
    ],
    ["a comment", "<!-- x -->", "restricted-xml"],
    ["a processing instruction", "<?php x ?>", "restricted-xml"],
    ["another root", "<html xmlns='http://www.w3.org/1999/xhtml'>", "bad-format"],
    [
      "another namespace of streams",
      "<stream:stream xmlns='jabber:client' xmlns:stream='urn:x' to='meet.test' version='1.0'>",
      "invalid-namespace",
    ],
    [
      "another prefix",
      `<s:stream xmlns='jabber:client' xmlns:s='${NS.stream}' to='meet.test' version='1.0'>`,
      "bad-namespace-prefix",
    ],
    [
      "another content namespace",
      `<stream:stream xmlns='jabber:server' xmlns:stream='${NS.stream}' to='meet.test' version='1.0'>`,
      "invalid-namespace",
    ],
    [
      "no version",
      `<stream:stream xmlns='jabber:client' xmlns:stream='${NS.stream}' to='meet.test'>`,
      "unsupported-version",
    ],
    ["no domain", `<stream:stream xmlns='jabber:client' xmlns:stream='${NS.stream}' version='1.0'>`, "host-unknown"],
    [
      "a domain of others",
      `<stream:stream xmlns='jabber:client' xmlns:stream='${NS.stream}' to='elsewhere.test' version='1.0'>`,
      "host-unknown",
    ],
    ["a header without end", `<stream:stream a='${"x".repeat(70_000)}`, "policy-violation"],
  ];
  for (const [what, source, condition] of cases)
    test(`${what}: ${condition}`, () => {
      const box = new DialogueServer();
      const others = bystander(box);
      const peer = box.tcp();
      peer.raw(source);
      peer.expectStreamError(condition);
      expect(peer.written.join("")).toEndWith("</stream:stream>");
      others();
    });

  test("bytes that are no UTF-8", () => {
    const box = new DialogueServer();
    const first = box.tcp();
    box.feed({ type: "bytes", link: first.link, bytes: new Uint8Array([0x3c, 0xff, 0xfe]) });
    first.expectStreamError("unsupported-encoding");
    const later = overTls(box);
    later.loginPlain("plain", "secret", TEST_DOMAINS.auth);
    later.bind();
    box.feed({
      type: "bytes",
      link: later.link,
      bytes: new Uint8Array([...new TextEncoder().encode("<message><body>"), 0xc0, 0xaf]),
    });
    later.expectStreamError("not-well-formed");
  });

  test("before TLS nothing but TLS: SASL is refused, a stanza ends the stream", () => {
    const box = new DialogueServer();
    const peer = box.tcp();
    peer.open(TEST_DOMAINS.auth);
    expect(peer.expect("stream:features").toString()).not.toContain("mechanism");
    peer.raw(`<auth xmlns="${NS.sasl}" mechanism="PLAIN">AHBsYWluAHNlY3JldA==</auth>`);
    expect(peer.expect("failure").getChild("encryption-required")).toBeDefined();
    peer.raw(`<iq type='get' id='x'>${PING}</iq>`);
    peer.expectStreamError("not-authorized");
  });

  test("what is slipped in behind <starttls/> in clear is not worked on", () => {
    const box = new DialogueServer();
    const peer = box.tcp();
    peer.open(TEST_DOMAINS.auth);
    peer.raw(`<starttls xmlns="${NS.tls}"/><auth xmlns="${NS.sasl}" mechanism="PLAIN">AHBsYWluAHNlY3JldA==</auth>`);
    expect(peer.closed?.abrupt).toBe(true);
    expect(box.counted("clear-text-after-starttls")).toBe(1);
  });

  test("a stanza of a service may have 256 KiB, a byte more ends the stream", () => {
    const box = new DialogueServer();
    const focus = box.service("focus");
    const fits = `<message to='meet.test' type='headline'><body>${"x".repeat(250_000)}</body></message>`;
    focus.raw(fits);
    expect(focus.closed).toBeUndefined();
    focus.raw(`<message to='meet.test'><body>${"x".repeat(262_144)}</body></message>`);
    focus.expectStreamError("policy-violation");
  });

  test("a message that never ends is cut off at the bound, however small its pieces", () => {
    const box = new DialogueServer();
    const focus = box.service("focus");
    focus.raw("<message><body>");
    let sent = 0;
    while (focus.closed === undefined && sent < 600_000) {
      focus.raw("y".repeat(1_000));
      sent += 1_000;
    }
    expect(sent).toBeLessThan(264_000);
  });
});

test("over HTTP from the network in clear no password is asked in clear", () => {
  const box = new DialogueServer();
  const offered = (insecure: boolean): string => {
    const peer = box.websocket({}, { insecure });
    peer.open(TEST_DOMAINS.hidden);
    return peer.expect("stream:features").toString();
  };
  expect(offered(false)).toContain("PLAIN");
  expect(offered(true)).not.toContain("PLAIN");
  expect(offered(true)).toContain("SCRAM-SHA-256");
});

describe("order", () => {
  const later = (participant: Participant, source: string, condition: string): void => {
    participant.raw(source);
    participant.expectStreamError(condition);
  };
  test("a stanza before login and before binding", () => {
    const box = new DialogueServer();
    const first = overTls(box);
    first.open(TEST_DOMAINS.auth);
    later(first, `<message to='meet.test'/>`, "not-authorized");
    const second = overTls(box);
    second.loginPlain("plain", "secret", TEST_DOMAINS.auth);
    later(second, `<presence/>`, "not-authorized");
    const third = box.websocket();
    third.open();
    later(third, `<message xmlns="jabber:client" to="meet.test"/>`, "not-authorized");
  });
  test("SASL out of order: a response to nothing, an abort, a login on top of a login, too many failures", () => {
    const box = new DialogueServer();
    const peer = overTls(box);
    peer.open(TEST_DOMAINS.auth);
    peer.expect("stream:features");
    peer.raw(`<response xmlns="${NS.sasl}">AAAA</response>`);
    expect(peer.expect("failure").getChild("malformed-request")).toBeDefined();
    peer.raw(`<abort xmlns="${NS.sasl}"/>`);
    expect(peer.expect("failure").getChild("aborted")).toBeDefined();
    peer.raw(`<auth xmlns="${NS.sasl}" mechanism="PLAIN">!!!</auth>`);
    expect(peer.expect("failure").getChild("incorrect-encoding")).toBeDefined();
    peer.raw(`<auth xmlns="${NS.sasl}" mechanism="PLAIN">${Buffer.from("\0plain\0wrong").toString("base64")}</auth>`);
    expect(peer.expect("failure").getChild("not-authorized")).toBeDefined();
    peer.raw(
      `<auth xmlns="${NS.sasl}" mechanism="PLAIN">${Buffer.from("jvb@auth.meet.test\0plain\0secret").toString("base64")}</auth>`,
    );
    expect(peer.expect("failure").getChild("invalid-authzid")).toBeDefined();
    peer.expectStreamError("policy-violation");
    const again = overTls(box);
    again.loginPlain("plain", "secret", TEST_DOMAINS.auth);
    later(again, `<auth xmlns="${NS.sasl}" mechanism="PLAIN">AHBsYWluAHNlY3JldA==</auth>`, "policy-violation");
  });
  test("a second header, and an element where a header must be", () => {
    const box = new DialogueServer();
    const ana = box.guest();
    later(ana, `<open xmlns="${NS.framing}" to="meet.test" version="1.0"/>`, "unsupported-stanza-type");
    const early = box.websocket();
    later(early, `<iq xmlns="jabber:client" type="get" id="1">${PING}</iq>`, "invalid-namespace");
  });
  test("logging in on one domain and going on as another", () => {
    const box = new DialogueServer();
    const peer = box.websocket();
    peer.open();
    peer.raw(`<auth xmlns="${NS.sasl}" mechanism="ANONYMOUS"/>`);
    peer.open(TEST_DOMAINS.auth);
    peer.expectStreamError("not-authorized");
  });
  test("binding twice is refused and leaves the session as it was", () => {
    const box = new DialogueServer();
    const ana = box.guest();
    expect(conditionOf(ana.ask("set", undefined, `<bind xmlns="${NS.bind}"><resource>other</resource></bind>`))).toBe(
      "not-allowed",
    );
    expect(attr(ana.ask("get", "meet.test", PING), "to")).toBe(ana.jid);
    expect(box.core.sessionCount).toBe(1);
  });
  test("the same resource again ends the older session at once", () => {
    const box = new DialogueServer();
    const first = box.service("jvb");
    const second = box.service("jvb", { presence: false });
    first.expectStreamError("conflict");
    expect(second.jid).toBe(first.jid);
    expect(box.core.sessionCount).toBe(1);
  });
});

describe("addresses", () => {
  test("a forged from is overwritten, whoever it names", () => {
    const box = new DialogueServer();
    const ana = box.guest();
    const ben = box.guest();
    ben.send("<presence/>");
    ben.expect("presence");
    for (const from of ["focus@auth.meet.test/focus", "meet.test", "muc.meet.test", ben.jid, "@", "x".repeat(5_000)]) {
      ana.send(`<message from="${from}" to="${ben.jid}" type="chat"><body>x</body></message>`);
      expect(attr(ben.expect("message"), "from")).toBe(ana.jid);
    }
  });
  test("guests do not reach service accounts, nor the brewery, and cannot answer for the focus", () => {
    const box = new DialogueServer({ hosts: (environment) => createMucHosts({ ...environment }) });
    const focus = box.service("focus");
    const ana = box.guest();
    expect(conditionOf(ana.ask("get", "focus@auth.meet.test/focus", PING))).toBe("service-unavailable");
    ana.send(`<message to="focus@auth.meet.test/focus"><body>x</body></message>`);
    ana.send(`<presence to="focus@auth.meet.test/focus"/>`);
    ana.send(`<presence to="jvbbrewery@internal-muc.meet.test/x"><x xmlns="${NS.muc}"/></presence>`);
    ana.expect(
      "presence",
      (each) => attr(each, "type") === "error" && attr(each, "from")?.startsWith("jvbbrewery") === true,
    );
    focus.expectNothing();
    const ben = box.guest();
    ana.send(`<iq type="result" id="c7" to="focus.meet.test/${ben.jid}"/>`);
    ben.expectNothing();
  });
  test("addresses that are none", () => {
    const box = new DialogueServer();
    const ana = box.guest();
    for (const to of ["", "@meet.test", "a b@meet.test", "/x", "x@", `${"a".repeat(1_100)}@meet.test`])
      expect(conditionOf(ana.ask("get", to, PING))).toBe("jid-malformed");
    ana.send(`<iq type="result" id="x" to="@"/>`);
    ana.send(`<presence type="error" to="@"/>`);
    expect(attr(ana.ask("get", "meet.test", PING), "type")).toBe("result");
  });
  test("IQs that are none", () => {
    const box = new DialogueServer();
    const ana = box.guest();
    for (const source of [
      `<iq type="get" to="meet.test">${PING}</iq>`,
      `<iq type="get" id="1" to="meet.test"/>`,
      `<iq type="get" id="1" to="meet.test">${PING}${PING}</iq>`,
      `<iq id="1" to="meet.test">${PING}</iq>`,
      `<iq type="fetch" id="1" to="meet.test">${PING}</iq>`,
    ]) {
      ana.send(source);
      expect(conditionOf(ana.expect("iq"))).toBe("bad-request");
    }
    // Errors and results are never answered, or two servers would talk for ever.
    for (const type of ["result", "error"]) ana.send(`<iq type="${type}" id="1" to="nobody@meet.test/x"/>`);
    ana.send(`<message type="error" to="nobody@meet.test/x"/>`);
    ana.expectNothing();
  });
});

describe("XEP-0198", () => {
  const bad = (source: string, condition: string): void => {
    const ana = new DialogueServer().guest();
    ana.raw(source);
    ana.expectStreamError(condition);
  };
  test("counters out of range", () => {
    bad(`<a xmlns="${NS.sm}" h="1"/>`, "undefined-condition");
    bad(`<a xmlns="${NS.sm}" h="4294967295"/>`, "undefined-condition");
    for (const h of ["-1", "x", "4294967296", "", "1e9"]) bad(`<a xmlns="${NS.sm}" h="${h}"/>`, "policy-violation");
    bad(`<a xmlns="${NS.sm}"/>`, "policy-violation");
  });
  test("the id stays the same through several resumptions, and counters go on", () => {
    const box = new DialogueServer();
    let ana = box.guest();
    const id = ana.resumptionId;
    for (let round = 0; round < 3; round++) {
      ana.drop();
      const again = box.websocket({ previd: id });
      again.loginAnonymously();
      expect(again.resume(ana).attrs).toMatchObject({ previd: id, h: String(round) });
      expect(attr(again.ask("get", "meet.test", PING), "to")).toBe(ana.jid);
      ana = again;
    }
    expect(box.core.sessionCount).toBe(1);
  });
  test("stream management without resumption: no id, and the session ends with its socket", () => {
    const box = new DialogueServer();
    const jvb = box.service("jvb");
    jvb.raw(`<enable xmlns="${NS.sm}"/>`);
    expect(jvb.expect("enabled").attrs).toEqual({ xmlns: NS.sm });
    jvb.drop();
    expect(box.core.sessionCount).toBe(0);
  });
  test("a service is granted 15 s, a guest 60, whoever asks for less gets less", () => {
    const box = new DialogueServer();
    const granted = (participant: Participant, max = ""): string | undefined => {
      participant.raw(`<enable xmlns="${NS.sm}" resume="true"${max}/>`);
      return attr(participant.expect("enabled"), "max");
    };
    expect(granted(box.service("jvb"))).toBe("15");
    expect(granted(box.guest({}, { management: false }))).toBe("60");
    expect(granted(box.guest({}, { management: false }), ` max="10"`)).toBe("10");
  });
  test("resuming with a counter that is too high, or none", () => {
    const box = new DialogueServer();
    const ana = box.guest();
    ana.drop();
    const thief = box.websocket({ previd: ana.resumptionId });
    thief.loginAnonymously();
    thief.raw(`<resume xmlns="${NS.sm}" previd="${ana.resumptionId}" h="x"/>`);
    expect(thief.expect("failed").toString()).toContain("bad-request");
    thief.raw(`<resume xmlns="${NS.sm}" previd="${ana.resumptionId}" h="77"/>`);
    thief.expectStreamError("undefined-condition");
  });
  test("somebody else's resumption id without his login is item-not-found", () => {
    const box = new DialogueServer();
    const focus = box.service("focus", { presence: false });
    focus.enableManagement();
    focus.drop();
    const guest = box.websocket({ previd: focus.resumptionId });
    guest.loginAnonymously();
    guest.raw(`<resume xmlns="${NS.sm}" previd="${focus.resumptionId}" h="0"/>`);
    expect(guest.expect("failed").getChild("item-not-found")).toBeDefined();
    guest.bind();
    expect(guest.jid).not.toContain("focus");
  });
  test("who takes and never acknowledges loses resumption, not the server its memory", () => {
    const box = new DialogueServer();
    const ana = box.guest();
    ana.rawManagement = true;
    const ben = box.service("plain");
    ana.send("<presence/>");
    for (let i = 0; i < 1_100; i++) ben.send(`<message to='${ana.jid}' type='chat'><body>x</body></message>`);
    expect(box.counted("resumption-queue-full")).toBe(1);
    expect(ana.closed).toBeUndefined();
    ana.drop();
    expect(box.core.sessionCount).toBe(1);
  });
  test("a hibernating session that fills up ends", () => {
    const box = new DialogueServer();
    const ana = box.guest();
    ana.send("<presence/>");
    ana.drop();
    const ben = box.service("plain");
    for (let i = 0; i < 1_100; i++) ben.send(`<message to='${ana.jid}' type='chat'><body>x</body></message>`);
    expect(box.core.sessionCount).toBe(1);
  });
});

describe("floods", () => {
  test("more connections than allowed from an address, and over all", () => {
    const box = new DialogueServer({ limits: { connectionsPerAddress: 3, connections: 5 } });
    const first = [1, 2, 3].map(() => box.websocket({}, { remoteAddress: "192.0.2.1" }));
    box.websocket({}, { remoteAddress: "192.0.2.1" }).expectStreamError("resource-constraint");
    for (const address of ["192.0.2.2", "192.0.2.3"])
      expect(box.websocket({}, { remoteAddress: address }).closed).toBeUndefined();
    box.websocket({}, { remoteAddress: "192.0.2.4" }).expectStreamError("resource-constraint");
    first[0]?.drop();
    expect(box.websocket({}, { remoteAddress: "192.0.2.1" }).closed).toBeUndefined();
  });
  test("sessions that hibernate keep their address's place", () => {
    const box = new DialogueServer({ limits: { connectionsPerAddress: 3 } });
    for (let i = 0; i < 3; i++) box.guest({}, { remoteAddress: "192.0.2.1" }).drop();
    box.websocket({}, { remoteAddress: "192.0.2.1" }).expectStreamError("resource-constraint");
    box.advance(seconds(61));
    expect(box.core.sessionCount).toBe(0);
    expect(box.websocket({}, { remoteAddress: "192.0.2.1" }).closed).toBeUndefined();
  });
  test("a connection that says nothing, or never gets to binding, is closed in time", () => {
    const box = new DialogueServer();
    const silent = box.tcp();
    const half = box.websocket();
    half.loginAnonymously();
    box.advance(seconds(31));
    silent.expectStreamError("connection-timeout");
    half.expectStreamError("connection-timeout");
    expect(box.core.connectionCount).toBe(0);
  });
  test("too fast is slowed down, in order; far too fast ends the stream; others are served", () => {
    const box = new DialogueServer({ limits: { stanzasPerSecond: 10, bytesPerSecond: 10_000 } });
    const others = bystander(box);
    const ana = box.guest();
    for (let i = 0; i < 300; i++) ana.send(`<iq type="get" id="f${i}" to="meet.test">${PING}</iq>`);
    const answered = ana.all().length;
    expect(answered).toBeGreaterThan(50);
    expect(answered).toBeLessThan(110);
    others();
    box.advance(seconds(40));
    const rest = ana.all().map((each) => attr(each, "id"));
    expect(rest).toEqual(Array.from({ length: 300 - answered }, (_, i) => `f${i + answered}`));
    const flood = `<message xmlns="jabber:client" to="meet.test"><body>${"x".repeat(30_000)}</body></message>`;
    for (let i = 0; i < 40 && ana.closed === undefined; i++) ana.raw(flood);
    ana.expectStreamError("policy-violation");
    others();
  });
  test("an address that logs in too often is slow for a minute, others and later ones are not", () => {
    const box = new DialogueServer({ limits: { loginsPerSecond: 3 } });
    const crowd = [1, 2, 3, 4].map(() => box.guest({}, { remoteAddress: "192.0.2.1", management: false }));
    const [first] = crowd;
    const other = box.guest({}, { remoteAddress: "192.0.2.2", management: false });
    const answered = (client: Participant | undefined): boolean => {
      client?.all();
      for (let i = 0; i < 10; i++) client?.send(`<iq type="get" id="slow" to="meet.test">${PING}</iq>`);
      return client?.all().length === 10;
    };
    expect(answered(first)).toBe(false);
    expect(answered(other)).toBe(true);
    box.advance(seconds(20)); // it was late, not lost
    expect(first?.all().length).toBeGreaterThan(0);
    box.advance(seconds(60));
    expect(answered(first)).toBe(true);
  });
  test("presence sent everywhere is remembered within a bound", () => {
    const box = new DialogueServer({ limits: { stanzasPerSecond: 1_000_000 } });
    const ana = box.guest();
    for (let i = 0; i < 300; i++) ana.send(`<presence to="x${i}@meet.test/y"/>`);
    expect(box.counted("directed-presence-untracked")).toBe(44);
  });
  test("silent sockets are found out: asked after a minute, gone 30 s later", () => {
    const box = new DialogueServer();
    const ana = box.guest({}, { management: false });
    box.advance(seconds(61));
    expect(ana.expect("iq").getChild("ping")).toBeDefined();
    box.advance(seconds(31));
    expect(ana.closed?.abrupt).toBe(true);
    expect(box.core.sessionCount).toBe(0);
    const managed = box.guest();
    managed.rawManagement = true;
    box.advance(seconds(61));
    managed.expect("r");
    box.advance(seconds(31));
    expect(managed.closed?.abrupt).toBe(true);
    expect(box.core.sessionCount).toBe(1); // hibernating
    box.advance(seconds(61));
    expect(box.core.sessionCount).toBe(0);
  });
  test("whatever the fraction of a millisecond in which the last word came: the minute ends, and is asked about once", () => {
    const random = seededRandom(5);
    for (let round = 0; round < 200; round++) {
      const box = new DialogueServer();
      const ana = box.guest({}, { management: false });
      // The end of the minute is beyond a power of two, where fractions are coarser: the sum of the deadline is rounded.
      box.advance(2 ** 20 - random() * 10_000 * Math.PI - box.now);
      ana.send(`<iq type="result" id="p" to="meet.test"/>`);
      box.advance(seconds(59));
      ana.expectNothing();
      box.advance(seconds(2));
      expect(ana.expect("iq").getChild("ping")).toBeDefined();
    }
  });
});
