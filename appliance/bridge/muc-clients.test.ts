/** A bridge that serves several XMPP servers: each its own breweries, and answers where the question came from. */
import { expect, test } from "bun:test";
import { attr, type Element, parse } from "../wire/xml.ts";
import type { BridgeAction } from "./context.ts";
import type { MucClientRequest } from "./muc-client-json.ts";
import { MAX_MUC_CLIENTS } from "./muc-clients.ts";
import { BREWERY, FOCUS, OWN, TestBridge, WALL } from "./test-bridge.ts";

const OTHER = "jvbbrewery@internal.other.test";
const THIRD = "spare@internal.other.test";
const request = (id: string, more: Partial<MucClientRequest["login"]> = {}): MucClientRequest => ({
  id,
  login: {
    host: "192.0.2.9",
    port: 5222,
    domain: "auth.other.test",
    user: "jvb",
    password: "p",
    security: "verified",
    ...more,
  },
  rooms: [OTHER, THIRD],
  nick: "box-1",
});

/** What goes to one server. */
const to = (actions: readonly BridgeAction[], client: number): Element[] =>
  actions.flatMap((action) => (action.type === "stanza" && action.client === client ? [action.stanza] : []));
const presences = (stanzas: readonly Element[]): string[] =>
  stanzas.filter((each) => each.getName() === "presence").map((each) => attr(each, "to") ?? "");

class TwoServers extends TestBridge {
  hear(text: string, client: number): readonly BridgeAction[] {
    const element = parse(text);
    if (element === undefined) throw new Error(text);
    this.bridge.stanza(this.now, WALL, element, client);
    return this.take();
  }
  enter(room: string, nick: string, client: number): readonly BridgeAction[] {
    return this.hear(
      `<presence xmlns='jabber:client' from='${room}/${nick}'><x xmlns='http://jabber.org/protocol/muc#user'><status code='110'/></x></presence>`,
      client,
    );
  }
  stat(name: string): unknown {
    return this.bridge.stats(WALL).get(name);
  }
}

const ask = (from: string): string =>
  `<iq xmlns='jabber:client' type='get' id='q1' from='${from}' to='${OWN}'><conference-modify xmlns='jitsi:colibri2' meeting-id='m' create='true'/></iq>`;

test("an added server is logged in to, its breweries are joined, and both get the statistics", () => {
  const bridge = new TwoServers().join() as TwoServers;
  expect(bridge.bridge.addMucClient(request("two"))).toBe(true);
  expect(bridge.take()).toEqual([{ type: "muc-client-open", client: 1, login: request("two").login }]);
  expect(bridge.bridge.mucClientIds).toEqual([BREWERY, "two"]);
  bridge.bridge.xmppOnline(bridge.now, false, 1);
  const joins = bridge.take();
  expect(presences(to(joins, 1))).toEqual([`${OTHER}/box-1`, `${THIRD}/box-1`]);
  expect(to(joins, 0)).toEqual([]);
  const first = to(bridge.enter(OTHER, "box-1", 1), 1);
  expect(first[0]?.getChild("stats")).toBeDefined();
  bridge.enter(THIRD, "box-1", 1);
  expect(
    ["muc_clients_configured", "muc_clients_connected", "mucs_configured", "mucs_joined"].map((name) =>
      bridge.stat(name),
    ),
  ).toEqual([2, 2, 3, 3]);
  const later = bridge.advance(5_000);
  expect(presences(to(later, 0))).toEqual([`${BREWERY}/${bridge.bridge.nick}`]);
  expect(presences(to(later, 1))).toEqual([`${OTHER}/box-1`, `${THIRD}/box-1`]);
  bridge.bridge.setDrain(bridge.now, WALL, true);
  const drained = bridge.take();
  expect([to(drained, 0).length, to(drained, 1).length]).toEqual([1, 2]);
  expect(String(to(drained, 1)[0])).toContain('<stat name="drain" value="true"/>');
});

