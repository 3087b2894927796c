import { describe, expect, test } from "bun:test";
import { Net, type Peer, Stranger } from "../../tests/xmpp-servers.ts";
import { seconds } from "../time.ts";
import { NS } from "../wire/namespaces.ts";
import { attr, type Element, parse } from "../wire/xml.ts";

describe("two servers", () => {
  test("dialback: a message there and one back, senders named and marked as remote", () => {
    const net = new Net();
    const a = net.add("a.test");
    const b = net.add("b.test");
    const ana = a.guest();
    const ben = b.guest();
    ana.say(
      `<message xmlns="jabber:client" to="${ben.jid}" type="chat"><body>hello <x xmlns="urn:x"/></body></message>`,
    );
    expect(ben.heard.at(-1)).toContain(`from="${ana.jid}"`);
    expect(parse(ben.heard.at(-1) ?? "")?.getNS()).toBe(NS.client);
    ben.say(`<message xmlns="jabber:client" to="${ana.jid}" type="chat"><body>and back</body></message>`);
    expect(ana.heard.at(-1)).toContain("and back");
    ana.say(`<presence xmlns="jabber:client" to="standup@rooms.b.test/ana"/>`);
    expect(b.got.at(-1)?.sender).toMatchObject({ kind: "remote", admin: false });
    expect(a.metrics.exposition() + b.metrics.exposition()).not.toContain("s2s-");
  });

  test("EXTERNAL where certificates are good, and no dialback where they are required", () => {
    const net = new Net();
    const rules = { domains: [], certificatesRequired: true };
    const a = net.add("a.test", rules);
    const b = net.add("b.test", rules);
    const ana = a.guest();
    const ben = b.guest();
    ana.say(`<message xmlns="jabber:client" to="${ben.jid}" id="1" type="chat"><body>x</body></message>`);
    expect(ana.heard.at(-1)).toContain("remote-server");
    a.certificate = ["a.test", "*.a.test"];
    b.certificate = ["b.test"];
    ana.say(`<message xmlns="jabber:client" to="${ben.jid}" type="chat"><body>proven</body></message>`);
    expect(ben.heard.at(-1)).toContain("proven");
  });

  test("stanzas keep their order while the stream is being proven, and the stream closes after ten silent minutes", () => {
    const net = new Net();
    const a = net.add("a.test");
    const b = net.add("b.test");
    const ana = a.guest();
    for (let i = 0; i < 20; i++)
      ana.say(`<message xmlns="jabber:client" to="x@rooms.b.test" id="${i}"><body>x</body></message>`);
    expect(b.got.map(({ stanza }) => attr(stanza, "id"))).toEqual(Array.from({ length: 20 }, (_, i) => String(i)));
    net.advance(seconds(55)); // its own connection is asked whether it lives
    ana.say(`<iq xmlns="jabber:client" type="get" id="p" to="a.test"><ping xmlns="${NS.ping}"/></iq>`);
    net.advance(seconds(700));
    const again = a.guest();
    again.say(`<message xmlns="jabber:client" to="x@rooms.b.test" id="again"><body>x</body></message>`);
    expect(attr(b.got.at(-1)?.stanza ?? (parse("<x/>") as Element), "id")).toBe("again");
  });

  test("a server that is not there, one that is not allowed, and our own services", () => {
    const net = new Net();
    const a = net.add("a.test", { domains: ["b.test", "rooms.b.test", "gone.test"], certificatesRequired: false });
    const b = net.add("b.test");
    const ana = a.guest();
    ana.say(`<message xmlns="jabber:client" to="x@gone.test" id="1"><body>x</body></message>`);
    expect(ana.heard.at(-1)).toContain("remote-server-not-found");
    ana.say(`<message xmlns="jabber:client" to="x@c.test" id="2"><body>x</body></message>`);
    expect(ana.heard.at(-1)).toContain("not-allowed");
    const ben = b.guest();
    for (const to of ["focus.a.test", "focus@auth.a.test", "brewery@internal-muc.a.test"]) {
      ben.say(`<iq xmlns="jabber:client" type="get" id="3" to="${to}"><ping xmlns="${NS.ping}"/></iq>`);
      expect(ben.heard.at(-1)).toContain("remote-server-not-found");
    }
  });
});

