/**
 * Laws of rooms under any sequence of doings: everybody inside has the same view, nothing throws, and a stanza costs what MUC itself needs. Seeds are
 * printed with a failure.
 */
import { describe, expect, test } from "bun:test";
import { attr, child, type Element } from "../../wire/xml.ts";
import { codes, fault, House, item, type Person } from "./house.ts";

/** Mulberry32: a small seeded generator, so that a failing run can be had again. */
function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** What one client believes of a room, from the presences it got. */
class View {
  readonly occupants = new Map<string, string>();
  joined = false;

  constructor(readonly room: string) {}

  take(stanzas: readonly Element[]): void {
    for (const stanza of stanzas) {
      const from = attr(stanza, "from") ?? "";
      if (stanza.getName() !== "presence" || !from.startsWith(`${this.room}/`)) continue;
      const nick = from.slice(this.room.length + 1);
      const type = attr(stanza, "type");
      if (type === "error") continue;
      const self = codes(stanza).includes(110);
      if (type === "unavailable") {
        this.occupants.delete(nick);
        if (self && !codes(stanza).includes(303)) {
          this.joined = false;
          this.occupants.clear();
        }
        continue;
      }
      const facts = item(stanza)?.attrs;
      this.occupants.set(
        nick,
        `${facts?.["jid"]} ${facts?.["affiliation"]} ${facts?.["role"]} ${child(stanza, "s")?.getText() ?? ""}`,
      );
      if (self) this.joined = true;
    }
  }
}

function scenario(seed: number, room: string, service: boolean): void {
  const next = random(seed);
  const pick = <Item>(items: readonly Item[]): Item => {
    const found = items[Math.floor(next() * items.length)];
    if (found === undefined) throw new Error("nothing to pick from");
    return found;
  };
  const house = new House({ limits: { rooms: 10, occupantsPerRoom: 6, roomsPerUser: 3 } });
  const focus = house.focus();
  const everybody = [focus];
  const views = new Map<Person, View>([[focus, new View(room)]]);
  const nicks = new Map<Person, string>([[focus, "focus"]]);
  let count = 0;
  const admit = (): Person => {
    const name = String(++count).padStart(8, "0");
    const person = service ? house.person(`s${count}@auth.meet.test/r`, { kind: "service" }) : house.guest(name);
    everybody.push(person);
    views.set(person, new View(room));
    nicks.set(person, name);
    return person;
  };
  while (count < 8) admit();
  const admin = (who: Person, what: string) =>
    who.send(
      `<iq type="set" id="a" to="${room}"><query xmlns="http://jabber.org/protocol/muc#admin"><item ${what}/></query></iq>`,
    );
  const configure = (who: Person, name: string, value: string) =>
    who.send(
      `<iq type="set" id="c" to="${room}"><query xmlns="http://jabber.org/protocol/muc#owner"><x xmlns="jabber:x:data" type="submit"><field var="muc#roomconfig_${name}"><value>${value}</value></field></x></query></iq>`,
    );
  const nick = (who: Person) => nicks.get(who) ?? "";
  focus.join(room, "focus");
  for (let step = 0; step < 60; step++) {
    const who = pick(everybody);
    const whom = pick(everybody);
    const doings: (() => void)[] = [
      () => who.join(room, nick(who), next() < 0.3 ? "<password>p</password>" : "", "<s>j</s>"),
      () => who.join(room, nick(who), "", "<s>j</s>"),
      () => who.join(room, nick(who), "", "<s>j</s>"),
      () => who.leave(room, nick(who)),
      () => who.send(`<presence to="${room}/${nick(who)}"><s>${step}</s></presence>`),
      () => admin(who, `nick="${nick(whom)}" role="${pick(["none", "visitor", "participant", "moderator"])}"`),
      () =>
        admin(
          pick([focus, who]),
          `jid="${whom.bare}" affiliation="${pick(["none", "member", "admin", "owner", "outcast"])}"`,
        ),
      () => configure(pick([focus, who]), "membersonly", pick(["0", "1"])),
      () => configure(focus, "moderatedroom", pick(["0", "1"])),
      () => configure(focus, "roomsecret", pick(["", "p"])),
      () => focus.join(room, "focus"),
      () => house.wait(pick([10, 1_000, 20_000])),
      () => {
        if (who === focus) return;
        house.close(who);
        everybody.splice(everybody.indexOf(who), 1);
        admit();
      },
      () => {
        if (!service) return;
        who.send(`<presence to="${room}/n${step}"/>`);
      },
    ];
    pick(doings)();
    for (const person of views.keys()) {
      const got = person.take();
      const view = views.get(person);
      view?.take(got);
      // A new nick holds from the self-presence on.
      for (const stanza of got)
        if (stanza.getName() === "presence" && attr(stanza, "type") === undefined && codes(stanza).includes(110))
          nicks.set(person, (attr(stanza, "from") ?? "").slice(room.length + 1));
    }
    const inside = everybody.filter((person) => views.get(person)?.joined === true);
    const [first, ...others] = inside.map((person) =>
      Object.fromEntries([...(views.get(person)?.occupants ?? [])].sort()),
    );
    for (const other of others) expect({ seed, step, view: other }).toEqual({ seed, step, view: first ?? {} });
    if (first !== undefined)
      expect({ seed, step, count: Object.keys(first).length }).toEqual({ seed, step, count: inside.length });
  }
}

describe("everybody inside has the same view, whatever happens", () => {
  test("in meetings", () => {
    for (let seed = 1; seed <= 60; seed++) scenario(seed, "standup@muc.meet.test", false);
  });
  test("in breweries, where nicks change", () => {
    for (let seed = 1_001; seed <= 1_040; seed++) scenario(seed, "brewery@internal-muc.meet.test", true);
  });
});

