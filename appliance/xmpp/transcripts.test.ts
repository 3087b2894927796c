import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { DialogueServer, type Participant } from "../../tests/xmpp-dialogue.ts";
import { type Element, parse } from "../wire/xml.ts";

/*
 * Recorded dialogues, with our server in the original's place: the same elements, attributes and texts, in the same order. Let off: ids, languages
 * and addresses that each server makes itself; features that we do not have (below).
 */

interface Line {
  readonly kind: "C>S" | "S>C" | "---";
  readonly text: string;
}
interface Scenario {
  readonly title: string;
  readonly lines: readonly Line[];
}

function scenarios(file: string): Scenario[] {
  const all: { title: string; lines: Line[] }[] = [];
  const shared = new Map<string, string>();
  for (const line of readFileSync(`${import.meta.dir}/fixtures/${file}`, "utf8").split("\n")) {
    if (line.startsWith("= ")) shared.set(line.slice(2, 4), line.slice(5));
    else if (line.startsWith("# ")) all.push({ title: line.slice(2), lines: [] });
    else if (line !== "") {
      const text = line.slice(4).replaceAll("&#10;", "\n");
      all.at(-1)?.lines.push({ kind: line.slice(0, 3) as Line["kind"], text: shared.get(text) ?? text });
    }
  }
  return all.filter((each) => each.lines.length > 0);
}

/** Stream features of the original that we do not offer: subscriptions in advance and the older stream management. */
const LEFT_OUT = (element: Element): boolean =>
  element.getNS() === "urn:xmpp:features:pre-approval" || element.getNS() === "urn:xmpp:sm:2";
const OWN_VALUES = new Set(["id", "xml:lang", "ver", "node", "xmlns:stream"]);
/** Numbers of ours: the limits that a client is told. */
const OWN_TEXT = new Set(["max-bytes", "idle-seconds"]);

class Comparison {
  /** Theirs → ours. */
  readonly names = new Map<string, string>();

  translate(text: string): string {
    let out = text;
    for (const [theirs, ours] of this.names) out = out.replaceAll(theirs, ours);
    return out;
  }

  same(theirs: Element, ours: Element, path: string): void {
    const at = `${path}/${theirs.name}`;
    expect(`${at} ${ours.getNS()}`).toBe(`${path}/${theirs.name} ${theirs.getNS()}`);
    expect(ours.getName()).toBe(theirs.getName());
    if (theirs.name === "enabled") this.names.set(theirs.attrs["id"] ?? "", ours.attrs["id"] ?? "");
    if (theirs.name === "jid") this.names.set(theirs.getText(), ours.getText());
    for (const [key, value] of Object.entries(theirs.attrs)) {
      const isRequestId = key === "id" && ["iq", "message", "presence", "enabled"].includes(theirs.name);
      if (OWN_VALUES.has(key) && !isRequestId) continue;
      expect(`${at}@${key}=${ours.attrs[key]}`).toBe(`${at}@${key}=${this.translate(value ?? "")}`);
    }
    const wanted = theirs.getChildElements().filter((each) => !LEFT_OUT(each));
    const have = ours.getChildElements();
    const unordered = theirs.name === "stream:features";
    if (unordered)
      for (const list of [wanted, have])
        list.sort((a, b) => (`${a.name} ${a.getNS()}` < `${b.name} ${b.getNS()}` ? -1 : 1));
    expect(`${at}: ${have.map((each) => each.name)}`).toBe(`${at}: ${wanted.map((each) => each.name)}`);
    wanted.forEach((each, index) => {
      const mine = have[index];
      if (mine !== undefined) this.same(each, mine, at);
    });
    if (wanted.length === 0 && !OWN_TEXT.has(theirs.name))
      expect(`${at}: ${ours.getText()}`).toBe(`${at}: ${this.translate(theirs.getText())}`);
  }
}

const isMessage = (line: Line | undefined): boolean => line?.kind === "S>C" && line.text.startsWith("<");

function play(scenario: Scenario): void {
  const box = new DialogueServer({ limits: { clientStanzaBytes: 262_144, serviceStanzaBytes: 262_144 } });
  const comparison = new Comparison();
  const connections: Participant[] = [];
  let client: Participant | undefined;
  for (const { kind, text } of scenario.lines) {
    if (kind === "S>C" && text.startsWith("<")) {
      const theirs = parse(
        text.startsWith("<stream:error>")
          ? text.replace("<stream:error>", "<stream:error xmlns:stream='http://etherx.jabber.org/streams'>")
          : text,
      );
      const ours = client?.oldest();
      if (theirs === undefined || ours === undefined) throw new Error(`expected ${text}`);
      comparison.same(theirs, ours, scenario.title);
      continue;
    }
    const open = /^\[WebSocket open \S*\?(\S*) subprotocol xmpp\]/.exec(text);
    const closed = /^\[WebSocket closed, code (\d+) reason "(.*)"\]/.exec(text);
    if (open !== null) {
      const query = Object.fromEntries(new URLSearchParams(comparison.translate(open[1] ?? "")));
      client = box.websocket(query);
      client.rawManagement = true;
      connections.push(client);
    } else if (closed !== null) {
      if (closed[2] === "Goodbye")
        client?.drop(); // the recorder's own end
      else if (closed[1] === "1006") expect(connections[0]?.closed?.abrupt).toBe(true);
      else expect([client?.closed?.code, client?.closed?.reason]).toEqual([Number(closed[1]), closed[2]]);
    } else if (text.startsWith("[the socket is closed without")) client?.drop();
    else if (text.startsWith("[binary frame") && client !== undefined)
      box.feed({ type: "binary-frame", link: client.link });
    else if (text.startsWith("[a message of 300069 bytes]"))
      client?.raw(`<message xmlns="jabber:client" to="meet.test"><body>${"x".repeat(299_985)}</body></message>`);
    else if (kind === "C>S" && !text.startsWith("[")) {
      client?.expectNothing();
      client?.raw(comparison.translate(text));
    }
  }
}

describe("ws-raw-framing-sasl-sm-edges", () => {
  for (const scenario of scenarios("ws-raw-framing.txt"))
    if (scenario.lines.some(isMessage) || scenario.lines.some(({ text }) => text.includes("subprotocol xmpp")))
      test(scenario.title, () => play(scenario));
});

describe("how Smack's services log in (xmpp-jvb, xmpp-jicofo)", () => {
  for (const scenario of scenarios("smack-logins.txt"))
    test(scenario.title, () => {
      const box = new DialogueServer();
      const comparison = new Comparison();
      const service = box.tcp();
      service.startTls();
      service.loginPlain(scenario.title, "secret", "auth.meet.test");
      for (const { kind, text } of scenario.lines) {
        if (kind === "C>S") {
          service.expectNothing();
          service.raw(comparison.translate(text));
          continue;
        }
        // What the recorder saw inherits its namespace from the stream.
        const theirs = parse(`<x xmlns="jabber:client">${text}</x>`)?.getChildElements()[0];
        const ours = service.oldest();
        if (theirs === undefined || ours === undefined) throw new Error(`expected ${text}`);
        comparison.same(theirs, ours, scenario.title);
      }
      service.expectNothing();
    });
});
