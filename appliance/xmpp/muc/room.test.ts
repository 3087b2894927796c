import { describe, expect, test } from "bun:test";
import { brief, codes, fault, House, item } from "./house.ts";

const ANA = "7c1e22d0";
const BEN = "b04f9a61";

describe("join", () => {
  test("the focus makes the room: 201, 100, 110, then the empty subject", () => {
    const house = new House();
    const focus = house.focus();
    const got = focus.join("standup@muc.meet.test", "focus");
    expect(got.map(brief)).toEqual([
      "presence standup@muc.meet.test/focus 201,100,110",
      "message groupchat standup@muc.meet.test subject",
    ]);
    expect(item(got[0])?.attrs).toEqual({
      affiliation: "owner",
      role: "moderator",
      jid: "focus@auth.meet.test/focus",
    });
  });

  test("others first with their real address, then oneself, then the subject", () => {
    const house = new House();
    const { room, focus } = house.meeting("standup");
    const ana = house.guest(ANA);
    const got = ana.join(room, ANA, "", '<nick xmlns="http://jabber.org/protocol/nick">Ana</nick>');
    expect(got.filter((each) => each.getName() === "presence").map(brief)).toEqual([
      `presence ${room}/focus`,
      `presence ${room}/${ANA} 100,110`,
    ]);
    expect(item(got[0])?.attrs["jid"]).toBe("focus@auth.meet.test/focus");
    const self = got.filter((each) => each.getName() === "presence")[1];
    expect(item(self)?.attrs).toEqual({ affiliation: "none", role: "participant", jid: ana.jid });
    expect(self?.getChildText("nick")).toBe("Ana");
    expect(got.at(-1)?.getChild("subject")?.getText()).toBe("");
    const seen = focus.take();
    expect(seen.map(brief)).toEqual([`presence ${room}/${ANA}`]);
  });

  test("children are forwarded unchanged, the sender's own muc elements are not", () => {
    const house = new House();
    const { room } = house.meeting("standup");
    const ana = house.guest(ANA);
    ana.join(room, ANA);
    const ben = house.guest(BEN);
    ben.join(room, BEN);
    ana.take();
    ben.send(
      `<presence to="${room}/${BEN}" id="p7"><SourceInfo>{"b04f9a61-a0":{"muted":true}}</SourceInfo>` +
        '<odd xmlns="urn:odd"><deep a="1">x &lt; y</deep></odd>' +
        '<x xmlns="http://jabber.org/protocol/muc#user"><item affiliation="owner" role="moderator"/></x>' +
        '<x xmlns="vcard-temp:x:update"/>' +
        '<permissions xmlns="http://jitsi.org/jitmeet"/></presence>',
    );
    const [seen] = ana.take();
    expect(seen?.attrs["id"]).toBe("p7");
    expect(seen?.getChildElements().map((each) => each.getName())).toEqual([
      "SourceInfo",
      "odd",
      "x",
      "x",
      "occupant-id",
    ]);
    const [first, second] = seen?.getChildren("x") ?? [];
    expect(first?.getNS()).toBe("http://jabber.org/protocol/muc#user");
    expect(second?.getNS()).toBe("vcard-temp:x:update");
    expect(item(seen)?.attrs["affiliation"]).toBe("none");
    expect(seen?.getChild("odd")?.toString()).toBe('<odd xmlns="urn:odd"><deep a="1">x &lt; y</deep></odd>');
    expect(codes(ben.take().at(-1))).toEqual([110]);
  });

  test("waits for the focus, in order; a leave or a closed connection takes it back", () => {
    const house = new House();
    const { room, focus } = house.meeting("standup");
    const ana = house.guest(ANA);
    ana.join(room, ANA);
    focus.leave(room, "focus");
    ana.take();
    const ben = house.guest(BEN);
    const cleo = house.guest("c0ffee00");
    const dora = house.guest("d0ffee00");
    expect(ben.join(room, BEN)).toEqual([]);
    cleo.join(room, "c0ffee00");
    dora.join(room, "d0ffee00");
    cleo.leave(room, "c0ffee00");
    house.close(dora);
    expect(ana.take()).toEqual([]);
    focus.join(room, "focus");
    expect(ben.take().some((each) => codes(each).includes(110))).toBe(true);
    expect(cleo.take()).toEqual([]);
    expect(ana.take().map(brief)).toEqual([`presence ${room}/focus`, `presence ${room}/${BEN}`]);
  });

  test("a join held for 15 s is given back so that the client asks the focus again", () => {
    const house = new House();
    const { room, focus } = house.meeting("standup");
    const ana = house.guest(ANA);
    ana.join(room, ANA);
    focus.leave(room, "focus");
    const ben = house.guest(BEN);
    ben.join(room, BEN);
    house.wait(14_999);
    expect(ben.take()).toEqual([]);
    house.wait(1);
    const [answer] = ben.take();
    expect(fault(answer)).toBe("cancel/not-allowed");
    expect(answer?.getChild("error")?.getChild("room-does-not-exist")).toBeDefined();
  });

  test("refusals: no such room, bad nick, reserved nick, nick taken, no nick, banned, full", () => {
    const house = new House({ limits: { rooms: 100, occupantsPerRoom: 2, roomsPerUser: 10 } });
    const ana = house.guest(ANA);
    const [restricted] = ana.join("nowhere@muc.meet.test", ANA);
    expect(fault(restricted)).toBe("cancel/not-allowed");
    expect(restricted?.getChild("error")?.getChildText("text")).toBe("Room creation is restricted");
    expect(restricted?.getChild("error")?.attrs["by"]).toBe("muc.meet.test");
    const { room, focus } = house.meeting("standup");
    expect(fault(ana.join(room, "Ana!")[0])).toBe("cancel/not-allowed");
    expect(fault(ana.join(room, "focus")[0])).toBe("cancel/conflict");
    expect(fault(ana.send(`<presence to="${room}"><x xmlns="http://jabber.org/protocol/muc"/></presence>`)[0])).toBe(
      "modify/jid-malformed",
    );
    expect(fault(ana.send(`<presence to="${room}/${ANA}"/>`)[0])).toBe("cancel/item-not-found");
    ana.join(room, ANA);
    const ben = house.guest(BEN);
    expect(fault(ben.join(room, ANA)[0])).toBe("cancel/conflict");
    expect(fault(ben.join(room, BEN)[0])).toBe("cancel/service-unavailable");
    ana.leave(room, ANA);
    focus.send(
      `<iq type="set" id="b" to="${room}"><query xmlns="http://jabber.org/protocol/muc#admin">` +
        `<item affiliation="outcast" jid="${ben.bare}"/></query></iq>`,
    );
    expect(fault(ben.join(room, BEN)[0])).toBe("auth/forbidden");
  });

  test("joining again while inside tells everything anew and nobody leaves", () => {
    const house = new House();
    const { room, focus } = house.meeting("standup");
    const ana = house.guest(ANA);
    ana.join(room, ANA);
    focus.take();
    const again = ana.join(room, ANA);
    expect(again.filter((each) => each.getName() === "presence").map(brief)).toEqual([
      `presence ${room}/focus`,
      `presence ${room}/${ANA} 100,110`,
    ]);
    expect(focus.take().map(brief)).toEqual([`presence ${room}/${ANA}`]);
  });

  test("a service that comes back under its nick ends its old occupancy", () => {
    const house = new House();
    const brewery = "jvbbrewery@internal-muc.meet.test";
    const focus = house.focus();
    focus.join(brewery, "focus");
    const old = house.person("jvb@auth.meet.test/one", { kind: "service" });
    old.join(brewery, "jvb1");
    focus.take();
    const fresh = house.person("jvb@auth.meet.test/two", { kind: "service" });
    expect(fresh.join(brewery, "jvb1").some((each) => codes(each).includes(110))).toBe(true);
    expect(focus.take().map(brief)).toEqual([`presence unavailable ${brewery}/jvb1`, `presence ${brewery}/jvb1`]);
  });

  test("one user who joins 1,600 rooms is stopped at his limit and stops nobody", () => {
    const house = new House({ limits: { rooms: 2_000, occupantsPerRoom: 50, roomsPerUser: 20 } });
    const ana = house.guest(ANA);
    let refused = 0;
    for (let room = 0; room < 1_600; room++) {
      house.meeting(`r${room}`);
      house.wait(1_000); // slower than the flood guard minds
      if (fault(ana.join(`r${room}@muc.meet.test`, ANA)[0]) === "wait/resource-constraint") refused++;
      ana.take();
    }
    expect(refused).toBe(1_580);
    const ben = house.guest(BEN);
    expect(ben.join("r1599@muc.meet.test", BEN).some((each) => codes(each).includes(110))).toBe(true);
  });
});

