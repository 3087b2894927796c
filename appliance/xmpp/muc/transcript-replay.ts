/**
 * Tests only: plays a recorded scenario of the original server against our hosts. What the clients sent is sent again at its time; the focus, whose
 * stream was not recorded with it, does what the recorded answers show it did. What each client got, section by section, is returned side by side,
 * brought to one form: ids, times and the like are starred, JSON and attributes sorted.
 */
import { millis } from "../../time.ts";
import { jidText, parseJid } from "../../wire/jid.ts";
import { attr, clone, type Element, parse } from "../../wire/xml.ts";
import { House, item, type Person } from "./house.ts";

export interface Line {
  readonly ms: number;
  readonly who: string;
  readonly sent: boolean;
  readonly stanza: Element;
}

export interface Section {
  readonly title: string;
  readonly who: string;
  readonly recorded: readonly string[];
  readonly ours: readonly string[];
}

export interface ReplayOptions {
  /** Brings the house to where the recording begins. */
  readonly prepare?: (replay: Replay) => void;
}

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/;

export class Replay {
  readonly house: House;
  readonly #people = new Map<string, Person>();
  readonly #focus: Person;
  readonly #focusSaid = new Map<string, string>();
  readonly #granted = new Set<string>();
  #nextId: string | undefined;
  #ids = 0;

  constructor() {
    this.house = new House({
      newId: () => {
        const given = this.#nextId;
        this.#nextId = undefined;
        return given ?? `00000000-0000-4000-8000-${String(++this.#ids).padStart(12, "0")}`;
      },
    });
    this.#focus = this.house.focus();
  }

  person(who: string, address: string): Person {
    const found = this.#people.get(who);
    if (found !== undefined) return found;
    const person = this.house.person(address, {
      connection: { id: who, transport: "websocket", remoteAddress: "192.0.2.1" },
    });
    this.#people.set(who, person);
    return person;
  }