describe("hostile servers", () => {
  const attack = (act: (stranger: Stranger, net: Net) => void): { stranger: Stranger; a: Peer; net: Net } => {
    const net = new Net();
    const a = net.add("a.test");
    const stranger = new Stranger(net, a);
    act(stranger, net);
    return { stranger, a, net };
  };
  const STANZA = `<message from='x@evil.test' to='y@rooms.a.test'><body>x</body></message>`;
  const cases: readonly (readonly [string, (stranger: Stranger) => void, string])[] = [
    ["no XML", (s) => s.say("\u0001"), "not-well-formed"],
    ["a DOCTYPE", (s) => s.say("<!DOCTYPE x>"), "restricted-xml"],
    [
      "a client's stream",
      (s) => s.say(`<stream:stream xmlns='jabber:client' xmlns:stream='${NS.stream}' to='a.test' version='1.0'>`),
      "invalid-namespace",
    ],
    ["a domain that is not ours", (s) => s.open("evil.test", "b.test"), "host-unknown"],
    ["our inner services", (s) => s.open("evil.test", "auth.a.test"), "host-unknown"],
    ["a stanza without TLS", (s) => [s.open(), s.say(STANZA)], "policy-violation"],
    [
      "dialback without TLS",
      (s) => [s.open(), s.say(`<db:result from='evil.test' to='a.test'>k</db:result>`)],
      "policy-violation",
    ],
    ["a stanza without proof", (s) => [s.secure(), s.say(STANZA)], "not-authorized"],
    [
      "EXTERNAL twice",
      (s) => [
        s.secure(["evil.test"]),
        s.say(`<auth xmlns="${NS.sasl}" mechanism="EXTERNAL">=</auth>`),
        s.open(),
        s.say(`<auth xmlns="${NS.sasl}" mechanism="EXTERNAL">=</auth>`),
      ],
      "not-authorized",
    ],
    [
      "a sender of another domain",
      (s) => [
        s.secure(["evil.test"]),
        s.say(`<auth xmlns="${NS.sasl}" mechanism="EXTERNAL">=</auth>`),
        s.open(),
        s.say(STANZA.replace("x@evil.test", "x@bank.test")),
      ],
      "invalid-from",
    ],
    [
      "a sender of ours",
      (s) => [
        s.secure(["evil.test"]),
        s.say(`<auth xmlns="${NS.sasl}" mechanism="EXTERNAL">=</auth>`),
        s.open(),
        s.say(STANZA.replace("x@evil.test", "focus@auth.a.test")),
      ],
      "invalid-from",
    ],
    ["no addresses", (s) => [s.secure(), s.say("<message/>")], "improper-addressing"],
    ["a stanza too large", (s) => [s.secure(), s.say(`<message><body>${"x".repeat(270_000)}`)], "policy-violation"],
    ["something else", (s) => [s.secure(), s.say("<foo xmlns='urn:foo'/>")], "unsupported-stanza-type"],
  ];
  for (const [what, act, condition] of cases)
    test(`${what}: ${condition}`, () => {
      const { stranger, a } = attack(act);
      expect(stranger.condition()).toBe(condition);
      expect(a.got).toEqual([]);
    });

  test("EXTERNAL for a name that the certificate does not bear", () => {
    const { stranger } = attack((s) => {
      s.secure(["evil.test"]);
      s.say(`<auth xmlns="${NS.sasl}" mechanism="EXTERNAL">${Buffer.from("bank.test").toString("base64")}</auth>`);
    });
    expect(stranger.elements.at(-1)?.getChild("not-authorized")).toBeDefined();
  });
  test("a dialback key is asked of the real server, which denies it", () => {
    const net = new Net();
    const a = net.add("a.test");
    net.add("bank.test");
    const stranger = new Stranger(net, a);
    stranger.secure();
    stranger.say(`<db:result from='bank.test' to='a.test'>made-up</db:result>`);
    expect(
      attr(stranger.elements.find((each) => each.name === "db:result") ?? (parse("<x/>") as Element), "type"),
    ).toBe("invalid");
    expect(stranger.condition()).toBe("not-authorized");
  });
  test("dialback for our own names, or for a name nobody answers for", () => {
    const { stranger } = attack((s) => {
      s.secure();
      for (const from of ["a.test", "rooms.a.test", "nobody.test"])
        s.say(`<db:result from='${from}' to='a.test'>k</db:result>`);
    });
    expect(stranger.elements.filter((each) => each.name === "db:result").map((each) => attr(each, "type"))).toEqual([
      "error",
      "error",
      "error",
    ]);
    stranger.say(STANZA);
    expect(stranger.condition()).toBe("not-authorized");
  });
  test("our keys are for one stream and one pair: a guess, another stream's, another receiver's are invalid", () => {
    const { stranger } = attack((s) => s.secure());
    for (const key of ["", "x", "0".repeat(64)])
      stranger.say(`<db:verify from='evil.test' to='a.test' id='1'>${key}</db:verify>`);
    expect(stranger.elements.filter((each) => each.name === "db:verify").map((each) => attr(each, "type"))).toEqual([
      "invalid",
      "invalid",
      "invalid",
    ]);
  });
  test("more pairs than one stream may prove, more streams than one address may open, and silence", () => {
    const { stranger, a, net } = attack((s) => {
      s.secure();
      for (let i = 0; i < 40; i++) s.say(`<db:result from='n${i}.test' to='a.test'>k</db:result>`);
    });
    expect(stranger.condition()).toBeUndefined();
    const crowd = Array.from({ length: 25 }, () => new Stranger(net, a));
    expect(crowd.filter((each) => each.condition() === "resource-constraint")).toHaveLength(6);
    net.advance(seconds(31));
    expect(stranger.condition()).toBe("connection-timeout");
  });
});
