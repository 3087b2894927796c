import { describe, expect, test } from "bun:test";
import type { Element } from "../../wire/xml.ts";
import { brief, codes, fault, House, item, type Person } from "./house.ts";

const ANA = "7c1e22d0";
const BEN = "b04f9a61";

const OWNER = "http://jabber.org/protocol/muc#owner";
const submit = (who: Person, room: string, values: Record<string, string>): Element[] =>
  who.send(
    `<iq type="set" id="s" to="${room}"><query xmlns="${OWNER}"><x xmlns="jabber:x:data" type="submit"><field var="FORM_TYPE"><value>http://jabber.org/protocol/muc#roomconfig</value></field>${Object.entries(
      values,
    )
      .map(([name, value]) => `<field var="${name}"><value>${value}</value></field>`)
      .join("")}</x></query></iq>`,
  );
const info = (who: Person, room: string): Element | undefined =>
  who
    .send(`<iq type="get" id="d" to="${room}"><query xmlns="http://jabber.org/protocol/disco#info"/></iq>`)
    .at(-1)
    ?.getChild("query");
const features = (query: Element | undefined): (string | undefined)[] =>
  query?.getChildren("feature").map((each) => each.attrs["var"]) ?? [];
const field = (query: Element | undefined, name: string): string | undefined =>
  query
    ?.getChild("x")
    ?.getChildren("field")
    .find((each) => each.attrs["var"] === name)
    ?.getChildText("value") ?? undefined;

function meeting() {
  const house = new House();
  const { room, focus } = house.meeting("standup");
  const ana = house.guest(ANA);
  ana.join(room, ANA);
  focus.send(
    `<iq type="set" id="o" to="${room}"><query xmlns="http://jabber.org/protocol/muc#admin"><item affiliation="owner" jid="${ana.bare}"/></query></iq>`,
  );
  ana.take();
  focus.take();
  return { house, room, focus, ana, ben: house.guest(BEN) };
}

test("the form holds what clients and the focus look for; a get with an empty form inside is a get", () => {
  const { room, ana } = meeting();
  const [answer] = ana.send(
    `<iq type="get" id="f" to="${room}"><query xmlns="${OWNER}"><x xmlns="jabber:x:data" type="submit"/></query></iq>`,
  );
  const names = answer
    ?.getChild("query")
    ?.getChild("x")
    ?.getChildren("field")
    .map((each) => each.attrs["var"]);
  for (const name of [
    "FORM_TYPE",
    "muc#roomconfig_whois",
    "muc#roomconfig_roomsecret",
    "muc#roomconfig_membersonly",
    "muc#roomconfig_passwordprotectedroom",
    "muc#roominfo_meetingId",
  ])
    expect(names).toContain(name);
});

test("only owners: forbidden", () => {
  const { room, ben } = meeting();
  ben.join(room, BEN);
  ben.take();
  expect(fault(ben.send(`<iq type="get" id="f" to="${room}"><query xmlns="${OWNER}"/></iq>`)[0])).toBe(
    "auth/forbidden",
  );
  expect(fault(submit(ben, room, {})[0])).toBe("auth/forbidden");
});

test("an unchanged submit answers and says nothing to the room; absent fields stay", () => {
  const { room, ana, focus } = meeting();
  expect(submit(focus, room, { "muc#roomconfig_whois": "anyone" }).map(brief)).toEqual([`iq result ${room}`]);
  submit(ana, room, { "muc#roomconfig_roomsecret": "sesame", "muc#roomconfig_passwordprotectedroom": "1" });
  submit(ana, room, { "muc#roomconfig_roomname": "Weekly" });
  expect(features(info(ana, room))).toContain("muc_passwordprotected");
});

describe("password (ws-password)", () => {
  test("result, 104, disco; without or with a wrong one not-authorized; the right one enters", () => {
    const { house, room, ana, ben } = meeting();
    const set = submit(ana, room, {
      "muc#roomconfig_roomsecret": "sesame",
      "muc#roomconfig_passwordprotectedroom": "1",
      "muc#roomconfig_whois": "anyone",
    });
    expect(set.map(brief)).toEqual([`iq result ${room}`, `message groupchat ${room} x`]);
    expect(codes(set[1])).toEqual([104]);
    expect(features(info(ana, room))).toContain("muc_passwordprotected");
    expect(features(info(ana, room))).not.toContain("muc_unsecured");
    const [refused] = ben.join(room, BEN);
    expect(fault(refused)).toBe("auth/not-authorized");
    expect(refused?.getChild("error")?.attrs["by"]).toBe(room);
    expect(fault(ben.join(room, BEN, "<password>wrong</password>")[0])).toBe("auth/not-authorized");
    expect(
      codes(
        ben
          .join(room, BEN, "<password>sesame</password>")
          .filter((each) => each.getName() === "presence")
          .at(-1),
      ),
    ).toEqual([100, 110]);
    const recorder = house.person("recorder@hidden.meet.test/1", { kind: "service" });
    expect(fault(recorder.join(room, "recorder")[0])).toBeUndefined();
    const removed = submit(ana, room, { "muc#roomconfig_roomsecret": "", "muc#roomconfig_passwordprotectedroom": "0" });
    expect(codes(removed.at(-1))).toEqual([104]);
    expect(features(info(ana, room))).toContain("muc_unsecured");
  });
});

