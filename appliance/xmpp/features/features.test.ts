import { describe, expect, test } from "bun:test";
import { createHash, createHmac } from "node:crypto";
import { conditionOf, DialogueServer, type Participant } from "../../../tests/xmpp-dialogue.ts";
import { seconds } from "../../time.ts";
import { NS } from "../../wire/namespaces.ts";
import { attr, child, children, type Element } from "../../wire/xml.ts";
import type { Host } from "../host.ts";
import { capsVersion } from "./disco.ts";

const silent = (domain: string, more: Partial<Host> = {}): Host => ({ domain, handle: () => [], ...more });
const payload = (answer: Element): Element => {
  const first = answer.getChildElements()[0];
  if (attr(answer, "type") !== "result" || first === undefined) throw new Error(String(answer));
  return first;
};

describe("service discovery", () => {
  const hosts = [
    silent("lobby.meet.test", {
      listed: true,
      advertised: [{ category: "component", type: "lobbyrooms", name: "lobby.meet.test" }],
    }),
    silent("metadata.meet.test", {
      advertised: [{ category: "component", type: "room_metadata", name: "metadata.meet.test" }],
    }),
  ];
  const box = new DialogueServer({ server: { hosts } });
  const ana = box.guest();

  test("the main domain shows the components by identity, the auth domain does not", () => {
    const identities = children(
      payload(ana.ask("get", "meet.test", `<query xmlns="${NS.discoInfo}"/>`)),
      "identity",
    ).map((each) => [attr(each, "category"), attr(each, "type"), attr(each, "name")]);
    expect(identities).toContainEqual(["component", "lobbyrooms", "lobby.meet.test"]);
    expect(identities).toContainEqual(["component", "room_metadata", "metadata.meet.test"]);
    expect(identities[0]?.slice(0, 2)).toEqual(["server", "im"]);
    expect(
      children(payload(ana.ask("get", "auth.meet.test", `<query xmlns="${NS.discoInfo}"/>`)), "identity"),
    ).toHaveLength(1);
  });
  test("there is no component for visitors, and who writes to where it would be is told so (signaling.md 5.9)", () => {
    const info = payload(ana.ask("get", "meet.test", `<query xmlns="${NS.discoInfo}"/>`));
    expect(children(info, "identity").map((each) => attr(each, "type"))).not.toContain("visitors");
    const vnode = `<visitors xmlns="jitsi:visitors" room="standup@muc.meet.test"><connect-vnode vnode="v1"/></visitors>`;
    expect(conditionOf(ana.ask("get", "visitors.meet.test", vnode))).toBe("not-allowed"); // as for any domain that is not served
  });
  test("features; items; nodes that are none", () => {
    const features = children(payload(ana.ask("get", "meet.test", `<query xmlns="${NS.discoInfo}"/>`)), "feature").map(
      (each) => attr(each, "var"),
    );
    for (const feature of [NS.discoInfo, NS.discoItems, NS.ping, NS.version, NS.extdisco2, NS.extdisco1])
      expect(features).toContain(feature);
    const items = children(payload(ana.ask("get", "meet.test", `<query xmlns="${NS.discoItems}"/>`)), "item").map(
      (each) => attr(each, "jid"),
    );
    expect(items).toEqual(["focus.meet.test", "lobby.meet.test"]);
    expect(conditionOf(ana.ask("get", "meet.test", `<query xmlns="${NS.discoInfo}" node="x"/>`))).toBe(
      "item-not-found",
    );
  });
  test("the caps of the stream's features are those of the answer", () => {
    const stream = box.websocket();
    stream.open();
    stream.raw(`<auth xmlns="${NS.sasl}" mechanism="ANONYMOUS"/>`);
    stream.open();
    stream.expect("stream:features");
    const caps = child(stream.expect("stream:features"), "c", NS.caps);
    const answer = payload(
      ana.ask(
        "get",
        "meet.test",
        `<query xmlns="${NS.discoInfo}" node="${caps?.attrs["node"]}#${caps?.attrs["ver"]}"/>`,
      ),
    );
    const identities = children(answer, "identity").map((each) => ({
      category: attr(each, "category") ?? "",
      type: attr(each, "type") ?? "",
      name: attr(each, "name") ?? "",
    }));
    expect(
      capsVersion({ identities, features: children(answer, "feature").map((each) => attr(each, "var") ?? "") }),
    ).toBe(attr(caps ?? answer, "ver") ?? "");
  });
  test("XEP-0115 §5.2's example", () => {
    const features = [NS.caps, NS.discoInfo, NS.discoItems, NS.muc];
    expect(capsVersion({ identities: [{ category: "client", type: "pc", name: "Exodus 0.9.1" }], features })).toBe(
      "QgayPKawpkPSDYmwT/WM94uAlu0=",
    );
    expect(createHash("sha1").update("x").digest("base64")).toHaveLength(28);
  });
  test("one's own account, and others'", () => {
    const bare = ana.jid.split("/")[0] ?? "";
    expect(
      attr(
        children(payload(ana.ask("get", bare, `<query xmlns="${NS.discoInfo}"/>`)), "identity")[0] ?? ({} as Element),
        "type",
      ),
    ).toBe("anonymous");
    expect(conditionOf(ana.ask("get", "7c1e22d0@meet.test", `<query xmlns="${NS.discoInfo}"/>`))).toBe(
      "service-unavailable",
    );
  });
});

