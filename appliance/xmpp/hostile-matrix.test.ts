import { heapStats } from "bun:jsc";
import { describe, expect, test } from "bun:test";
import { type Attacker, type HostileWire, hostileWires } from "../../tests/hostile-wires.ts";
import { NS } from "../wire/namespaces.ts";
import { createMucHosts } from "./muc/hosts.ts";

/*
 * Every wire × every attack: the condition that the specification names, somebody else served before, during and after, the memory bounded. Frames
 * of WebSocket and bytes that a shell decodes: listen-http.test.ts. Guessed sids: below; the rest of BOSH's window: bosh.test.ts.
 */

type Wire = HostileWire["name"];
const ALL: readonly Wire[] = ["TCP", "WebSocket", "BOSH", "servers"];
type Verdicts = Readonly<Record<Wire, string | undefined>>;

const everywhere = (condition: string, but: Partial<Verdicts> = {}): Verdicts => ({
  TCP: condition,
  WebSocket: condition,
  BOSH: condition,
  servers: condition,
  ...but,
});

const message = (wire: HostileWire, attributes = "", body = "x"): string =>
  `<message xmlns="${wire.stanzas}" from="x@evil.test" to="${wire.victim}" type="chat"${attributes}><body>${body}</body></message>`;

interface Attack {
  readonly what: string;
  readonly as: "stranger" | "member";
  readonly act: (attacker: Attacker, wire: HostileWire) => void;
  readonly expected: Verdicts;
  /** Where it costs the connection. */
  readonly ends: readonly Wire[];
}

/** A body is parsed whole, so what is no XML is no body: `bad-request` of XEP-0124 stands for the stream's condition. */
const NO_BODY = { BOSH: "bad-request" };

/** COMPAT transcript ws-raw…: a frame that XMPP forbids is not well-formed, whatever is wrong with it. */
const ONE_FRAME = { WebSocket: "not-well-formed" };

