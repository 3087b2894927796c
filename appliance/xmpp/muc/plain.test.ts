/** Rooms for any XMPP client (option `plain`): owners by creation, locking, history, limits by owners, public lists. */
import { describe, expect, test } from "bun:test";
import { brief, codes, fault, House, item, type Person } from "./house.ts";

const ROOM = "lounge@muc.meet.test";
const submit = (who: Person, values: Record<string, string>) =>
  who.send(
    `<iq type="set" id="s" to="${ROOM}"><query xmlns="http://jabber.org/protocol/muc#owner"><x xmlns="jabber:x:data" type="submit">${Object.entries(
      values,
    )
      .map(([name, value]) => `<field var="muc#roomconfig_${name}"><value>${value}</value></field>`)
      .join("")}</x></query></iq>`,
  );
const say = (who: Person, text: string) =>
  who.send(`<message type="groupchat" to="${ROOM}"><body>${text}</body></message>`);
const disco = (who: Person, to: string, what: string) =>
  who.send(`<iq type="get" id="d" to="${to}"><query xmlns="http://jabber.org/protocol/disco#${what}"/></iq>`).at(-1);

function lounge() {
  const house = new House({ plain: true });
  const [ana, ben, cleo] = ["7c1e22d0", "b04f9a61", "c0ffee00"].map((id) => house.guest(id)) as [
    Person,
    Person,
    Person,
  ];
  const made = ana.join(ROOM, "Ana Ö.");
  return { house, ana, ben, cleo, made };
}

test("whoever makes a room owns it: 201; it is locked until configured, an empty form suffices", () => {
  const { ana, ben, made } = lounge();
  expect(codes(made[0])).toEqual([201, 100, 110]);
  expect(item(made[0])?.attrs["affiliation"]).toBe("owner");
  expect(fault(ben.join(ROOM, "Ben")[0])).toBe("cancel/item-not-found");
  expect(submit(ana, {}).map(brief)).toEqual([`iq result ${ROOM}`]);
  expect(ben.join(ROOM, "Ben").some((each) => codes(each).includes(110))).toBe(true);
});

describe("history", () => {
  const bodies = (got: readonly ReturnType<Person["take"]>[number][]) =>
    got.filter((each) => each.getChild("body") !== undefined).map((each) => each.getChildText("body"));

  test("the last twenty, before the subject, with sender and time; what is asked for bounds it", () => {
    const { house, ana, ben, cleo } = lounge();
    submit(ana, {});
    for (let count = 1; count <= 25; count++) {
      say(ana, `m${count}`);
      house.wait(1_000);
    }
    ana.send(`<message type="groupchat" to="${ROOM}"><json-message xmlns="urn:x">{}</json-message></message>`);
    const got = ben.join(ROOM, "Ben");
    expect(bodies(got)).toEqual(Array.from({ length: 20 }, (_, index) => `m${index + 6}`));
    const last = got.filter((each) => each.getChild("body") !== undefined).at(-1);
    expect(last?.attrs["from"]).toBe(`${ROOM}/Ana Ö.`);
    expect(last?.getChild("delay")?.attrs["stamp"]).toBe("2026-11-21T09:53:58.000Z");
    expect(got.at(-1)?.getChild("subject")).toBeDefined();
    const asking = (history: string) => {
      cleo.leave(ROOM, "Cleo");
      cleo.take();
      return bodies(cleo.join(ROOM, "Cleo", history));
    };
    expect(asking('<history maxstanzas="2"/>')).toEqual(["m24", "m25"]);
    expect(asking('<history maxchars="0"/>')).toEqual([]);
    expect(asking('<history seconds="3"/>')).toEqual(["m23", "m24", "m25"]);
    expect(asking('<history since="2026-11-21T09:53:57Z"/>')).toEqual(["m24", "m25"]);
    expect(asking('<history maxstanzas="-1" since="yesterday"/>')).toHaveLength(20);
    submit(ana, { historylength: "1" });
    expect(asking("")).toEqual(["m25"]);
    submit(ana, { historylength: "0" });
    expect(asking("")).toEqual([]);
    expect(fault(submit(ana, { historylength: "101" })[0])).toBe("modify/not-acceptable");
  });

  test("meetings keep none", () => {
    const house = new House();
    const { room } = house.meeting("standup");
    const [ana, ben] = [house.guest("7c1e22d0"), house.guest("b04f9a61")];
    ana.join(room, "7c1e22d0");
    ana.send(`<message type="groupchat" to="${room}"><body>x</body></message>`);
    expect(bodies(ben.join(room, "b04f9a61"))).toEqual([]);
  });
});

test("a full room refuses people and lets owners and admins in", () => {
  const { ana, ben, cleo } = lounge();
  submit(ana, { maxusers: "1" });
  expect(fault(ben.join(ROOM, "Ben")[0])).toBe("cancel/service-unavailable");
  ana.send(
    `<iq type="set" id="a" to="${ROOM}"><query xmlns="http://jabber.org/protocol/muc#admin"><item affiliation="admin" jid="${cleo.bare}"/></query></iq>`,
  );
  expect(cleo.join(ROOM, "Cleo").some((each) => codes(each).includes(110))).toBe(true);
  expect(fault(submit(ana, { maxusers: "many" })[0])).toBe("modify/not-acceptable");
  submit(ana, { maxusers: "none" });
  ben.take();
  expect(ben.join(ROOM, "Ben").some((each) => codes(each).includes(110))).toBe(true);
});

