/**
 * Tests only: plays whole recorded sessions (logins, rooms, Jingle between occupants, resumption, BOSH) against the server. Clients send again what they sent; the focus, and
 * people whose side was not recorded, are puppets that say what the recording shows they said. What each client got, section by section, is returned beside what it got then.
 */

import { NS } from "../appliance/wire/namespaces.ts";
import { errorReply } from "../appliance/wire/stanza.ts";
import { attr, child, descend, type Element, parse } from "../appliance/wire/xml.ts";
import { createMucHosts } from "../appliance/xmpp/muc/hosts.ts";
import { childrenOf, ordered, type Section } from "../appliance/xmpp/muc/transcript-replay.ts";
import { DialogueServer, type Participant } from "./xmpp-dialogue.ts";

interface Line {
  readonly ms: number;
  readonly who: string;
  readonly sent: boolean;
  readonly text: string;
}

interface Block {
  readonly title: string;
  readonly lines: Line[];
}

/** One recorded client: over WebSockets, one after the other, or over BOSH. */
class Client {
  socket: Participant | undefined;
  /** Whether a new socket was opened while the old one was still there. */
  replaced = false;
  /** Sockets before the present one. */
  readonly former: Participant[] = [];
  bosh: { sid: string; theirSid: string; open: number } | undefined;
  /** Stanzas that the recording shows it got since stream management began. */
  recordedStanzas = 0;
  ownStanzas = 0;
  managed = false;
  readonly theirRequests: string[] = [];
  readonly ourRequests: string[] = [];
  got: Element[] = [];
  want: Element[] = [];

  constructor(
    readonly who: string,
    readonly theirJid: string,
  ) {}
}

const isStanza = (element: Element): boolean => ["iq", "message", "presence"].includes(element.getName());
const isRequest = (element: Element): boolean =>
  element.getName() === "iq" && (attr(element, "type") === "set" || attr(element, "type") === "get");
const isManagement = (element: Element): boolean => element.getNS() === NS.sm && ["r", "a"].includes(element.getName());
const [ROOMS, FOCUS_ADDRESS] = ["muc.meet.test", "focus.meet.test"];

export interface SessionReplayOptions {
  /** Who is in which room when the recording begins, first owner first. */
  readonly present?: { readonly room: string; readonly people: readonly string[] };
  readonly focusAnswersUnknown?: boolean;
  /** Recorded frames that a bug of the original caused. */
  readonly unwanted?: (who: string, element: Element) => boolean;
}

export class SessionReplay {
  readonly box: DialogueServer;
  readonly #focus: Participant;
  readonly #clients = new Map<string, Client>();
  /** Theirs → ours. */
  readonly #names = new Map<string, string>();
  readonly #strangers = new Map<string, { readonly puppet: Participant; said: string }>();
  readonly #focusSaid = new Map<string, string>();
  readonly #granted = new Set<string>();
  /** Requests whose answers are each server's own: told apart by their ids. */
  readonly #ownAnswers = new Set<string>();
  readonly #options: SessionReplayOptions;

  constructor(options: SessionReplayOptions = {}) {
    this.#options = options;
    this.box = new DialogueServer({
      limits: { clientStanzaBytes: 262_144 },
      hosts: (environment) => createMucHosts({ ...environment }),
    });
    this.#focus = this.box.service("focus");
  }