const attacks: readonly Attack[] = [
  {
    what: "XML that is not well-formed",
    as: "member",
    act: (attacker, wire) => attacker.say(`<message xmlns="${wire.stanzas}"><body></message></body>`),
    expected: everywhere("not-well-formed", NO_BODY),
    ends: ALL,
  },
  {
    what: "a stanza that never ends, in small pieces",
    as: "member",
    act: (attacker, wire) => {
      const piece = "y".repeat(2_000);
      if (wire.name === "TCP" || wire.name === "servers") {
        attacker.say(`<message xmlns="${wire.stanzas}"><body>`);
        for (let sent = 0; sent < 600_000 && !attacker.ended(); sent += piece.length) attacker.say(piece);
      } else attacker.say(`<message xmlns="${wire.stanzas}"><body>${piece.repeat(300)}</body></message>`);
    },
    expected: everywhere("policy-violation", NO_BODY),
    ends: ALL,
  },
  {
    what: "nesting without end",
    as: "member",
    act: (attacker, wire) => {
      const deep = 2_000;
      attacker.say(`<message xmlns="${wire.stanzas}">${"<a>".repeat(deep)}${"</a>".repeat(deep)}</message>`);
    },
    expected: everywhere("policy-violation", NO_BODY),
    ends: ALL,
  },
  {
    what: "attributes without end",
    as: "member",
    act: (attacker, wire) => {
      const many = Array.from({ length: 500 }, (_, index) => ` a${index}="x"`).join("");
      attacker.say(message(wire, many));
    },
    expected: everywhere("policy-violation", NO_BODY),
    ends: ALL,
  },
  {
    what: "an entity of one's own",
    as: "member",
    act: (attacker, wire) => attacker.say(message(wire, "", "&lol;")),
    expected: everywhere("restricted-xml", { ...NO_BODY, ...ONE_FRAME }),
    ends: ALL,
  },
  {
    what: "a DOCTYPE",
    as: "member",
    act: (attacker) => attacker.say(`<!DOCTYPE x [<!ENTITY a "aaaa">]>`),
    expected: everywhere("restricted-xml", { ...NO_BODY, ...ONE_FRAME }),
    ends: ALL,
  },
  {
    what: "a comment or processing instruction",
    as: "member",
    act: (attacker, wire) => attacker.say(`<message xmlns="${wire.stanzas}"><!-- x --></message>`),
    expected: everywhere("restricted-xml", { ...NO_BODY, ...ONE_FRAME }),
    ends: ALL,
  },
  {
    what: "bytes that are no UTF-8",
    as: "member",
    act: (attacker, wire) => {
      attacker.say(wire.name === "TCP" || wire.name === "servers" ? `<message xmlns="${wire.stanzas}"><body>` : "");
      attacker.bytes?.(new Uint8Array([0xc0, 0xaf, 0xff]));
    },
    // Of WebSocket and BOSH the shell sees bytes: listen-http.test.ts.
    expected: everywhere("not-well-formed", { WebSocket: undefined, BOSH: undefined }),
    ends: ALL,
  },
  {
    what: "a stanza before login",
    as: "stranger",
    act: (attacker, wire) => attacker.say(message(wire)),
    expected: everywhere("not-authorized"),
    ends: ALL,
  },
  {
    what: "binding before login",
    as: "stranger",
    act: (attacker, wire) =>
      attacker.say(
        `<iq xmlns="${wire.stanzas}" type="set" id="b" from="x@evil.test" to="a.test"><bind xmlns="${NS.bind}"/></iq>`,
      ),
    // Over HTTP a request before login is refused and the stream goes on (transcript ws-raw…).
    expected: everywhere("not-authorized", { WebSocket: "service-unavailable", BOSH: "service-unavailable" }),
    ends: ["TCP", "servers"],
  },
  {
    what: "an element that is no stanza",
    as: "member",
    act: (attacker) => attacker.say(`<foo xmlns="urn:foo"/>`),
    expected: everywhere("unsupported-stanza-type"),
    ends: ALL,
  },
  {
    what: "a SASL response to nothing",
    as: "stranger",
    act: (attacker) => attacker.say(`<response xmlns="${NS.sasl}">AAAA</response>`),
    expected: everywhere("malformed-request", { servers: "not-authorized" }),
    ends: ["servers"],
  },
  {
    what: "a mechanism that is none",
    as: "stranger",
    act: (attacker) => attacker.say(`<auth xmlns="${NS.sasl}" mechanism="GUESS">AAAA</auth>`),
    expected: everywhere("invalid-mechanism"),
    ends: [],
  },
  {
    what: "logins without end",
    as: "stranger",
    act: (attacker) => {
      for (let round = 0; round < 20 && !attacker.ended(); round++) {
        attacker.say(`<auth xmlns="${NS.sasl}" mechanism="GUESS">AAAA</auth>`);
        attacker.verdict();
      }
    },
    expected: everywhere("policy-violation"),
    ends: ALL,
  },
  {
    what: "logging in again after login",
    as: "member",
    act: (attacker) => attacker.say(`<auth xmlns="${NS.sasl}" mechanism="ANONYMOUS"/>`),
    expected: everywhere("unsupported-stanza-type", { servers: "not-authorized" }),
    ends: ALL,
  },
  {
    what: "binding a second time",
    as: "member",
    act: (attacker, wire) =>
      attacker.say(
        `<iq xmlns="${wire.stanzas}" type="set" id="b" from="x@evil.test" to="a.test"><bind xmlns="${NS.bind}"><resource>other</resource></bind></iq>`,
      ),
    // Between servers nobody binds: the answer goes by a stream of its own to a server that is not there.
    expected: everywhere("not-allowed", { servers: undefined }),
    ends: [],
  },
  {
    what: "an acknowledgement of more than was sent",
    as: "member",
    act: (attacker, wire) => {
      if (wire.name !== "BOSH" && wire.name !== "servers") attacker.say(`<enable xmlns="${NS.sm}" resume="true"/>`);
      attacker.say(`<a xmlns="${NS.sm}" h="4294967295"/>`);
    },
    // BOSH has acknowledgements of its own, servers are offered none.
    expected: everywhere("undefined-condition", {
      BOSH: "unsupported-stanza-type",
      servers: "unsupported-stanza-type",
    }),
    ends: ALL,
  },
  {
    what: "a counter that is no number",
    as: "member",
    act: (attacker, wire) => {
      if (wire.name !== "BOSH" && wire.name !== "servers") attacker.say(`<enable xmlns="${NS.sm}" resume="true"/>`);
      attacker.say(`<a xmlns="${NS.sm}" h="-1"/>`);
    },
    expected: everywhere("policy-violation", { BOSH: "unsupported-stanza-type", servers: "unsupported-stanza-type" }),
    ends: ALL,
  },
];