test("members only among services: strangers go with 322, newcomers are refused, revoked members go with 321", () => {
  const house = new House();
  const room = "lounge@internal-muc.meet.test";
  const service = (name: string) => house.person(`${name}@auth.meet.test/1`, { kind: "service" });
  const [ana, ben, cleo] = [
    house.person("boss@auth.meet.test/1", { kind: "service", admin: true }),
    service("b"),
    service("c"),
  ];
  ana.join(room, "ana");
  ben.join(room, "ben");
  cleo.join(room, "cleo");
  const affiliation = (what: string) =>
    ana.send(
      `<iq type="set" id="m" to="${room}"><query xmlns="http://jabber.org/protocol/muc#admin"><item affiliation="${what}" jid="${ben.bare}"/></query></iq>`,
    );
  affiliation("member");
  for (const each of [ana, ben, cleo]) each.take();
  submit(ana, room, { "muc#roomconfig_membersonly": "true" });
  expect(codes(cleo.take()[0])).toEqual([322, 110]);
  expect(features(info(ana, room))).toContain("muc_membersonly");
  expect(fault(cleo.join(room, "cleo")[0])).toBe("auth/registration-required");
  ben.take();
  affiliation("none");
  expect(codes(ben.take()[0])).toEqual([321, 110]);
});

test("whois: 173 and 172; in a semi-anonymous room participants see no addresses", () => {
  const { room, ana, ben } = meeting();
  expect(codes(submit(ana, room, { "muc#roomconfig_whois": "moderators" }).at(-1))).toEqual([173]);
  const got = ben.join(room, BEN).filter((each) => each.getName() === "presence");
  expect(got.map((each) => item(each)?.attrs["jid"])).toEqual([undefined, undefined, ben.jid]);
  expect(codes(got.at(-1))).toEqual([110]);
  expect(item(ana.take().at(-1))?.attrs["jid"]).toBe(ben.jid);
  expect(codes(submit(ana, room, { "muc#roomconfig_whois": "anyone" }).at(-1))).toEqual([172]);
});

test("what is malformed is refused whole: nothing of it is applied", () => {
  const { room, ana } = meeting();
  expect(fault(submit(ana, room, { "muc#roomconfig_roomname": "X", "muc#roomconfig_membersonly": "maybe" })[0])).toBe(
    "modify/bad-request",
  );
  expect(fault(submit(ana, room, { "muc#roomconfig_whois": "nobody" })[0])).toBe("modify/not-acceptable");
  expect(fault(submit(ana, room, { "muc#roomconfig_passwordprotectedroom": "1" })[0])).toBe("modify/not-acceptable");
  expect(fault(submit(ana, room, { "muc#roominfo_meetingId": "mine" })[0])).toBe("cancel/not-allowed");
  expect(fault(submit(ana, room, { "muc#roomconfig_persistentroom": "1" })[0])).toBe("cancel/not-allowed");
  expect(fault(ana.send(`<iq type="set" id="f" to="${room}"><query xmlns="${OWNER}"/></iq>`)[0])).toBe(
    "modify/bad-request",
  );
  expect(field(info(ana, room), "muc#roomconfig_roomname")).toBe("");
});

test("destroy: everybody gets his own unavailable presence with reason and alternate, then the room is gone", () => {
  const { room, ana, ben } = meeting();
  ben.join(room, BEN);
  ana.take();
  ben.take();
  const got = ana.send(
    `<iq type="set" id="f" to="${room}"><query xmlns="${OWNER}"><destroy jid="other@muc.meet.test"><reason>over</reason></destroy></query></iq>`,
  );
  expect(got.map(brief)).toEqual([`presence unavailable ${room}/${ANA} 110`, `iq result ${room}`]);
  const [own] = ben.take();
  expect(own?.getChild("x")?.getChild("destroy")?.toString()).toBe(
    '<destroy jid="other@muc.meet.test"><reason>over</reason></destroy>',
  );
  expect(fault(ben.leave(room, BEN)[0])).toBe("cancel/item-not-found");
});

describe("disco", () => {
  test("meeting id at once, timestamp with the second occupant, nothing for strangers", () => {
    const { room, ana, ben } = meeting();
    const query = info(ana, room);
    expect(query?.getChild("identity")?.attrs).toEqual({ category: "conference", type: "text", name: "standup" });
    expect(field(query, "muc#roominfo_meetingId")).toMatch(/^[0-9a-f-]{36}$/);
    expect(Number(field(query, "muc#roominfo_created_timestamp"))).toBeGreaterThan(1_795_000_000_000);
    expect(field(query, "muc#roominfo_occupants")).toBe("2");
    expect(
      fault(
        ben.send(`<iq type="get" id="d" to="${room}"><query xmlns="http://jabber.org/protocol/disco#info"/></iq>`)[0],
      ),
    ).toBe("auth/forbidden");
  });

  test("alone there is no timestamp; the focus may set the meeting id", () => {
    const house = new House();
    const { room, focus } = house.meeting("standup");
    expect(field(info(focus, room), "muc#roominfo_created_timestamp")).toBeUndefined();
    submit(focus, room, { "muc#roominfo_meetingId": "given" });
    expect(field(info(focus, room), "muc#roominfo_meetingId")).toBe("given");
  });

  test("the service lists no rooms to guests and says what it is", () => {
    const { ana } = meeting();
    const ask = (what: string) =>
      ana.send(
        `<iq type="get" id="d" to="muc.meet.test"><query xmlns="http://jabber.org/protocol/disco#${what}"/></iq>`,
      )[0];
    expect(ask("items")?.getChild("query")?.getChildElements()).toEqual([]);
    expect(features(ask("info")?.getChild("query"))).toContain("http://jabber.org/protocol/muc");
  });
});