  run(text: string): Section[] {
    const blocks = read(text);
    const start = this.box.now;
    const sections: Section[] = [];
    for (const { lines } of blocks)
      for (const { who, sent, text: frame } of lines) {
        const to = sent ? undefined : / to=["']([^"']+@meet\.test\/[^"']+)["']/.exec(frame)?.[1];
        const bound = sent ? undefined : /<jid>([^<]+)<\/jid>/.exec(frame)?.[1];
        if ((bound ?? to) !== undefined && !this.#clients.has(who))
          this.#clients.set(who, new Client(who, bound ?? to ?? ""));
      }
    this.#begin();
    for (const { title, lines } of blocks) {
      for (const [index, line] of lines.entries()) {
        const at = start + line.ms;
        if (at > this.box.now) this.box.advance(at - this.box.now);
        const client = this.#clients.get(line.who);
        if (client === undefined) throw new Error(`nobody knows ${line.who}`);
        if (line.sent) this.#send(client, line.text, lines.slice(index));
        else this.#arrived(client, line.text, title);
      }
      const next = blocks[blocks.findIndex((each) => each.title === title) + 1]?.lines[0];
      this.box.advance(next === undefined ? 1_000 : Math.max(0, start + next.ms - this.box.now - 1));
      for (const client of this.#clients.values()) {
        this.#collect(client);
        sections.push({ title, who: client.who, recorded: this.#forms(client.want), ours: this.#forms(client.got) });
        client.want = [];
        client.got = [];
      }
    }
    return sections;
  }

  #begin(): void {
    const { present } = this.#options;
    if (present === undefined) return;
    this.focusSays(present.room, "<priority>0</priority>");
    for (const who of present.people) {
      const client = this.#clients.get(who);
      if (client === undefined) throw new Error(`nobody knows ${who}`);
      this.#login(client, {});
      client.socket?.send(
        `<presence to="${present.room}/${client.socket.jid.slice(0, 8)}"><x xmlns="${NS.muc}"/></presence>`,
      );
      if (who === present.people[0]) this.#grant(present.room, client.socket?.jid.split("/")[0] ?? "");
    }
    for (const client of this.#clients.values()) {
      this.#collect(client);
      client.got = [];
    }
  }

  // Clients ----------------------------------------------------------------------------------------------------------

  #send(client: Client, frame: string, after: readonly Line[]): void {
    const open = /^\[WebSocket open \S*?(?:\?(\S*))?\]$/.exec(frame);
    if (open !== null) {
      const query = Object.fromEntries(new URLSearchParams(this.#translate(open[1] ?? "")));
      const loginRecorded = after.find((line) => line.sent && line.who === client.who && line.text.startsWith("<"));
      this.#lost(client);
      client.replaced = client.socket !== undefined && client.socket.closed === undefined;
      if (client.socket !== undefined) client.former.push(client.socket);
      if (loginRecorded?.text.startsWith("<open") === true) this.#connect(client, query);
      else this.#login(client, query);
      return;
    }
    const post = /^\[HTTP POST (\/http-bind\S*)\] (<body.*)$/.exec(frame);
    if (post !== null) {
      this.#post(client, post[1] ?? "", post[2] ?? "", after);
      return;
    }
    if (frame.startsWith("[HTTP")) {
      const [, room] = /"room":"([^"]+)"/.exec(frame) ?? [];
      if (room !== undefined) this.#enterAsked(room, after);
      return;
    }
    const element = parse(frame);
    if (element === undefined || client.socket === undefined) throw new Error(`cannot send ${frame}`);
    if (isManagement(element)) return; // our own counts are answered below
    if (element.getName() === "resume") {
      // What it had seen: the rest is to come again.
      client.socket.raw(this.#translate(frame).replace(/ h="\d+"/, ` h="${client.recordedStanzas}"`));
      client.ownStanzas = client.recordedStanzas;
      return;
    }
    this.#note(element);
    if (child(element, "x", NS.muc) !== undefined) this.#gather(client, element, after);
    if (element.getName() === "presence" && attr(element, "type") === "unavailable") this.#beforeGoodbye(client, after);
    client.socket.raw(this.#translate(this.#answering(client, element, frame)));
    this.#focusIsThere(element, after);
    if (this.#options.focusAnswersUnknown === true && isRequest(element)) this.#refuseUnknown();
  }

  /** As our focus does (focus.test.ts): an IQ that it does not know is answered. */
  #refuseUnknown(): void {
    for (const asked of this.#focus.all())
      if (isRequest(asked)) this.#focus.send(errorReply(asked, { condition: "feature-not-implemented" }).toString());
  }

  /** What was written to a socket after the network had gone never arrived: it comes again. */
  #lost(client: Client): void {
    this.#collect(client);
    for (; client.ownStanzas > client.recordedStanzas; client.ownStanzas--) {
      const last = client.got.findLastIndex(isStanza);
      if (last === -1) return;
      client.got.splice(last, 1);
    }
  }

  /** Ids of requests that were made by the server are ours in an answer. */
  #answering(client: Client, element: Element, frame: string): string {
    const type = attr(element, "type");
    if (element.getName() !== "iq" || (type !== "result" && type !== "error")) return frame;
    this.#collect(client);
    const id = attr(element, "id") ?? "";
    const ours = client.ourRequests[client.theirRequests.indexOf(id)];
    return ours === undefined ? frame : frame.replaceAll(id, ours);
  }

  #note(element: Element): void {
    const query = element.getChildElements()[0];
    const domain = attr(element, "to") === "meet.test";
    if (isRequest(element) && (query?.getName() === "services" || (query?.getNS() === NS.discoInfo && domain)))
      this.#ownAnswers.add(attr(element, "id") ?? "");
  }

  #connect(client: Client, query: Record<string, string>): void {
    const socket = this.box.websocket(query);
    socket.rawManagement = true;
    client.socket = socket;
  }