for (const wireOf of hostileWires()) {
  const { name } = wireOf();
  describe(name, () => {
    for (const { what, as, act, expected, ends } of attacks) {
      const condition = expected[name];
      if (condition === undefined) continue;
      test(`${what}: ${condition}`, () => {
        const wire = wireOf();
        wire.bystander();
        const attacker = wire[as]();
        act(attacker, wire);
        expect(attacker.verdict()).toBe(condition);
        expect(attacker.ended()).toBe(ends.includes(name));
        wire.bystander();
        expect(wire.heardByVictim()).toEqual([]);
      });
    }

    test("a forged sender: his own address, or the end of the stream", () => {
      const wire = wireOf();
      const attacker = wire.member();
      for (const from of [wire.victim, "focus@auth.meet.test/focus", "a.test", "meet.test"]) {
        attacker.say(
          `<message xmlns="${wire.stanzas}" from="${from}" to="${wire.victim}" type="chat"><body>x</body></message>`,
        );
      }
      const heard = wire.heardByVictim();
      if (name === "servers") {
        expect(attacker.verdict()).toBe("invalid-from");
        expect(heard).toEqual([]);
      } else expect(heard).toEqual(new Array(4).fill(attacker.address));
      wire.bystander();
    });

    test("40 MB of what is refused leave nothing behind", () => {
      const wire = wireOf();
      const junk = "z".repeat(100_000);
      const held = (): number => {
        Bun.gc(true);
        const { heapSize, extraMemorySize } = heapStats();
        return heapSize + extraMemorySize;
      };
      const attack = (): void => {
        const attacker = wire.member();
        attacker.say(`<message xmlns="${wire.stanzas}"><body>${junk}`);
        for (let i = 0; i < 4 && !attacker.ended(); i++) attacker.say(junk);
        attacker.verdict();
      };
      for (let round = 0; round < 20; round++) attack();
      const before = held();
      for (let round = 0; round < 80; round++) {
        attack();
        if (round % 20 === 0) wire.bystander();
      }
      expect(held() - before).toBeLessThan(8_000_000);
    });
  });
}

describe("one user joins 1,600 rooms", () => {
  for (const wireOf of hostileWires({
    hosts: (environment) => createMucHosts({ ...environment, plain: true }),
    limits: { roomsPerUser: 20 },
  })) {
    const { name } = wireOf();
    if (name === "servers") continue; // strangers from other servers make no rooms: muc/plain.test.ts
    test(name, () => {
      const wire = wireOf();
      const attacker = wire.member();
      for (let room = 0; room < 1_600 && !attacker.ended(); room++) {
        attacker.say(
          `<presence xmlns="${wire.stanzas}" to="r${room}@muc.meet.test/x"><x xmlns="${NS.muc}"/></presence>`,
        );
        if (room % 100 === 0) wire.bystander();
      }
      wire.bystander();
    });
  }
});
