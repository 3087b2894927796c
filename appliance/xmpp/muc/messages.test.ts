import { describe, expect, test } from "bun:test";
import { brief, fault, House } from "./house.ts";

const ANA = "7c1e22d0";
const BEN = "b04f9a61";

function meeting() {
  const house = new House();
  const { room, focus } = house.meeting("standup");
  const [ana, ben] = [house.guest(ANA), house.guest(BEN)];
  ana.join(room, ANA);
  ben.join(room, BEN);
  focus.send(
    `<iq type="set" id="o" to="${room}"><query xmlns="http://jabber.org/protocol/muc#admin"><item affiliation="owner" jid="${ana.bare}"/></query></iq>`,
  );
  for (const each of [focus, ana, ben]) each.take();
  return { house, room, focus, ana, ben };
}

describe("groupchat", () => {
  test("reflected to all, the sender too, with id, language and every child", () => {
    const { room, ana, ben, focus } = meeting();
    const [own] = ben.send(
      `<message type="groupchat" to="${room}" id="rec-1" xml:lang="de"><body>hello &lt;&amp;&gt; 😀</body><reactions xmlns="urn:xmpp:reactions:0" id="m"><reaction>👍</reaction></reactions><store xmlns="urn:xmpp:hints"/></message>`,
    );
    expect(own?.attrs).toEqual({
      xmlns: "jabber:client",
      from: `${room}/${BEN}`,
      to: ben.jid,
      type: "groupchat",
      id: "rec-1",
      "xml:lang": "de",
    });
    expect(own?.getChildElements().map((each) => each.getName())).toEqual([
      "body",
      "reactions",
      "store",
      "occupant-id",
    ]);
    expect(own?.getChildText("body")).toBe("hello <&> 😀");
    for (const each of [ana, focus]) expect(each.take()[0]?.getChildText("body")).toBe("hello <&> 😀");
  });

  test("one without id gets one, the same for everybody", () => {
    const { room, ana, ben } = meeting();
    const [own] = ben.send(
      `<message type="groupchat" to="${room}"><json-message xmlns="http://jitsi.org/jitmeet">{"type":"x"}</json-message></message>`,
    );
    expect(own?.attrs["id"]).toBeString();
    expect(ana.take()[0]?.attrs["id"]).toBe(own?.attrs["id"] ?? "");
  });

  test("what only the room may say is taken out", () => {
    const { room, ana, ben } = meeting();
    ben.send(
      `<message type="groupchat" to="${room}" id="f"><x xmlns="http://jabber.org/protocol/muc#user"><status code="104"/></x><delay xmlns="urn:xmpp:delay" stamp="2000-01-01T00:00:00Z"/><nick xmlns="http://jabber.org/protocol/nick">Boss</nick><occupant-id xmlns="urn:xmpp:occupant-id:0" id="fake"/><body>x</body></message>`,
    );
    expect(
      ana
        .take()[0]
        ?.getChildElements()
        .map((each) => each.getName()),
    ).toEqual(["body", "occupant-id"]);
  });

  test("not from outside, not to a room that is not there", () => {
    const { house, room } = meeting();
    const zoe = house.guest("20e00000");
    expect(fault(zoe.send(`<message type="groupchat" to="${room}"><body>x</body></message>`)[0])).toBe(
      "modify/not-acceptable",
    );
    expect(fault(zoe.send('<message type="groupchat" to="elsewhere@muc.meet.test"><body>x</body></message>')[0])).toBe(
      "cancel/item-not-found",
    );
  });
});

describe("subject", () => {
  test("by a moderator: echoed from him, told to newcomers with its time; not by participants", () => {
    const { house, room, ana, ben } = meeting();
    const [echo] = ana.send(`<message type="groupchat" to="${room}"><subject>Weekly</subject></message>`);
    expect(echo?.attrs["from"]).toBe(`${room}/${ANA}`);
    expect(ben.take()[0]?.getChildText("subject")).toBe("Weekly");
    expect(fault(ben.send(`<message type="groupchat" to="${room}"><subject>Mine</subject></message>`)[0])).toBe(
      "auth/forbidden",
    );
    const cleo = house.guest("c0ffee00");
    const last = cleo.join(room, "c0ffee00").at(-1);
    expect(last?.getChildText("subject")).toBe("Weekly");
    expect(last?.getChild("delay")?.attrs["stamp"]).toStartWith("2026-11-21T");
  });

  test("a message with body and subject is chat", () => {
    const { room, ben } = meeting();
    const [own] = ben.send(
      `<message type="groupchat" to="${room}" id="b"><subject>s</subject><body>b</body></message>`,
    );
    expect(own?.getChildElements().map((each) => each.getName())).toEqual(["subject", "body", "occupant-id"]);
  });
});