test("nothing throws on anything: random stanzas from anybody to anywhere", () => {
  for (let seed = 1; seed <= 25; seed++) {
    const next = random(seed);
    const pick = <Item>(items: readonly Item[]): Item => items[Math.floor(next() * items.length)] as Item;
    const house = new House();
    const { room, focus } = house.meeting("standup");
    const ana = house.guest("7c1e22d0", { room: "standup" });
    ana.join(room, "7c1e22d0");
    focus.send(
      `<iq type="set" id="o" to="${room}"><query xmlns="http://jabber.org/protocol/muc#admin"><item affiliation="owner" jid="${ana.bare}"/></query></iq>`,
    );
    const people = [focus, ana, house.guest("b04f9a61"), house.person("zoe@other.example/x", { kind: "remote" })];
    const names = [
      "muc",
      "lobby",
      "breakout",
      "internal-muc",
      "metadata",
      "polls",
      "avmoderation",
      "speakerstats",
      "endconference",
    ];
    const elements = [
      "x",
      "query",
      "item",
      "json-message",
      "av_moderation",
      "room_metadata",
      "breakout_rooms",
      "invite",
      "subject",
      "body",
      "field",
      "value",
      "error",
      "speakerstats",
      "password",
      "nick",
      "destroy",
      "ping",
    ];
    const namespaces = [
      "",
      "http://jabber.org/protocol/muc",
      "http://jabber.org/protocol/muc#user",
      "http://jabber.org/protocol/muc#admin",
      "http://jabber.org/protocol/muc#owner",
      "jabber:x:data",
      "http://jitsi.org/jitmeet",
      "http://jabber.org/protocol/disco#info",
      "http://jabber.org/protocol/nick",
      "urn:xmpp:ping",
    ];
    const values = [
      "",
      "owner",
      "none",
      "moderator",
      "true",
      "audio",
      "7c1e22d0",
      room,
      `${room}/7c1e22d0`,
      "@",
      "features/breakout-rooms/add",
      "submit",
      "muc#roomconfig_roomsecret",
      "9".repeat(300),
      "{",
      '{"type":"polls","pollId":"x","command":"new-poll"}',
      '{"key":"a","data":[[[]]]}',
    ];
    const escaped = (text: string): string =>
      text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
    const element = (depth: number): string => {
      const name = pick(elements);
      const ns = pick(namespaces);
      const attributes = [
        "role",
        "affiliation",
        "nick",
        "jid",
        "type",
        "to",
        "room",
        "var",
        "enable",
        "mediaType",
        "jidToWhitelist",
        "subject",
        "roomJid",
        "participantJid",
        "code",
      ]
        .filter(() => next() < 0.2)
        .map((each) => `${each}="${escaped(pick(values))}"`)
        .join(" ");
      const inner =
        depth > 3 || next() < 0.3
          ? escaped(pick(values))
          : Array.from({ length: Math.floor(next() * 3) }, () => element(depth + 1)).join("");
      return `<${name}${ns === "" ? "" : ` xmlns="${ns}"`} ${attributes}>${inner}</${name}>`;
    };
    for (let count = 0; count < 200; count++) {
      const domain = `${pick(names)}.meet.test`;
      const to = pick([
        domain,
        `standup@${domain}`,
        `standup@${domain}/7c1e22d0`,
        `standup@${domain}/focus`,
        `nowhere@${domain}/x`,
        `standup@${domain}/${"n".repeat(900)}`,
      ]);
      const kind = pick(["presence", "message", "iq"]);
      const type = pick(["", "get", "set", "result", "error", "groupchat", "chat", "unavailable", "subscribe", "odd"]);
      try {
        pick(people).send(
          `<${kind} to="${to}" id="i" ${type === "" ? "" : `type="${type}"`}>${element(0)}${element(0)}</${kind}>`,
        );
        house.wait(Math.floor(next() * 500));
      } catch (cause) {
        throw new Error(`seed ${seed}, stanza ${count}`, { cause });
      }
    }
  }
});

test("a join costs 2n presences, an update n, whatever the size of the room", () => {
  for (const size of [5, 20, 60]) {
    const house = new House({ limits: { rooms: 10, occupantsPerRoom: 500, roomsPerUser: 10 } });
    const { room } = house.meeting("standup");
    const people: Person[] = [];
    for (let index = 0; index < size; index++) {
      const nick = String(index).padStart(8, "0");
      const person = house.guest(nick);
      person.join(room, nick);
      people.push(person);
    }
    const host = house.host("muc.meet.test");
    const last = people.at(-1);
    const stanza = (more: string): Element | undefined => last?.inbox.at(-1) && parsePresence(room, last, more);
    const count = (presence: Element | undefined): number =>
      presence === undefined || last === undefined ? 0 : (host?.handle(house.now, presence, last.sender).length ?? 0);
    // One to everybody inside, the focus included.
    expect(count(stanza(""))).toBe(size + 1);
    const newcomer = house.guest("ffffffff");
    const before = [...people].map((person) => person.inbox.length);
    // The focus and all others, oneself, metadata, speaker statistics, subject.
    expect(newcomer.join(room, "ffffffff")).toHaveLength(size + 1 + 4);
    expect(people.every((person, index) => person.inbox.length === (before[index] ?? 0) + 1)).toBe(true);
  }
});

const parsePresence = (room: string, person: Person, more: string): Element | undefined => {
  const nick = person.jid.slice(0, 8);
  person.take();
  const seen = person
    .send(`<presence to="${room}/${nick}">${more}</presence>`)
    .find((each) => codes(each).includes(110));
  if (seen === undefined || fault(seen) !== undefined) return undefined;
  seen.attrs["to"] = `${room}/${nick}`;
  seen.attrs["from"] = person.jid;
  return seen;
};
