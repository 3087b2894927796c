import { expect, test } from "bun:test";
import { codes, fault, item } from "../muc/house.ts";
import { ANA, BEN, CLEO, jsonFrom, Meeting, named } from "./meeting-fixture.ts";

const PREFIX = "features/breakout-rooms/";
interface Update {
  readonly event: string;
  readonly roomCounter: number;
  readonly rooms: Readonly<
    Record<
      string,
      {
        readonly jid: string;
        readonly name?: string;
        readonly participants: Readonly<Record<string, { readonly displayName?: string }>>;
      }
    >
  >;
}
const updates = (stanzas: Parameters<typeof jsonFrom>[0]): Update[] => jsonFrom(stanzas, "breakout") as Update[];

/** A meeting with one breakout room; its address. */
function withRoom() {
  const m = new Meeting();
  m.tell(m.ana, "breakout", `<breakout_rooms type="${PREFIX}add" subject="Group 1"/>`);
  m.house.wait(300);
  const update = updates(m.ana.take())[0];
  const jid = Object.values(update?.rooms ?? {}).find((room) => room.name === "Group 1")?.jid ?? "";
  m.clear();
  return { m, jid };
}

const switchTo = (m: Meeting, who: typeof m.ben, nick: string, from: string, to: string) => {
  who.send(`<presence type="unavailable" to="${from}/${nick}"><status>switch_room</status></presence>`);
  m.focus.join(to, "focus");
  return who.join(to, nick, "", named(nick));
};

test("made, renamed, removed by moderators; everybody is told, changes bundled for 0.3 s", () => {
  const m = new Meeting();
  m.tell(m.ana, "breakout", `<breakout_rooms type="${PREFIX}add" subject="A"/>`);
  m.tell(m.ana, "breakout", `<breakout_rooms type="${PREFIX}add" subject="B"/>`);
  m.house.wait(299);
  expect(updates(m.ben.take())).toEqual([]);
  m.house.wait(1);
  const [update, ...more] = updates(m.ben.take());
  expect(more).toEqual([]);
  expect(update?.roomCounter).toBe(2);
  expect(Object.values(update?.rooms ?? {}).map((room) => room.name)).toEqual([undefined, "A", "B"]);
  expect(Object.keys(update?.rooms["standup"]?.participants ?? {})).toEqual(
    [ANA, BEN, CLEO].map((nick) => `${m.room}/${nick}`),
  );
  expect(update?.rooms["standup"]?.participants[`${m.room}/${BEN}`]).toEqual({
    jid: m.ben.jid,
    role: "participant",
    displayName: "Ben",
  } as never);
  const jid = Object.values(update?.rooms ?? {})[1]?.jid;
  m.tell(m.ana, "breakout", `<breakout_rooms type="${PREFIX}rename" breakoutRoomJid="${jid}" subject="C"/>`);
  m.house.wait(300);
  expect(Object.values(updates(m.ben.take())[0]?.rooms ?? {}).map((room) => room.name)).toEqual([undefined, "C", "B"]);
  m.tell(m.ana, "breakout", `<breakout_rooms type="${PREFIX}remove" breakoutRoomJid="${jid}"/>`);
  m.house.wait(300);
  expect(Object.values(updates(m.ben.take())[0]?.rooms ?? {}).map((room) => room.name)).toEqual([undefined, "B"]);
});

test("sending somebody needs his real address; he goes and is seen there; the focus is not counted", () => {
  const { m, jid } = withRoom();
  const move = (participant: string) =>
    m.tell(
      m.ana,
      "breakout",
      `<breakout_rooms type="${PREFIX}move-to-room" participantJid="${participant}" roomJid="${jid}"/>`,
    );
  expect(fault(move(`${m.room}/${BEN}`)[0])).toBe("cancel/item-not-found");
  move(m.ben.jid);
  expect(jsonFrom(m.ben.take(), "breakout")).toEqual([
    { type: "breakout_rooms", event: `${PREFIX}move-to-room`, roomJid: jid },
  ]);
  const got = switchTo(m, m.ben, BEN, m.room, jid);
  expect(codes(got.filter((each) => each.getName() === "presence").at(-1))).toEqual([100, 110]);
  expect(got.at(-1)?.getChildText("subject")).toBe("Group 1");
  m.clear();
  m.house.wait(300);
  const [update] = updates(m.ana.take());
  const local = jid.split("@", 1)[0] ?? "";
  expect(Object.keys(update?.rooms[local]?.participants ?? {})).toEqual([`${jid}/${BEN}`]);
  expect(Object.keys(update?.rooms["standup"]?.participants ?? {})).toEqual([`${m.room}/${ANA}`, `${m.room}/${CLEO}`]);
  expect(updates(m.ben.take())).toHaveLength(1);
  expect(updates(m.focus.take())).toEqual([]);
});