test("requests are answered where they come from, to occupants of that server's breweries alone", () => {
  const bridge = new TwoServers().join() as TwoServers;
  bridge.bridge.addMucClient(request("two"));
  bridge.bridge.xmppOnline(bridge.now, false, 1);
  bridge.enter(OTHER, "box-1", 1);
  const answered = bridge.hear(ask(`${OTHER}/focus`), 1);
  expect(to(answered, 1).map((each) => attr(each, "type"))).toEqual(["result"]);
  expect(to(answered, 0)).toEqual([]);
  // The other server cannot speak for this one's brewery.
  for (const [from, client] of [
    [FOCUS, 1],
    [`${OTHER}/focus`, 0],
  ] as const) {
    const [refused] = to(bridge.hear(ask(from), client), client);
    expect(String(refused)).toContain("<forbidden");
  }
  expect([...bridge.bridge.conferences]).toHaveLength(1);
});

test("a lost server costs the other one nothing; a taken name is followed by one that begins with it", () => {
  const bridge = new TwoServers().join() as TwoServers;
  bridge.bridge.addMucClient(request("two"));
  bridge.bridge.xmppOnline(bridge.now, false, 1);
  bridge.take();
  const again = bridge.hear(
    `<presence xmlns='jabber:client' type='error' from='${OTHER}/box-1'><error type='cancel'><conflict xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></presence>`,
    1,
  );
  const [name] = presences(to(again, 1));
  expect(name).toMatch(new RegExp(`^${OTHER}/box-1-[0-9a-f]{8}$`));
  bridge.bridge.xmppOffline(0);
  bridge.enter(OTHER, (name ?? "").split("/")[1] ?? "", 1);
  expect(bridge.bridge.joined).toBe(true);
  expect([bridge.stat("muc_clients_connected"), bridge.stat("mucs_joined")]).toEqual([1, 1]);
  bridge.bridge.xmppOffline(1);
  expect(bridge.bridge.joined).toBe(false);
  expect(bridge.advance(60_000).filter((each) => each.type === "stanza")).toEqual([]);
});

test("the same account again changes nothing; another one takes its place", () => {
  const bridge = new TwoServers().join() as TwoServers;
  bridge.bridge.addMucClient(request("two"));
  bridge.take();
  expect(bridge.bridge.addMucClient(request("two", { password: "other" }))).toBe(true);
  expect(bridge.take()).toEqual([]);
  for (const more of [{ port: 6222 }, { host: "192.0.2.8" }, { domain: "x.test" }, { user: "y" }]) {
    expect(bridge.bridge.addMucClient(request("two", more))).toBe(true);
    expect(bridge.take().map((each) => each.type)).toEqual(["muc-client-close", "muc-client-open"]);
  }
  expect(bridge.bridge.mucClientIds).toEqual([BREWERY, "two"]);
});

test("a removed one leaves its breweries, then its server; what still comes from there is not heard", () => {
  const bridge = new TwoServers().join() as TwoServers;
  bridge.bridge.addMucClient(request("two"));
  bridge.bridge.xmppOnline(bridge.now, false, 1);
  bridge.enter(OTHER, "box-1", 1);
  bridge.take();
  expect(bridge.bridge.removeMucClient("two")).toBe(true);
  const actions = bridge.take();
  expect(actions.map((each) => each.type)).toEqual(["stanza", "stanza", "muc-client-close"]);
  expect(to(actions, 1).map((each) => attr(each, "type"))).toEqual(["unavailable", "unavailable"]);
  expect(bridge.hear(ask(`${OTHER}/focus`), 1)).toEqual([]);
  expect(bridge.bridge.removeMucClient("two")).toBe(false);
  // The configured one can go as well.
  expect(bridge.bridge.removeMucClient(BREWERY)).toBe(true);
  expect(bridge.take().map((each) => each.type)).toEqual(["stanza", "muc-client-close"]);
  expect([bridge.bridge.joined, bridge.stat("muc_clients_configured")]).toEqual([false, 0]);
});

test("there is a bound", () => {
  const bridge = new TwoServers();
  for (let index = 1; index < MAX_MUC_CLIENTS; index++)
    expect(bridge.bridge.addMucClient(request(`c${index}`))).toBe(true);
  expect(bridge.bridge.addMucClient(request("one too many"))).toBe(false);
  expect(bridge.bridge.addMucClient(request("c1", { port: 6222 }))).toBe(true);
  expect(bridge.bridge.mucClientIds).toHaveLength(MAX_MUC_CLIENTS);
});
