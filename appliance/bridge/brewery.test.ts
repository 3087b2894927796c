/**
 * The recorded XMPP connection of an original bridge during a call (protocol/transcripts/xmpp-jvb.txt): the same requests must get the same answers, element
 * by element, ids, secrets and addresses aside; the presence must carry the same statistics.
 */
import { expect, test } from "bun:test";
import { attr, type Element, parse } from "../wire/xml.ts";
import { Brewery } from "./brewery.ts";
import type { BridgeAction } from "./context.ts";
import { BREWERY, TestBridge } from "./test-bridge.ts";

/** Values that belong to one run. */
const OWN_VALUES: readonly string[] = ["ufrag", "pwd", "ssrc", "ip", "port", "id", "priority", "foundation", "url"];

interface Shape {
  readonly name: string;
  readonly ns: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly Shape[];
}

function shape(element: Element): Shape {
  const inTransport = ["candidate", "source", "transport", "web-socket"].includes(element.getName());
  const attributes = Object.entries(element.attrs as Record<string, string>)
    .filter(([name]) => name !== "xmlns" && name !== "to" && name !== "from")
    .map(([name, value]) => [name, inTransport && OWN_VALUES.includes(name) ? "*" : value] as const)
    .sort(([a], [b]) => a.localeCompare(b));
  return {
    name: element.getName(),
    ns: element.getNS() ?? "",
    attributes: Object.fromEntries(attributes),
    children: element
      .getChildElements()
      .map(shape)
      .sort((a, b) => a.name.localeCompare(b.name)),
  };
}

const stanzas = (actions: readonly BridgeAction[]): Element[] =>
  actions.flatMap((action) => (action.type === "stanza" ? [action.stanza] : []));

interface Recorded {
  readonly seconds: number;
  readonly out: boolean;
  readonly stanza: Element;
}

async function recorded(): Promise<Recorded[]> {
  const text = await Bun.file(new URL("./fixtures/xmpp-jvb.txt", import.meta.url)).text();
  return text
    .trim()
    .split("\n")
    .map((line) => {
      const [, seconds, direction, xml] = /^(\S+) (\S+) (.*)$/.exec(line) ?? [];
      // Stanzas of a stream inherit its namespace.
      const stanza = parse((xml ?? "").replace(/^<(iq|presence)/, "<$1 xmlns='jabber:client'"));
      if (stanza === undefined) throw new Error(`unreadable line: ${line}`);
      return { seconds: Number(seconds), out: direction === "C>S", stanza };
    });
}

test("xmpp-jvb: every request is answered alike", async () => {
  const lines = await recorded();
  const bridge = new TestBridge({ serverId: "jvb1", channelHost: "localhost:8444" }).join();
  const answers = new Map<string, Element>();
  let asked = 0;
  for (const { out, stanza } of lines) {
    const id = attr(stanza, "id") ?? "";
    const request = stanza.getName() === "iq" && attr(stanza, "type") === "get";
    if (!out && request) {
      asked++;
      for (const answer of stanzas(bridge.stanza(String(stanza)))) answers.set(attr(answer, "id") ?? "", answer);
      for (const transport of bridge.transports) if (transport.remotes.length > 0) transport.state = "connected";
    }
    if (!out || !answers.has(id)) continue;
    const answer = answers.get(id);
    if (answer === undefined) throw new Error(id);
    expect(shape(answer)).toEqual(shape(stanza));
    expect(attr(answer, "to")).toBe(attr(stanza, "to") as string);
    answers.delete(id);
  }
  expect(asked).toBeGreaterThan(20);
  expect([...answers.keys()]).toEqual([]);
});