  /** A login that was left out of the recording. */
  #login(client: Client, query: Record<string, string>): void {
    this.#connect(client, query);
    const { socket } = client;
    if (socket === undefined) return;
    socket.loginAnonymously();
    socket.bind();
    socket.rawManagement = false;
    socket.enableManagement();
    this.#learn(client.theirJid, socket.jid);
  }

  #learn(theirs: string, ours: string): void {
    const [theirBare = "", theirResource = ""] = theirs.split("/");
    const [ourBare = "", ourResource = ""] = ours.split("/");
    const [theirUser = ""] = theirBare.split("@");
    const [ourUser = ""] = ourBare.split("@");
    this.#names.set(theirUser, ourUser);
    this.#names.set(theirUser.slice(0, 8), ourUser.slice(0, 8));
    this.#names.set(theirResource, ourResource);
  }

  #translate(text: string): string {
    let out = text;
    for (const [theirs, ours] of this.#names) out = out.replaceAll(theirs, ours);
    return out;
  }

  #back(element: Element): Element {
    let out = element.toString();
    for (const [theirs, ours] of this.#names) out = out.replaceAll(ours, theirs);
    const read = parse(out);
    if (read === undefined) throw new Error(`not XML: ${out}`);
    return read;
  }

  #post(client: Client, path: string, text: string, after: readonly Line[]): void {
    const request = this.box.nextRequest();
    client.bosh ??= { sid: "", theirSid: attr(parse(text) ?? fail(text), "sid") ?? "", open: 0 };
    client.bosh.open++;
    const theirSid = attr(parse(text) ?? fail(text), "sid");
    for (const each of (parse(text) ?? fail(text)).getChildElements()) this.#note(each);
    let body = theirSid === undefined ? text : text.replaceAll(theirSid, client.bosh.sid);
    for (const each of (parse(text) ?? fail(text)).getChildElements())
      if (attr(each, "type") === "result" && each.getName() === "iq") {
        this.#collect(client);
        const ours = client.ourRequests[client.theirRequests.indexOf(attr(each, "id") ?? "")];
        if (ours !== undefined) body = body.replaceAll(attr(each, "id") ?? "", ours);
      }
    body = this.#translate(body);
    const query = Object.fromEntries(new URLSearchParams(path.split("?")[1] ?? ""));
    this.box.feed({ type: "bosh-request", request, origin: { remoteAddress: "192.0.2.9", query }, body });
    for (const each of (parse(text) ?? fail(text)).getChildElements()) this.#focusIsThere(each, after);
  }

  /** What has come for a client since the last look. */
  #collect(client: Client): void {
    for (const socket of client.former) socket.all(); // nobody listens there any more
    const raw: Element[] = client.socket?.all() ?? [];
    if (client.bosh !== undefined)
      for (const action of this.box.actions.splice(0))
        if (action.type === "http-answer") {
          const body = parse(action.body) ?? fail(action.body);
          client.bosh.open--;
          if (attr(body, "sid") !== undefined) client.bosh.sid = attr(body, "sid") ?? "";
          raw.push(...body.getChildElements());
        }
    for (const element of raw) {
      const bound = descend(element, "bind", "jid")?.getText();
      if (bound !== undefined) this.#learn(client.theirJid, bound);
      if (isManagement(element)) {
        if (element.getName() === "r")
          client.socket?.raw(`<a xmlns="${NS.sm}" h="${Math.min(client.ownStanzas, client.recordedStanzas)}"/>`);
        continue;
      }
      if (isStanza(element) && client.managed) client.ownStanzas++;
      if (element.getName() === "enabled") {
        client.managed = true;
        const theirs = client.want.find((each) => each.getName() === "enabled");
        if (theirs !== undefined) this.#names.set(attr(theirs, "id") ?? "", attr(element, "id") ?? "");
      }
      if (isRequest(element)) client.ourRequests.push(attr(element, "id") ?? "");
      client.got.push(element);
    }
  }

  // What the recording shows that a client got ------------------------------------------------------------------------

  #arrived(client: Client, frame: string, title: string): void {
    if (frame === "[WebSocket closed]") {
      if (client.replaced) client.replaced = false;
      else if (title.includes("dropped")) client.socket?.drop();
      return;
    }
    const http = /^\[HTTP 200 text\/xml[^\]]*\] (<body.*)$/.exec(frame);
    if (frame.startsWith("[") && http === null) return;
    const element = parse((http?.[1] ?? frame).replaceAll("&#10;", "\n"));
    if (element === undefined) throw new Error(`unreadable: ${frame}`);
    for (const each of http === null ? [element] : element.getChildElements()) this.#wanted(client, each);
  }

  #wanted(client: Client, element: Element): void {
    // Their own broadcast goodbye comes back to clients that never said they were available.
    if (isManagement(element) || (element.getName() === "presence" && attr(element, "to") === undefined)) return;
    if (this.#options.unwanted?.(client.who, element) === true) return;
    if (element.getName() === "enabled") client.recordedStanzas = 0;
    if (isStanza(element)) client.recordedStanzas++;
    if (isRequest(element)) client.theirRequests.push(attr(element, "id") ?? "");
    this.#puppets(client, element);
    client.want.push(element);
    this.#collect(client);
  }

  /** What others did that the server cannot have done by itself. */
  #puppets(client: Client, element: Element): void {
    const from = attr(element, "from") ?? "";
    const [room = "", nick] = from.split("/");
    const type = attr(element, "type");
    const ours = this.#translate(client.theirJid);
    if (element.getName() === "presence" && room.endsWith(`@${ROOMS}`)) {
      if (nick === "focus" && type === undefined) this.focusSays(room, childrenOf(element));
      const item = descend(element, "x", "item");
      const jid = item === undefined ? undefined : attr(item, "jid");
      if (
        nick !== undefined &&
        nick !== "focus" &&
        jid !== undefined &&
        ![...this.#clients.values()].some((each) => each.theirJid === jid)
      )
        this.#stranger(room, nick, jid, type === undefined ? childrenOf(element) : undefined);
      if (
        item !== undefined &&
        attr(item, "affiliation") === "owner" &&
        nick !== "focus" &&
        jid !== undefined &&
        type === undefined
      )
        this.#grant(room, this.#translate(jid).split("/")[0] ?? "");
    } else if (element.getName() === "message" && type === "groupchat" && nick !== undefined) {
      const stranger = this.#strangers.get(`${room}/${nick}`);
      if (stranger !== undefined && !client.got.some((each) => each.getName() === "message"))
        stranger.puppet.send(
          `<message to="${room}" type="groupchat">${childrenOf(element).replace(/<occupant-id[^>]*\/>/, "")}</message>`,
        );
    } else if (element.getName() === "iq" && from === FOCUS_ADDRESS && type === "result")
      this.#answerConference(element);
    else if (element.getName() === "iq" && nick === "focus" && room.endsWith(`@${ROOMS}`)) {
      const occupant = `${room}/${ours.slice(0, 8)}`;
      if (type === "set")
        this.#focus.send(`<iq type="set" id="${attr(element, "id")}" to="${occupant}">${childrenOf(element)}</iq>`);
      else {
        const asked = this.#focus.expect("iq", (each) => attr(each, "from") === occupant && isRequest(each));
        this.#focus.send(`<iq type="${type}" id="${attr(asked, "id")}" to="${occupant}">${childrenOf(element)}</iq>`);
      }
    }
  }

  #answerConference(element: Element): void {
    const asked = this.#focus.expect("iq", (each) => child(each, "conference", NS.focus) !== undefined);
    this.#focus.send(
      `<iq type="result" id="${attr(asked, "id")}" to="${attr(asked, "from")}">${childrenOf(element)}</iq>`,
    );
  }

  /** The focus is in a room before those who asked it. */
  #focusIsThere(element: Element, after: readonly Line[]): void {
    const conference = child(element, "conference", NS.focus);
    const room = conference === undefined ? undefined : attr(conference, "room");
    if (room !== undefined) this.#enterAsked(room, after);
  }

  #enterAsked(room: string, after: readonly Line[]): void {
    if (this.#focusSaid.has(room)) return;
    const said = after
      .flatMap(({ text }) => {
        const element = parse(text.replace(/^\[HTTP 200 text\/xml[^\]]*\] /, ""));
        return element === undefined ? [] : [element, ...element.getChildElements()];
      })
      .find((each) => attr(each, "from") === `${room}/focus`);
    this.focusSays(room, said === undefined ? "<priority>0</priority>" : childrenOf(said));
  }

  focusSays(room: string, children: string): void {
    if (this.#focusSaid.get(room) === children) return;
    const first = !this.#focusSaid.has(room);
    this.#focusSaid.set(room, children);
    this.#focus.send(`<presence to="${room}/focus">${first ? `<x xmlns="${NS.muc}"/>` : ""}${children}</presence>`);
  }

  #grant(room: string, bare: string): void {
    if (this.#granted.has(`${room} ${bare}`)) return;
    this.#granted.add(`${room} ${bare}`);
    this.#focus.send(
      `<iq type="set" id="g" to="${room}"><query xmlns="${NS.mucAdmin}"><item affiliation="owner" jid="${bare}"/></query></iq>`,
    );
  }

  /** Somebody whose side was not recorded says something, or leaves. */
  #stranger(room: string, nick: string, jid: string, children: string | undefined): void {
    const known = this.#strangers.get(`${room}/${nick}`);
    if (known === undefined) {
      if (children === undefined) return;
      const puppet = this.box.guest();
      this.#learn(jid, puppet.jid);
      this.#strangers.set(`${room}/${nick}`, { puppet, said: children });
      puppet.send(
        `<presence to="${room}/${puppet.jid.slice(0, 8)}"><x xmlns="${NS.muc}"/>${this.#translate(children)}</presence>`,
      );
      return;
    }
    const { puppet, said } = known;
    const address = `${room}/${puppet.jid.slice(0, 8)}`;
    if (children === undefined) {
      puppet.send(`<presence to="${address}" type="unavailable"/>`);
      this.#strangers.delete(`${room}/${nick}`);
    } else if (children !== said) {
      known.said = children;
      puppet.send(`<presence to="${address}">${this.#translate(children)}</presence>`);
    }
  }

  /** Who is in a room before a client joins it. */
  #gather(client: Client, join: Element, after: readonly Line[]): void {
    for (const { who, sent, text } of after) {
      if (who !== client.who || sent) continue;
      const told = parse(text);
      if (told?.getName() !== "presence") continue;
      if (attr(told, "from") === attr(join, "to")) return;
      this.#puppets(client, told);
    }
  }

  /** What the focus did before somebody left was told to him before his own goodbye. */
  #beforeGoodbye(client: Client, after: readonly Line[]): void {
    for (const { who, sent, text } of after) {
      if (who !== client.who || sent) continue;
      const told = parse(text);
      if (told === undefined || told.getName() !== "presence") continue;
      if (attr(told, "type") === "unavailable" && descend(told, "x", "status") !== undefined) return;
      if (attr(told, "type") === undefined) this.#puppets(client, told);
    }
  }

  /** One form for both sides. */
  #forms(elements: readonly Element[]): string[] {
    const stanzas: Element[] = [];
    const stream: string[] = [];
    for (const element of elements) {
      const even = this.#back(element);
      if (even.getName() === "close") continue; // whether it comes before the socket's own end is a matter of milliseconds
      if (!isStanza(even)) stream.push(streamForm(even));
      else if (even.getName() === "iq" && this.#ownAnswers.has(attr(even, "id") ?? ""))
        stream.push(`answer to ${attr(even, "id")}`);
      else stanzas.push(withoutDelay(even));
    }
    return [...stream, ...ordered(stanzas)];
  }
}

