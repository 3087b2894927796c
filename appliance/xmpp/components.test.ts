import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { conditionOf, DialogueServer, type Participant } from "../../tests/xmpp-dialogue.ts";
import { seconds } from "../time.ts";
import { NS } from "../wire/namespaces.ts";
import { attr } from "../wire/xml.ts";
import { createMucHosts } from "./muc/hosts.ts";

const COMPONENTS = [
  { domain: "jigasi.meet.test", secret: "hush", admin: true },
  { domain: "focus.meet.test", secret: "quiet", admin: true },
];
const box = (): DialogueServer =>
  new DialogueServer({
    server: { components: COMPONENTS },
    hosts: (environment) => createMucHosts({ ...environment }),
  });
const HEADER = (domain: string): string =>
  `<stream:stream xmlns='jabber:component:accept' xmlns:stream='${NS.stream}' to='${domain}'>`;

function connect(server: DialogueServer, domain = "jigasi.meet.test", secret = "hush"): Participant {
  const component = server.tcp("127.0.0.1", "component");
  component.raw(HEADER(domain));
  const id = / id="([^"]+)"/.exec(component.written[0] ?? "")?.[1] ?? "";
  component.raw(`<handshake>${createHash("sha1").update(`${id}${secret}`).digest("hex")}</handshake>`);
  return component;
}

describe("XEP-0114", () => {
  test("handshake, stanzas both ways under the component's namespace", () => {
    const server = box();
    const component = connect(server);
    component.expect("handshake");
    const ana = server.guest();
    ana.send(`<iq type="get" id="1" to="sip@jigasi.meet.test/x"><ping xmlns="${NS.ping}"/></iq>`);
    const asked = component.expect("iq");
    expect([asked.getNS(), attr(asked, "from")]).toEqual([NS.component, ana.jid]);
    component.raw(`<iq type='result' id='1' from='sip@jigasi.meet.test/x' to='${ana.jid}'/>`);
    expect(ana.expect("iq").getNS()).toBe(NS.client);
  });
  test("an administrator's component may make rooms", () => {
    const server = box();
    const component = connect(server);
    component.expect("handshake");
    component.raw(
      `<presence from='a@jigasi.meet.test/x' to='made@muc.meet.test/sip'><x xmlns='${NS.muc}'/></presence>`,
    );
    expect(component.expect("presence").toString()).toContain('code="110"');
  });
  test("while it is away its domain is unavailable; a component named like the focus replaces the proxy", () => {
    const server = box();
    const ana = server.guest();
    expect(conditionOf(ana.ask("get", "jigasi.meet.test", `<ping xmlns="${NS.ping}"/>`))).toBe("service-unavailable");
    const focus = connect(server, "focus.meet.test", "quiet");
    focus.expect("handshake");
    ana.send(
      `<iq type="set" id="c" to="focus.meet.test"><conference xmlns="${NS.focus}" room="a@muc.meet.test"/></iq>`,
    );
    expect(attr(focus.expect("iq"), "from")).toBe(ana.jid);
  });
  test("a newer connection replaces the older", () => {
    const server = box();
    const first = connect(server);
    first.expect("handshake");
    connect(server).expect("handshake");
    first.expectStreamError("conflict");
  });
});

describe("refused", () => {
  const cases: readonly (readonly [string, (server: DialogueServer) => Participant, string])[] = [
    ["a wrong secret", (server) => connect(server, "jigasi.meet.test", "guess"), "not-authorized"],
    ["an unknown domain", (server) => connect(server, "other.meet.test"), "host-unknown"],
    [
      "a client's stream",
      (server) => {
        const peer = server.tcp("127.0.0.1", "component");
        peer.raw(`<stream:stream xmlns='jabber:client' xmlns:stream='${NS.stream}' to='jigasi.meet.test'>`);
        return peer;
      },
      "invalid-namespace",
    ],
    [
      "a stanza before the handshake",
      (server) => {
        const peer = server.tcp("127.0.0.1", "component");
        peer.raw(`${HEADER("jigasi.meet.test")}<message from='jigasi.meet.test' to='meet.test'/>`);
        return peer;
      },
      "not-authorized",
    ],
    [
      "a sender of another domain",
      (server) => {
        const peer = connect(server);
        peer.raw(`<message from='focus@auth.meet.test' to='meet.test'/>`);
        return peer;
      },
      "invalid-from",
    ],
    [
      "silence",
      (server) => {
        const peer = server.tcp("127.0.0.1", "component");
        server.advance(seconds(11));
        return peer;
      },
      "connection-timeout",
    ],
    [
      "no XML",
      (server) => {
        const peer = server.tcp("127.0.0.1", "component");
        peer.raw("\u0000\u0001");
        return peer;
      },
      "not-well-formed",
    ],
  ];
  for (const [what, act, condition] of cases)
    test(`${what}: ${condition}`, () => act(box()).expectStreamError(condition));
});