test("standing is the meeting's: owners are moderators there, and what is granted there holds in the meeting", () => {
  const { m, jid } = withRoom();
  switchTo(m, m.ben, BEN, m.room, jid);
  const self = switchTo(m, m.ana, ANA, m.room, jid).find((each) => codes(each).includes(110));
  expect(item(self)?.attrs["role"]).toBe("moderator");
  m.clear();
  m.ana.send(
    `<iq type="set" id="g" to="${jid}"><query xmlns="http://jabber.org/protocol/muc#admin"><item affiliation="owner" jid="${m.ben.bare}"/></query></iq>`,
  );
  expect(item(m.ben.take()[0])?.attrs["role"]).toBe("moderator");
  const back = switchTo(m, m.ben, BEN, jid, m.room).find((each) => codes(each).includes(110));
  expect(item(back)?.attrs["role"]).toBe("moderator");
});

test("nobody enters who was not let into the meeting, or was sent out of it", () => {
  const { m, jid } = withRoom();
  m.focus.join(jid, "focus");
  const stranger = m.house.guest("20e00000");
  expect(fault(stranger.join(jid, "20e00000")[0])).toBe("cancel/not-allowed");
  m.kick(m.ana, m.room, CLEO);
  m.clear();
  expect(fault(m.cleo.join(jid, CLEO)[0])).toBe("cancel/not-allowed");
  expect(fault(m.ben.join("unknown@breakout.meet.test", BEN)[0])).toBe("cancel/not-allowed");
});

test("removed with people inside: they are sent back to the meeting", () => {
  const { m, jid } = withRoom();
  switchTo(m, m.ben, BEN, m.room, jid);
  m.clear();
  m.tell(m.ana, "breakout", `<breakout_rooms type="${PREFIX}remove" breakoutRoomJid="${jid}"/>`);
  expect(m.ben.take()[0]?.getChild("x")?.getChild("destroy")?.attrs["jid"]).toBe(m.room);
});

test("the meeting stays while somebody is in a breakout room, and 5 s longer", () => {
  const { m, jid } = withRoom();
  m.cleo.leave(m.room, CLEO);
  m.ana.leave(m.room, ANA);
  switchTo(m, m.ben, BEN, m.room, jid);
  m.focus.leave(m.room, "focus");
  m.house.wait(60_000);
  const exists = () =>
    fault(
      m.focus.send(
        `<iq type="get" id="d" to="${m.room}"><query xmlns="http://jabber.org/protocol/disco#info"/></iq>`,
      )[0],
    ) === undefined;
  expect(exists()).toBe(true);
  m.ben.leave(jid, BEN);
  m.focus.leave(jid, "focus");
  m.house.wait(4_999);
  expect(exists()).toBe(true);
  m.house.wait(1);
  expect(exists()).toBe(false);
});

test("not for participants; ending the meeting ends its rooms", () => {
  const { m, jid } = withRoom();
  expect(fault(m.tell(m.ben, "breakout", `<breakout_rooms type="${PREFIX}add" subject="X"/>`)[0])).toBe(
    "cancel/service-unavailable",
  );
  expect(fault(m.tell(m.ana, "breakout", '<breakout_rooms type="dance"/>')[0])).toBe("modify/bad-request");
  switchTo(m, m.ben, BEN, m.room, jid);
  m.clear();
  m.tell(m.ana, "endconference", "<end_conference/>");
  expect(m.ben.take()[0]?.attrs).toMatchObject({ type: "unavailable", from: `${jid}/${BEN}` });
});

test("muting all day tells nobody in other rooms anything", () => {
  const { m } = withRoom();
  m.ben.send(`<presence to="${m.room}/${BEN}">${named("Ben")}<SourceInfo>{}</SourceInfo></presence>`);
  m.house.wait(1_000);
  expect(updates(m.ana.take())).toEqual([]);
  m.ben.send(`<presence to="${m.room}/${BEN}">${named("Benjamin")}</presence>`);
  m.house.wait(1_000);
  expect(updates(m.ana.take())).toHaveLength(1);
});
