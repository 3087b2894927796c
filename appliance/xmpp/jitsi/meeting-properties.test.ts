/**
 * Laws of whole meetings, with lobby and breakout rooms, under any sequence of doings: everybody in a meeting and its rooms is told the truth about who is
 * where, and when all have gone nothing is left. Seeds are printed with a failure.
 */
import { expect, test } from "bun:test";
import { attr } from "../../wire/xml.ts";
import { codes, DOMAINS, House, type Person } from "../muc/house.ts";
import { MucService } from "../muc/service.ts";
import { jsonFrom, named } from "./meeting-fixture.ts";

/** Mulberry32. */
function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

interface Update {
  readonly event: string;
  readonly rooms: Readonly<
    Record<string, { readonly jid: string; readonly participants: Readonly<Record<string, unknown>> }>
  >;
}

const MAIN = "standup@muc.meet.test";
const LOBBY = "standup@lobby.meet.test";

function scenario(seed: number): void {
  const next = random(seed);
  const pick = <Item>(items: readonly Item[]): Item => {
    const found = items[Math.floor(next() * items.length)];
    if (found === undefined) throw new Error("nothing to pick from");
    return found;
  };
  const house = new House();
  const focus = house.focus();
  focus.join(MAIN, "focus");
  const people = Array.from({ length: 6 }, (_, index) => {
    const nick = String(index + 1).padStart(8, "0");
    return { nick, person: house.guest(nick, { room: "standup" }), at: new Set<string>() };
  });
  type Somebody = (typeof people)[number];
  const [host] = people;
  if (host === undefined) throw new Error("nobody");
  /** What each was last told of breakout rooms. */
  const told = new Map<Person, Update>();
  let breakouts: string[] = [];
  const listen = (): void => {
    focus.take();
    for (const { person, at } of people)
      for (const stanza of person.take()) {
        const from = attr(stanza, "from") ?? "";
        const room = from.split("/", 1)[0] ?? "";
        if (stanza.getName() === "presence" && codes(stanza).includes(110)) {
          if (attr(stanza, "type") === "unavailable") at.delete(room);
          else at.add(room);
        }
        for (const json of jsonFrom([stanza], "breakout") as Update[])
          if (json.event.endsWith("/update")) told.set(person, json);
      }
    const known = [...told.values()].at(-1)?.rooms ?? {};
    breakouts = Object.values(known)
      .map((room) => room.jid)
      .filter((jid) => jid.endsWith("@breakout.meet.test"));
  };
  const leave = (who: Somebody): void => {
    for (const room of [...who.at]) if (room !== LOBBY) who.person.leave(room, who.nick);
    listen();
  };
  const enter = (who: Somebody, room: string): void => {
    leave(who);
    focus.join(room, "focus");
    who.person.join(room, who.nick, "", named(who.nick));
    listen();
  };
  const command = (what: string): void => {
    host.person.send(`<message to="breakout.meet.test"><breakout_rooms ${what}/></message>`);
  };
  const owner = (): void => {
    focus.send(
      `<iq type="set" id="o" to="${MAIN}"><query xmlns="http://jabber.org/protocol/muc#admin"><item affiliation="owner" jid="${host.person.bare}"/></query></iq>`,
    );
  };
  enter(host, MAIN);
  owner();
  for (let step = 0; step < 50; step++) {
    const who = pick(people);
    const room = breakouts.length === 0 ? MAIN : pick(breakouts);
    pick<() => void>([
      () => enter(who, MAIN),
      () => enter(who, MAIN),
      () => enter(who, room),
      () => leave(who),
      () => command(`type="features/breakout-rooms/add" subject="r${step}"`),
      () => command(`type="features/breakout-rooms/rename" breakoutRoomJid="${room}" subject="n${step}"`),
      () => command(`type="features/breakout-rooms/remove" breakoutRoomJid="${room}"`),
      () =>
        host.person.send(
          `<iq type="set" id="c" to="${MAIN}"><query xmlns="http://jabber.org/protocol/muc#owner"><x xmlns="jabber:x:data" type="submit"><field var="muc#roomconfig_membersonly"><value>${pick(["0", "1"])}</value></field></x></query></iq>`,
        ),
      () => who.person.join(LOBBY, `l${who.nick}`, "", named(who.nick)),
      () => who.person.leave(LOBBY, `l${who.nick}`),
      () =>
        host.person.send(
          `<message to="${MAIN}"><x xmlns="http://jabber.org/protocol/muc#user"><invite to="${who.person.jid}"/></x></message>`,
        ),
      () =>
        host.person.send(
          `<iq type="set" id="k" to="${pick([MAIN, LOBBY, room])}"><query xmlns="http://jabber.org/protocol/muc#admin"><item role="none" nick="${pick([who.nick, `l${who.nick}`])}"/></query></iq>`,
        ),
      () => owner(),
      () => house.wait(pick([100, 1_000, 10_000])),
    ])();
    listen();
  }
  // At rest, whoever is in the meeting or one of its rooms has been told who is where.
  house.wait(10_000);
  listen();
  const inside = people.filter(({ at }) => [...at].some((room) => room !== LOBBY));
  const truth = new Map<string, string[]>();
  for (const { nick, at } of people)
    for (const room of at) if (room !== LOBBY) truth.set(room, [...(truth.get(room) ?? []), `${room}/${nick}`].sort());
  if (breakouts.length > 0)
    for (const { person } of inside)
      for (const room of Object.values(told.get(person)?.rooms ?? {}))
        expect({ seed, room: room.jid, who: Object.keys(room.participants).sort() }).toEqual({
          seed,
          room: room.jid,
          who: truth.get(room.jid) ?? [],
        });
  // And when everybody has gone, nothing is left: no room, no deadline.
  for (const { person } of people) house.close(person);
  house.close(focus);
  house.wait(60_000);
  const services = house.hosts.filter((each) => each instanceof MucService);
  expect({ seed, rooms: services.flatMap((each) => [...each.rooms()].map((room) => room.jidText)) }).toEqual({
    seed,
    rooms: [],
  });
  expect({ seed, deadlines: house.hosts.flatMap((each) => each.nextDeadline?.() ?? []) }).toEqual({
    seed,
    deadlines: [],
  });
  expect(services.map((each) => each.domain)).toContain(DOMAINS.muc);
}

test("everybody is told where everybody is, and nothing outlives its people", () => {
  for (let seed = 1; seed <= 25; seed++) scenario(seed);
});