test("pushed discovery comes before the bind result, and not to services", () => {
  const box = new DialogueServer({ server: { pushDiscovery: true } });
  const ana = box.guest({}, { management: false });
  const pushed = ana.expect("message");
  expect([attr(pushed, "from"), attr(pushed, "to")]).toEqual(["meet.test", ana.jid]);
  expect(child(pushed, "query", NS.discoInfo)).toBeDefined();
  expect(child(pushed, "services", NS.extdisco2)).toBeDefined();
  const frames = ana.written.findIndex((each) => each.startsWith("<message"));
  expect(ana.written[frames + 1]).toStartWith("<iq");
  box.service("focus").expectNothing();
});

describe("external services", () => {
  const services = [
    { type: "stun", host: "192.0.2.50", port: 3478, transport: "udp" },
    { type: "turns", host: "turn.test", port: 5349, transport: "tcp", secret: "north" },
  ] as const;
  const box = new DialogueServer({ server: { externalServices: services }, epoch: Date.UTC(2026, 7, 21) });
  const ana = box.guest();
  for (const ns of [NS.extdisco1, NS.extdisco2])
    test(`${ns}: credentials are good for a day and made from the secret`, () => {
      const [stun, turn] = children(payload(ana.ask("get", "meet.test", `<services xmlns="${ns}"/>`)), "service");
      expect(stun?.attrs).toEqual({ type: "stun", host: "192.0.2.50", port: "3478", transport: "udp" });
      const expiry = Date.UTC(2026, 7, 22) / 1000;
      const username = `${expiry}:${ana.jid.split("@")[0]}`;
      expect(turn?.attrs).toMatchObject({
        type: "turns",
        restricted: "1",
        username,
        expires: "2026-08-22T00:00:00Z",
        password: createHmac("sha1", "north").update(username).digest("base64"),
      });
    });
  test("by type, and for one service", () => {
    expect(
      children(payload(ana.ask("get", "meet.test", `<services xmlns="${NS.extdisco2}" type="turns"/>`)), "service"),
    ).toHaveLength(1);
    expect(
      children(
        payload(
          ana.ask(
            "get",
            "meet.test",
            `<credentials xmlns="${NS.extdisco2}"><service host="turn.test" type="turns"/></credentials>`,
          ),
        ),
        "service",
      ),
    ).toHaveLength(1);
  });
  test("none configured: an empty list, no error", () => {
    expect(
      children(payload(new DialogueServer().guest().ask("get", "meet.test", `<services xmlns="${NS.extdisco2}"/>`))),
    ).toEqual([]);
  });
});