/** Names, and the attributes that clients act on. */
const streamForm = (element: Element): string =>
  [
    element.getName(),
    ...["resume", "max", "h", "previd"].flatMap((name) =>
      attr(element, name) === undefined ? [] : [`${name}=${attr(element, name)}`],
    ),
  ].join(" ");

/**
 * The original marks what it says again after a resumption as delayed. Ours does not, on purpose: clients throw away JSON messages that are (signaling.md 3.10), so
 * that a moderation switched on meanwhile would be lost.
 */
function withoutDelay(stanza: Element): Element {
  if (stanza.getName() === "message")
    stanza.children = stanza.children.filter((each) => typeof each === "string" || each.getName() !== "delay");
  return stanza;
}

function fail(text: string): never {
  throw new Error(`not XML: ${text}`);
}

function read(text: string): Block[] {
  const blocks: Block[] = [];
  for (const row of text.trim().split("\n").slice(1)) {
    if (row.startsWith("#")) {
      blocks.push({ title: row.replace(/^# *\S+ /, ""), lines: [] });
      continue;
    }
    const [, at = "", who = "", side = "", frame = ""] = /^([\d.]+) (\S+) ([CS])>[CS] (.*)$/.exec(row) ?? [];
    if (who === "") throw new Error(`unreadable line: ${row}`);
    blocks.at(-1)?.lines.push({ ms: Math.round(Number(at) * 1_000), who, sent: side === "C", text: frame });
  }
  return blocks;
}