describe("private message", () => {
  test("goes to one, marked with an empty muc#user element", () => {
    const { room, ana, ben } = meeting();
    ana.send(`<message type="chat" to="${room}/${BEN}" id="p"><body>psst</body></message>`);
    const [got] = ben.take();
    expect(got?.attrs).toMatchObject({ from: `${room}/${ANA}`, to: ben.jid, type: "chat", id: "p" });
    expect(got?.getChildElements().map((each) => each.getName())).toEqual(["body", "x", "occupant-id"]);
    expect(ana.take()).toEqual([]);
  });

  test("to nobody: item-not-found by the room", () => {
    const { room, ana } = meeting();
    const [answer] = ana.send(`<message type="chat" to="${room}/nobody" id="p"><body>x</body></message>`);
    expect(fault(answer)).toBe("cancel/item-not-found");
    expect(answer?.getChild("error")?.getChildText("text")).toBe("Recipient not in room");
  });
});

describe("IQs between occupants", () => {
  test("from becomes the occupant address, to the real one, and the answer finds its way back", () => {
    const { room, focus, ana, ben } = meeting();
    focus.send(
      `<iq type="set" id="j1" to="${room}/${BEN}"><jingle xmlns="urn:xmpp:jingle:1" action="session-initiate"/></iq>`,
    );
    const [offer] = ben.take();
    expect(offer?.attrs).toMatchObject({ from: `${room}/focus`, to: ben.jid, id: "j1", type: "set" });
    ana.send(`<iq type="set" id="j1" to="${room}/${BEN}"><query xmlns="urn:x"/></iq>`);
    ben.take();
    ben.send(`<iq type="result" id="j1" to="${room}/focus"/>`);
    expect(focus.take().map((each) => each.attrs)).toMatchObject([
      { from: `${room}/${BEN}`, id: "j1", type: "result" },
    ]);
    expect(ana.take()).toEqual([]);
  });

  test("not from outside, not to nobody; answers to nobody vanish", () => {
    const { house, room, ana } = meeting();
    const zoe = house.guest("20e00000");
    expect(fault(zoe.send(`<iq type="get" id="x" to="${room}/${ANA}"><ping xmlns="urn:xmpp:ping"/></iq>`)[0])).toBe(
      "modify/not-acceptable",
    );
    expect(fault(ana.send(`<iq type="get" id="x" to="${room}/nobody"><ping xmlns="urn:xmpp:ping"/></iq>`)[0])).toBe(
      "cancel/item-not-found",
    );
    expect(ana.send(`<iq type="result" id="x" to="${room}/nobody"/>`)).toEqual([]);
  });

  test("a ping to oneself is answered by the room (XEP-0410)", () => {
    const { room, ana } = meeting();
    expect(ana.send(`<iq type="get" id="x" to="${room}/${ANA}"><ping xmlns="urn:xmpp:ping"/></iq>`).map(brief)).toEqual(
      [`iq result ${room}/${ANA}`],
    );
  });
});

test("odd requests to room and service get the conditions of the transcript", () => {
  const { house, room, ana } = meeting();
  const iq = (to: string, type: string, child: string) =>
    fault(ana.send(`<iq type="${type}" id="o" to="${to}">${child}</iq>`)[0]);
  expect(iq(room, "set", '<query xmlns="urn:unknown"/>')).toBe("cancel/service-unavailable");
  expect(iq("muc.meet.test", "get", '<query xmlns="urn:unknown"/>')).toBe("cancel/service-unavailable");
  expect(iq(room, "get", "")).toBe("modify/bad-request");
  const [nick] = ana.send(`<presence to="${room}/othernick"/>`);
  expect(fault(nick)).toBe("cancel/not-allowed");
  expect(nick?.getChild("error")?.getChildText("text")).toBe("Nick changes are not allowed");
  expect(fault(ana.send('<presence to="elsewhere@muc.meet.test/x"/>')[0])).toBe("cancel/item-not-found");
  expect(fault(ana.join("jvbbrewery@internal-muc.meet.test", "x")[0])).toBe("cancel/not-allowed");
  const recorder = house.person("recorder@hidden.meet.test/1", { kind: "service" });
  expect(fault(recorder.join("jvbbrewery@internal-muc.meet.test", "x")[0])).toBe("cancel/not-allowed");
});

test("a nick change where it is allowed: 303 and the new presence", () => {
  const house = new House();
  const room = "jvbbrewery@internal-muc.meet.test";
  const [a, b] = [
    house.person("jvb@auth.meet.test/1", { kind: "service" }),
    house.person("jvb@auth.meet.test/2", { kind: "service" }),
  ];
  a.join(room, "one");
  b.join(room, "two");
  a.take();
  b.take();
  const own = a.send(`<presence to="${room}/three"/>`);
  expect(own.map(brief)).toEqual([`presence unavailable ${room}/one 303,110`, `presence ${room}/three 110`]);
  expect(b.take().map(brief)).toEqual([`presence unavailable ${room}/one 303`, `presence ${room}/three`]);
  expect(fault(a.send(`<presence to="${room}/two"/>`)[0])).toBe("cancel/conflict");
});