describe("leave", () => {
  test("everybody hears of it with the status text, oneself with 110", () => {
    const house = new House();
    const { room, focus } = house.meeting("standup");
    const ana = house.guest(ANA);
    ana.join(room, ANA);
    ana.take();
    focus.take();
    ana.send(`<presence type="unavailable" to="${room}/${ANA}"><status>switch_room</status></presence>`);
    const [own] = ana.take();
    const [seen] = focus.take();
    expect(codes(own)).toEqual([110]);
    expect(seen?.getChildText("status")).toBe("switch_room");
    expect(item(seen)?.attrs).toEqual({ affiliation: "none", role: "none", jid: ana.jid });
    expect(ana.leave(room, ANA)).toEqual([]);
    expect(fault(ana.leave("nowhere@muc.meet.test", ANA)[0])).toBe("cancel/item-not-found");
  });

  test("a closed connection leaves all its rooms, and an empty room ends", () => {
    const house = new House();
    const { room, focus } = house.meeting("standup");
    const ana = house.guest(ANA);
    ana.join(room, ANA);
    focus.take();
    house.close(ana);
    expect(focus.take().map(brief)).toEqual([`presence unavailable ${room}/${ANA}`]);
    focus.leave(room, "focus");
    expect(fault(house.guest(BEN).join(room, BEN)[0])).toBe("cancel/not-allowed");
  });

  test("an undeliverable presence takes a remote occupant out with 333", () => {
    const house = new House();
    const { room, focus } = house.meeting("standup");
    const remote = house.person("zoe@other.example/x", { kind: "remote" });
    remote.join(room, "zoe");
    focus.take();
    remote.send(
      `<presence type="error" to="${room}/focus"><error type="wait"><recipient-unavailable xmlns="urn:ietf:params:xml:ns:xmpp-stanzas"/></error></presence>`,
    );
    expect(codes(focus.take()[0])).toEqual([333]);
  });
});

test("the occupant id is the same after coming back, another in another room", () => {
  const house = new House();
  const { room } = house.meeting("standup");
  const { room: other } = house.meeting("other");
  const ana = house.guest(ANA);
  const id = (stanzas: ReturnType<typeof ana.take>) =>
    stanzas.find((each) => codes(each).includes(110))?.getChild("occupant-id")?.attrs["id"];
  const first = id(ana.join(room, ANA));
  ana.leave(room, ANA);
  ana.take();
  expect(id(ana.join(room, ANA))).toBe(first);
  ana.take();
  expect(id(ana.join(other, ANA))).not.toBe(first);
});
