import { describe, expect, test } from "bun:test";
import { brief, codes, fault, House, item, type Person } from "./house.ts";

const ANA = "7c1e22d0";
const BEN = "b04f9a61";
const CLEO = "c0ffee00";

const admin = (who: Person, room: string, items: string): ReturnType<Person["send"]> =>
  who.send(
    `<iq type="set" id="a1" to="${room}"><query xmlns="http://jabber.org/protocol/muc#admin">${items}</query></iq>`,
  );

function three() {
  const house = new House();
  const { room, focus } = house.meeting("standup");
  const [ana, ben, cleo] = [house.guest(ANA), house.guest(BEN), house.guest(CLEO)];
  ana.join(room, ANA);
  ben.join(room, BEN);
  cleo.join(room, CLEO);
  admin(focus, room, `<item affiliation="owner" jid="${ana.bare}"/>`);
  for (const each of [focus, ana, ben, cleo]) each.take();
  return { house, room, focus, ana, ben, cleo };
}

describe("owner by the focus", () => {
  test("everybody sees the moderator; the one concerned with 110, actor and permissions", () => {
    const { room, focus, ana, ben } = three();
    const answer = admin(focus, room, `<item affiliation="owner" jid="${ben.bare}"><reason>next</reason></item>`);
    expect(answer.map(brief)).toEqual([`presence ${room}/${BEN}`, `iq result ${room}`]);
    const [seen] = ana.take();
    expect(item(seen)?.toString()).toBe(
      `<item affiliation="owner" role="moderator" jid="${ben.jid}"><actor nick="focus" jid="focus@auth.meet.test/focus"/><reason>next</reason></item>`,
    );
    const [own] = ben.take();
    expect(codes(own)).toEqual([110]);
    expect(item(own)?.getChild("actor")?.attrs).toEqual({ nick: "focus" });
  });

  test("it stays when the owner comes back", () => {
    const { room, ana } = three();
    ana.leave(room, ANA);
    const self = ana.join(room, ANA).find((each) => codes(each).includes(110));
    expect(item(self)?.attrs["role"]).toBe("moderator");
  });
});

describe("kick", () => {
  test("307 to all, 110 to the victim, affiliation gone, as in ws-call-3", () => {
    const { room, ana, ben, cleo, focus } = three();
    admin(focus, room, `<item affiliation="member" jid="${cleo.bare}"/>`);
    for (const each of [focus, ana, ben, cleo]) each.take();
    const got = admin(ana, room, `<item nick="${CLEO}" role="none"><reason>rig says bye</reason></item>`);
    expect(got.map(brief)).toEqual([
      `message ${room} x`,
      `presence unavailable ${room}/${CLEO} 307`,
      `iq result ${room}`,
    ]);
    expect(item(got[0])?.attrs).toEqual({ jid: cleo.bare, affiliation: "none" });
    expect(item(got[1])?.toString()).toBe(
      `<item affiliation="none" role="none" jid="${cleo.jid}"><actor nick="${ANA}" jid="${ana.jid}"/><reason>rig says bye</reason></item>`,
    );
    const [own] = cleo.take();
    expect(codes(own)).toEqual([307, 110]);
    expect(item(own)?.getChild("actor")?.attrs).toEqual({ nick: ANA });
    expect(ben.take().map(brief)).toEqual([`message ${room} x`, `presence unavailable ${room}/${CLEO} 307`]);
  });

  test("not by participants, not of the focus, not of somebody who is not there", () => {
    const { room, ana, ben } = three();
    expect(fault(admin(ben, room, `<item nick="${ANA}" role="none"/>`)[0])).toBe("cancel/not-allowed");
    expect(fault(admin(ana, room, '<item nick="focus" role="none"/>')[0])).toBe("cancel/not-allowed");
    expect(fault(admin(ana, room, '<item nick="nobody" role="none"/>')[0])).toBe("modify/item-not-found");
  });
});