test("public rooms are listed by name with their occupants, hidden ones are not", () => {
  const { ana, ben } = lounge();
  submit(ana, { roomname: "The lounge" });
  expect(disco(ben, "muc.meet.test", "items")?.getChild("query")?.getChild("item")?.attrs).toEqual({
    jid: ROOM,
    name: "The lounge",
  });
  expect(disco(ben, ROOM, "info")?.getChild("query")?.getChild("identity")?.attrs["name"]).toBe("The lounge");
  expect(disco(ben, ROOM, "items")?.getChild("query")?.getChild("item")?.attrs["jid"]).toBe(`${ROOM}/Ana Ö.`);
  expect(fault(disco(ben, `${ROOM}/Ana Ö.`, "info"))).toBe("modify/bad-request");
  submit(ana, { publicroom: "0" });
  expect(disco(ben, "muc.meet.test", "items")?.getChild("query")?.getChildElements()).toEqual([]);
});

test("the last owner cannot resign; strangers from other servers make no rooms", () => {
  const { house, ana } = lounge();
  submit(ana, {});
  expect(
    fault(
      ana.send(
        `<iq type="set" id="a" to="${ROOM}"><query xmlns="http://jabber.org/protocol/muc#admin"><item affiliation="none" jid="${ana.bare}"/></query></iq>`,
      )[0],
    ),
  ).toBe("cancel/conflict");
  const remote = house.person("zoe@other.example/x", { kind: "remote" });
  expect(fault(remote.join("new@muc.meet.test", "zoe")[0])).toBe("cancel/not-allowed");
  expect(remote.join(ROOM, "zoe").some((each) => codes(each).includes(110))).toBe(true);
});

describe("registering with a room (XEP-0045 §7.10)", () => {
  const REGISTER = "jabber:iq:register";
  const register = (who: Person, nick: string, formType = "http://jabber.org/protocol/muc#register") =>
    who
      .send(
        `<iq type="set" id="r" to="${ROOM}"><query xmlns="${REGISTER}"><x xmlns="jabber:x:data" type="submit"><field var="FORM_TYPE"><value>${formType}</value></field><field var="muc#register_roomnick"><value>${nick}</value></field></x></query></iq>`,
      )
      .find((each) => each.getName() === "iq");
  const ask = (who: Person) =>
    who.send(`<iq type="get" id="r" to="${ROOM}"><query xmlns="${REGISTER}"/></iq>`).at(-1)?.getChild("query");

  test("a registered nick is one's own: one is a member, finds it again, and nobody else enters under it", () => {
    const { ana, ben, cleo } = lounge();
    submit(ana, {});
    expect(ask(ben)?.getChild("registered")).toBeUndefined();
    expect(register(ben, "Benjamin")?.attrs["type"]).toBe("result");
    expect(ask(ben)?.getChild("registered")).toBeDefined();
    const own = ben
      .send(
        `<iq type="get" id="d" to="${ROOM}"><query xmlns="http://jabber.org/protocol/disco#info" node="x-roomuser-item"/></iq>`,
      )
      .at(-1);
    expect(own?.getChild("query")?.getChild("identity")?.attrs["name"]).toBe("Benjamin");
    expect(fault(cleo.join(ROOM, "Benjamin")[0])).toBe("cancel/conflict");
    expect(fault(register(cleo, "Benjamin"))).toBe("cancel/conflict");
    expect(fault(register(cleo, "Ana Ö."))).toBe("cancel/conflict");
    const joined = ben.join(ROOM, "Benjamin").find((each) => codes(each).includes(110));
    expect(item(joined)?.attrs["affiliation"]).toBe("member");
  });

  test("refused: no nick, another form, a room for members only; given up, the nick is free", () => {
    const { ana, ben, cleo } = lounge();
    submit(ana, {});
    expect(fault(register(ben, ""))).toBe("modify/not-acceptable");
    expect(fault(register(ben, "Ben", "urn:other"))).toBe("modify/bad-request");
    register(ben, "Ben");
    submit(ana, { membersonly: "1" });
    expect(fault(register(cleo, "Cleo"))).toBe("auth/registration-required");
    const remove = `<iq type="set" id="r" to="${ROOM}"><query xmlns="${REGISTER}"><remove/></query></iq>`;
    expect(ben.send(remove).at(-1)?.attrs["type"]).toBe("result");
    expect(fault(ben.send(remove).at(-1))).toBe("cancel/item-not-found");
    expect(ask(ben)?.getChild("registered")).toBeUndefined();
  });

  test("meetings know nothing of it", () => {
    const house = new House();
    const { room } = house.meeting("standup");
    const ana = house.guest("7c1e22d0");
    ana.join(room, "7c1e22d0");
    expect(fault(ana.send(`<iq type="get" id="r" to="${room}"><query xmlns="${REGISTER}"/></iq>`).at(-1))).toBe(
      "cancel/service-unavailable",
    );
  });
});