  /** The focus enters a room, or says something new there. */
  focusSays(room: string, children: string): void {
    if (this.#focusSaid.get(room) === children) return;
    if (!this.#focusSaid.has(room)) this.#focus.join(room, "focus");
    this.#focusSaid.set(room, children);
    this.#focus.send(`<presence to="${room}/focus">${children}</presence>`);
  }

  grant(room: string, bare: string): void {
    const key = `${room} ${bare}`;
    if (this.#granted.has(key)) return;
    this.#granted.add(key);
    this.#focus.send(
      `<iq type="set" id="g" to="${room}"><query xmlns="http://jabber.org/protocol/muc#admin"><item affiliation="owner" jid="${bare}"/></query></iq>`,
    );
  }

  run(text: string, options: ReplayOptions = {}): Section[] {
    const blocks = readRecording(text);
    const addresses = new Map<string, string>();
    for (const block of blocks)
      for (const line of block.lines) if (!line.sent) addresses.set(line.who, attr(line.stanza, "to") ?? "");
    for (const [who, address] of addresses) this.person(who, address);
    options.prepare?.(this);
    for (const person of this.#people.values()) person.take();
    const sections: Section[] = [];
    for (const [index, { title, lines }] of blocks.entries()) {
      const after = blocks.slice(index).flatMap((block) => block.lines);
      for (const line of lines) {
        this.#advance(line.ms);
        if (line.sent) this.#send(line, after.slice(after.indexOf(line)));
        else this.#followFocus(line.stanza);
      }
      // What was on its way when the section ended belongs to it: the next one starts later.
      this.#advance((blocks[index + 1]?.lines[0]?.ms ?? this.house.now + 1_000) - 1);
      for (const [who, person] of this.#people)
        sections.push({
          title,
          who,
          recorded: ordered(lines.filter((line) => !line.sent && line.who === who).map((line) => line.stanza)),
          ours: ordered(person.take()),
        });
    }
    return sections;
  }

  #advance(ms: number): void {
    if (ms > this.house.now) this.house.wait(ms - this.house.now);
  }

  #send(line: Line, after: readonly Line[]): void {
    const { stanza, who } = line;
    const to = parseJid(attr(stanza, "to"));
    const person = this.#people.get(who);
    if (person === undefined || to === undefined) return;
    if (stanza.toString().includes("breakout-rooms/add")) this.#nextId = newRoomIn(after);
    // The focus is in the room before anybody else: clients ask it first.
    if (
      to.local !== undefined &&
      to.domain !== "lobby.meet.test" &&
      stanza.toString().includes("protocol/muc'") === false
    ) {
      const room = `${to.local}@${to.domain}`;
      const said = firstOfFocus(after, room);
      if (stanza.getName() === "presence" && said !== undefined && !this.#focusSaid.has(room))
        this.focusSays(room, said);
    }
    // What the focus did before somebody left was seen by him before he had his own goodbye.
    if (attr(stanza, "type") === "unavailable")
      for (const next of after) {
        if (next.sent || next.who !== who) continue;
        if (attr(next.stanza, "type") === "unavailable") break;
        this.#followFocus(next.stanza);
      }
    this.house.deliver(stanza.toString(), person.sender);
  }

  /** What only the focus can have caused. */
  #followFocus(stanza: Element): void {
    const from = parseJid(attr(stanza, "from"));
    const told = stanza.getName() === "message" ? item(stanza) : undefined;
    if (told?.attrs["affiliation"] === "owner") this.grant(attr(stanza, "from") ?? "", told.attrs["jid"] ?? "");
    if (stanza.getName() !== "presence" || from === undefined || attr(stanza, "type") !== undefined) return;
    const room = `${from.local}@${from.domain}`;
    if (from.resource === "focus") this.focusSays(room, childrenOf(stanza));
    const actor = item(stanza)?.getChild("actor");
    if (actor?.attrs["nick"] === "focus") {
      const target = parseJid(item(stanza)?.attrs["jid"]);
      if (target !== undefined) this.grant(room, jidText({ ...target, resource: undefined }));
    }
  }
}

export const childrenOf = (presence: Element): string =>
  presence
    .getChildElements()
    .filter((each) => each.getName() !== "x" && each.getName() !== "occupant-id")
    .map((each) => each.toString())
    .join("");

function firstOfFocus(lines: readonly Line[], room: string): string | undefined {
  const found = lines.find((line) => !line.sent && attr(line.stanza, "from") === `${room}/focus`);
  return found === undefined ? undefined : childrenOf(found.stanza);
}

/** The id of the breakout room that the original made next. */
const newRoomIn = (lines: readonly Line[]): string | undefined =>
  lines
    .map(
      (line) =>
        (line.stanza.toString().includes("breakout-rooms\\/update")
          ? `${line.stanza.getText()}${line.stanza.getChildText("json-message")}`
          : ""
        ).match(UUID)?.[0],
    )
    .find((each) => each !== undefined);

export function readRecording(text: string): { title: string; lines: Line[] }[] {
  const blocks: { title: string; lines: Line[] }[] = [{ title: "", lines: [] }];
  for (const row of text.trim().split("\n")) {
    if (row.startsWith("#")) {
      blocks.push({ title: row.replace(/^# *\S+ /, ""), lines: [] });
      continue;
    }
    const match = /^(\S+) (\S+) (\S+) (.*)$/.exec(row);
    const stanza = parse((match?.[4] ?? "").replaceAll("&#10;", "\n"));
    if (match === null || stanza === undefined) throw new Error(`unreadable line: ${row}`);
    blocks.at(-1)?.lines.push({
      ms: millis(Math.round(Number(match[1]) * 1_000)),
      who: match[2] ?? "",
      sent: match[3] === "C>S",
      stanza,
    });
  }
  return blocks;
}

/** One form for everything that one client got in a section: order matters within what one address sent, answers to IQs stand apart. */
export function ordered(stanzas: readonly Element[]): string[] {
  const bySource = new Map<string, string[]>();
  for (const stanza of stanzas) {
    const from = (attr(stanza, "from") ?? "").split("/", 1)[0] ?? "";
    const self = stanza.getName() === "presence" && stanza.toString().match(/code=["'](110)["']/) !== null;
    // Existing occupants come in any order, but before oneself.
    const kind = stanza.getName() === "iq" ? "iq" : stanza.getName() === "presence" && !self ? "others" : "room";
    const key = `${from} ${kind}`;
    const list = bySource.get(key) ?? [];
    list.push(canonical(stanza));
    bySource.set(key, list);
  }
  const rows: string[] = [];
  for (const [key, list] of [...bySource].sort(([a], [b]) => a.localeCompare(b)))
    rows.push(...(key.endsWith(" room") ? list : list.sort()));
  return rows;
}

const STARRED: ReadonlySet<string> = new Set(["muc#roominfo_meetingId", "muc#roominfo_created_timestamp"]);
/** Of room information, what clients read (signaling.md 3.6); the rest is the server's own affair. */
const ROOM_INFO: ReadonlySet<string> = new Set([
  "FORM_TYPE",
  "muc#roominfo_meetingId",
  "muc#roominfo_created_timestamp",
  "muc#roominfo_lobbyroom",
  "muc#roominfo_isbreakout",
  "muc#roominfo_breakout_main_room",
  "muc#roominfo_occupants",
]);
const OWNER_FORM: ReadonlySet<string> = new Set([
  "FORM_TYPE",
  "muc#roomconfig_whois",
  "muc#roomconfig_roomsecret",
  "muc#roominfo_meetingId",
]);
/** Features that we do not have and do not claim, or have besides. */
const OTHER_FEATURES: ReadonlySet<string> = new Set(["vcard-temp", "jabber:iq:register"]);

function canonical(stanza: Element): string {
  const copy = clone(stanza);
  delete copy.attrs["id"];
  delete copy.attrs["xml:lang"];
  const query = copy.getChild("query");
  if (query?.getNS() === "http://jabber.org/protocol/disco#info") {
    query.children = query.getChildElements().filter((each) => !OTHER_FEATURES.has(each.attrs["var"] ?? ""));
    for (const each of query.getChildren("identity")) delete each.attrs["name"];
    keepFields(query, ROOM_INFO);
    query.children.sort((a, b) => text(a).localeCompare(text(b)));
  }
  if (query?.getNS() === "http://jabber.org/protocol/muc#owner") keepFields(query, OWNER_FORM);
  return text(copy);
}

function keepFields(query: Element, names: ReadonlySet<string>): void {
  const form = query.getChild("x");
  if (form === undefined) return;
  form.children = form
    .getChildElements()
    .filter((each) => names.has(each.attrs["var"] ?? ""))
    .map((field) => {
      const value = field.getChildText("value") ?? "";
      const shown = STARRED.has(field.attrs["var"] ?? "") ? "*" : value;
      return `${field.attrs["var"]}=${shown} `;
    })
    .sort();
}

function text(node: Element | string): string {
  if (typeof node === "string") return node.trim();
  const name = node.getName();
  const attributes = Object.entries(node.attrs)
    .filter(([key]) => key !== "xmlns")
    .map(([key, value]) => {
      const starred = (name === "occupant-id" && key === "id") || (name === "delay" && key === "stamp");
      return ` ${key}=${starred ? "*" : value}`;
    })
    .sort();
  let children = node.children.map(text);
  if (name === "json-message") children = [json(node.getText())];
  if (name === "permissions") children = children.filter((each) => !each.includes("send-private-message")).sort();
  const ns = node.attrs["xmlns"];
  return `<${name}${ns === undefined || name === "presence" || name === "message" || name === "iq" ? "" : `{${ns}}`}${attributes.join("")}>${children.join("")}</>`;
}

/** JSON with sorted keys; what belongs to a run or is known to differ is evened out. */
function json(source: string): string {
  const even = (value: unknown, key: string): unknown => {
    if (Array.isArray(value)) return value.map((each) => even(each, ""));
    if (typeof value !== "object" || value === null) return key === "totalDominantSpeakerTime" ? "*" : value;
    const entries = Object.entries(value);
    // An empty list of services or landmarks is an object with the original, on which clients log an error (signaling.md 3.2).
    if (entries.length === 0 && (key === "services" || key === "faceLandmarks")) return [];
    // The original learns a name only from a second presence.
    const known = key !== "speaker" ? entries : entries.filter(([name]) => name !== "displayName");
    return Object.fromEntries(
      known
        .map(([name, each]) => [name, even(each, key === "users" ? "speaker" : name)] as const)
        .sort(([a], [b]) => a.localeCompare(b)),
    );
  };
  return JSON.stringify(even(JSON.parse(source), ""));
}