describe("affiliations", () => {
  test("several items in one set are all applied", () => {
    const { room, ana, ben, cleo } = three();
    const got = admin(
      ana,
      room,
      `<item affiliation="member" jid="${ben.bare}"/><item affiliation="member" jid="${cleo.bare}"/><item affiliation="member" jid="absent@meet.test"/>`,
    );
    expect(got.map(brief)).toEqual([
      `presence ${room}/${BEN}`,
      `presence ${room}/${CLEO}`,
      `message ${room} x`,
      `iq result ${room}`,
    ]);
    expect(item(got[2])?.attrs).toEqual({ jid: "absent@meet.test", affiliation: "member" });
  });

  test("all or nothing: one forbidden item stops the others", () => {
    const { room, ana, ben } = three();
    const got = admin(
      ana,
      room,
      `<item affiliation="member" jid="${ben.bare}"/><item affiliation="none" jid="focus@auth.meet.test"/>`,
    );
    expect(got.map(fault)).toEqual(["cancel/not-allowed"]);
  });

  test("an owner may take another's ownership; he is a participant then", () => {
    const { room, ana, ben } = three();
    admin(ana, room, `<item affiliation="owner" jid="${ben.bare}"/>`);
    ben.take();
    admin(ana, room, `<item affiliation="none" jid="${ben.bare}"/>`);
    const [own] = ben.take();
    expect(item(own)?.attrs).toEqual({ affiliation: "none", role: "participant", jid: ben.jid });
  });

  test("a ban: 301, and never in again; not of oneself", () => {
    const { room, ana, cleo } = three();
    const got = admin(ana, room, `<item affiliation="outcast" jid="${cleo.bare}"><reason>out</reason></item>`);
    expect(got.map(brief)).toEqual([`presence unavailable ${room}/${CLEO} 301`, `iq result ${room}`]);
    expect(item(got[0])?.attrs["affiliation"]).toBe("outcast");
    cleo.take();
    expect(fault(cleo.join(room, CLEO)[0])).toBe("auth/forbidden");
    expect(fault(admin(ana, room, `<item affiliation="outcast" jid="${ana.bare}"/>`)[0])).toBe("cancel/conflict");
  });

  test("lists: owners for the owner with the services, roles for moderators only", () => {
    const { room, ana, ben } = three();
    const get = (who: Person, what: string) =>
      who.send(
        `<iq type="get" id="l" to="${room}"><query xmlns="http://jabber.org/protocol/muc#admin"><item ${what}/></query></iq>`,
      )[0];
    expect(
      get(ana, 'affiliation="owner"')
        ?.getChild("query")
        ?.getChildElements()
        .map((each) => each.attrs["jid"]),
    ).toEqual(["focus@auth.meet.test", ana.bare]);
    expect(fault(get(ben, 'role="participant"'))).toBe("auth/forbidden");
    expect(
      get(ana, 'role="participant"')
        ?.getChild("query")
        ?.getChildElements()
        .map((each) => each.attrs["nick"]),
    ).toEqual([BEN, CLEO]);
    expect(fault(get(ben, 'affiliation="outcast"'))).toBe("auth/forbidden");
    expect(fault(get(ana, 'affiliation="emperor"'))).toBe("modify/bad-request");
  });

  test("nonsense is a bad request", () => {
    const { room, ana } = three();
    for (const items of [
      "",
      "<item/>",
      '<item nick="b04f9a61"/>',
      '<item affiliation="owner"/>',
      '<item role="king" nick="b04f9a61"/>',
    ])
      expect(fault(admin(ana, room, items)[0])).toBe("modify/bad-request");
    expect(fault(admin(ana, room, '<item affiliation="owner" jid="@@"/>')[0])).toBe("modify/jid-malformed");
  });
});

test("a moderated brewery room: voice is asked for and granted", () => {
  const house = new House();
  const room = "lounge@internal-muc.meet.test";
  const [boss, worker] = [
    house.person("boss@auth.meet.test/1", { kind: "service", admin: true }),
    house.person("jibri@auth.meet.test/2", { kind: "service" }),
  ];
  boss.join(room, "boss");
  boss.send(
    `<iq type="set" id="c" to="${room}"><query xmlns="http://jabber.org/protocol/muc#owner"><x xmlns="jabber:x:data" type="submit"><field var="muc#roomconfig_moderatedroom"><value>1</value></field></x></query></iq>`,
  );
  worker.join(room, "worker");
  expect(fault(worker.send(`<message type="groupchat" to="${room}"><body>hi</body></message>`)[0])).toBe(
    "auth/forbidden",
  );
  boss.take();
  worker.send(
    `<message to="${room}"><x xmlns="jabber:x:data" type="submit"><field var="FORM_TYPE"><value>http://jabber.org/protocol/muc#request</value></field><field var="muc#role"><value>participant</value></field></x></message>`,
  );
  expect(boss.take().map(brief)).toEqual([`message ${room} x`]);
  worker.take();
  boss.send(
    `<message to="${room}"><x xmlns="jabber:x:data" type="submit"><field var="FORM_TYPE"><value>http://jabber.org/protocol/muc#request</value></field><field var="muc#roomnick"><value>worker</value></field><field var="muc#request_allow"><value>true</value></field></x></message>`,
  );
  expect(item(worker.take()[0])?.attrs["role"]).toBe("participant");
  expect(worker.send(`<message type="groupchat" to="${room}"><body>hi</body></message>`).map(brief)).toEqual([
    `message groupchat ${room}/worker body`,
  ]);
});