test("xmpp-jvb: the presence carries the recorded statistics, in order, under their names", async () => {
  const lines = await recorded();
  const presence = lines.find(({ out, stanza }) => out && stanza.getChild("stats") !== undefined)?.stanza;
  const names = (stats: Element | undefined): string[] =>
    stats?.getChildren("stat").map((each) => attr(each, "name") ?? "") ?? [];
  const bridge = new TestBridge();
  bridge.bridge.xmppOnline(bridge.now, false);
  const joined = stanzas(
    bridge.stanza(
      `<presence xmlns='jabber:client' from='${BREWERY}/${bridge.bridge.nick}'><x xmlns='http://jabber.org/protocol/muc#user'><status code='201'/><status code='110'/></x></presence>`,
    ),
  );
  const own = joined.find((stanza) => stanza.getChild("stats") !== undefined)?.getChild("stats");
  const theirs = names(own).filter((name) => !name.startsWith("parley_"));
  expect(theirs).toEqual([...names(presence?.getChild("stats")), "relay_id"]);
  expect(names(own).slice(0, theirs.length)).toEqual(theirs); // what is ours comes last
  // The room was new: it must show real addresses.
  const config = joined.find((stanza) => stanza.getName() === "iq");
  expect(String(config)).toContain('<field var="muc#roomconfig_whois"><value>anyone</value></field>');
  const next = stanzas(bridge.advance(5_000)).filter((stanza) => stanza.getName() === "presence");
  expect(next).toHaveLength(1);
  expect(String(next[0])).toContain('<stat name="drain" value="false"/>');
});

test("a new session joins again; a taken name makes another; being thrown out is followed by a return", () => {
  const bridge = new TestBridge().join();
  const nick = bridge.bridge.nick;
  bridge.bridge.xmppOffline();
  expect(bridge.bridge.joined).toBe(false);
  expect(stanzas(bridge.advance(20_000))).toEqual([]);
  bridge.bridge.xmppOnline(bridge.now, false);
  expect(attr(stanzas(bridge.take())[0] as Element, "to")).toBe(`${BREWERY}/${nick}`);
  const again = stanzas(
    bridge.stanza(
      `<presence xmlns='jabber:client' type='error' from='${BREWERY}/${nick}'><error type='cancel'><conflict xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></presence>`,
    ),
  );
  expect(attr(again[0] as Element, "to")).toBe(`${BREWERY}/${bridge.bridge.nick}`);
  expect(bridge.bridge.nick).not.toBe(nick);
  const self = (type: string): string =>
    `<presence xmlns='jabber:client' from='${BREWERY}/${bridge.bridge.nick}'${type}><x xmlns='http://jabber.org/protocol/muc#user'><status code='110'/></x></presence>`;
  bridge.stanza(self(""));
  expect(bridge.bridge.joined).toBe(true);
  bridge.stanza(self(" type='unavailable'"));
  expect(bridge.bridge.joined).toBe(false);
  const back = stanzas(bridge.advance(2_000));
  expect(back.some((stanza) => stanza.getChild("x", "http://jabber.org/protocol/muc") !== undefined)).toBe(true);
});

test("conferences survive the XMPP server, and graceful stop leaves the brewery", () => {
  const bridge = new TestBridge().join();
  bridge.ask(
    "<conference-modify xmlns='jitsi:colibri2' meeting-id='m' create='true'><endpoint id='a' create='true'><capability name='source-names'/><transport/></endpoint></conference-modify>",
  );
  bridge.bridge.xmppOffline();
  bridge.advance(30_000);
  expect([...bridge.bridge.conferences]).toHaveLength(1);
  bridge.bridge.xmppOnline(bridge.now, false);
  bridge.bridge.stop(bridge.now);
  const actions = bridge.take();
  expect(stanzas(actions).map((stanza) => attr(stanza, "type"))).toContain("unavailable");
  expect(actions.some((action) => action.type === "media" && action.command.type === "stop")).toBe(true);
});

test("a brewery that is no room address is a fault of the configuration", () => {
  expect(() => new Brewery("internal.example.net", () => "n")).toThrow("bridge.brewery");
});