describe("ping, version, roster, what nobody knows", () => {
  const box = new DialogueServer();
  const ana = box.guest();
  test("as recorded: without `to` the answer has no `from`", () => {
    const answer = ana.ask("get", undefined, `<ping xmlns="${NS.ping}"/>`);
    expect(answer.attrs).toMatchObject({ type: "result", to: ana.jid });
    expect(answer.attrs["from"]).toBeUndefined();
    expect(payload(ana.ask("get", undefined, `<query xmlns="${NS.roster}"/>`)).attrs["ver"]).toBe("1");
  });
  test("version names the program, not the machine", () => {
    const answer = payload(ana.ask("get", "meet.test", `<query xmlns="${NS.version}"/>`));
    expect(answer.getChildElements().map((each) => each.name)).toEqual(["name", "version"]);
  });
  test("the focus account's roster has its proxy", () => {
    const focus = box.service("focus");
    expect(
      attr(
        payload(focus.ask("get", undefined, `<query xmlns="${NS.roster}"/>`)).getChild("item") ?? ({} as Element),
        "jid",
      ),
    ).toBe("focus.meet.test");
    expect(conditionOf(focus.ask("set", undefined, `<query xmlns="${NS.roster}"><item jid="x@y"/></query>`))).toBe(
      "not-allowed",
    );
  });
  test("unknown requests are service-unavailable wherever they go", () => {
    for (const to of [undefined, "meet.test", "auth.meet.test", ana.jid.split("/")[0]])
      expect(conditionOf(ana.ask("get", to, `<query xmlns="urn:unknown"/>`))).toBe("service-unavailable");
  });
});

describe("the focus's address for clients", () => {
  const request = (client: Participant): void =>
    client.send(
      `<iq type="set" id="c7" to="focus.meet.test"><conference xmlns="${NS.focus}" room="a@muc.meet.test"/></iq>`,
    );
  test("there and back, errors too; clients that share an id do not mix", () => {
    const box = new DialogueServer();
    const focus = box.service("focus");
    const [ana, ben] = [box.guest(), box.guest()];
    request(ana);
    request(ben);
    const [first, second] = [focus.expect("iq"), focus.expect("iq")];
    expect([attr(first, "from"), attr(second, "from")]).toEqual([
      `focus.meet.test/${ana.jid}`,
      `focus.meet.test/${ben.jid}`,
    ]);
    focus.send(
      `<iq type="error" id="c7" to="${attr(second, "from")}"><error type="auth"><not-authorized xmlns="${NS.stanzas}"/></error></iq>`,
    );
    focus.send(`<iq type="result" id="c7" to="${attr(first, "from")}"/>`);
    expect(conditionOf(ben.expect("iq"))).toBe("not-authorized");
    expect(ana.expect("iq").attrs).toMatchObject({ type: "result", id: "c7", from: "focus.meet.test", to: ana.jid });
  });
  test("a request waits while the focus is away, five seconds at most", () => {
    const box = new DialogueServer();
    const ana = box.guest();
    request(ana);
    box.advance(seconds(3));
    ana.expectNothing();
    const focus = box.service("focus");
    expect(attr(focus.expect("iq"), "from")).toBe(`focus.meet.test/${ana.jid}`);
    focus.drop();
    request(ana);
    box.advance(seconds(6));
    expect(conditionOf(ana.expect("iq"))).toBe("service-unavailable");
    // Anything else is answered at once: whoever explores the server must not wait for a focus.
    expect(conditionOf(ana.ask("get", "focus.meet.test", `<query xmlns="${NS.discoInfo}"/>`))).toBe(
      "service-unavailable",
    );
  });
  test("a client that is gone when the answer comes is nobody's trouble", () => {
    const box = new DialogueServer();
    const focus = box.service("focus");
    const ana = box.guest({}, { management: false });
    request(ana);
    ana.drop();
    focus.send(`<iq type="result" id="c7" to="focus.meet.test/${ana.jid}"/>`);
    focus.send(`<iq type="result" id="c7" to="focus.meet.test/@"/>`);
    expect(attr(focus.ask("get", "auth.meet.test", `<ping xmlns="${NS.ping}"/>`), "type")).toBe("result");
  });
});
