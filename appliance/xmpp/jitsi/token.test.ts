/** What a token opens, shows and allows: room and tenant claims, identity, permissions, moderators, restricted chat, moving to another device. */
import { describe, expect, test } from "bun:test";
import { millis } from "../../time.ts";
import { opens } from "../../token-rooms.ts";
import { brief, codes, fault, House, item, type Person } from "../muc/house.ts";
import { ANA, BEN, CLEO, Meeting } from "./meeting-fixture.ts";

const options = (verifyTenant: boolean) => ({
  required: true,
  requireRoom: true,
  verifyTenant,
  domain: "meet.test",
  exemptDomains: new Set(["auth.meet.test"]),
});

describe("room and tenant claims", () => {
  const table: readonly (readonly [
    claims: Record<string, unknown>,
    room: string,
    verifyTenant: boolean,
    open: boolean,
  ])[] = [
    [{ room: "*" }, "standup", false, true],
    [{ room: "standup" }, "standup", false, true],
    [{ room: "StandUp" }, "standup", false, true],
    [{ room: "other" }, "standup", false, false],
    [{}, "standup", false, false],
    [{ room: 7 }, "standup", false, false],
    [{ room: "standup" }, "[acme]standup", false, true],
    [{ room: "stand.*", context: { room: { regex: true } } }, "standup", false, false],
    [{ room: "stand.*", context: { room: { regex: true } }, sub: "*" }, "standup", true, true],
    [{ room: "stand", context: { room: { regex: true } }, sub: "*" }, "standup", true, false],
    [{ room: "(", context: { room: { regex: true } }, sub: "*" }, "standup", true, false],
    [{ room: "standup", sub: "meet.test" }, "standup", true, true],
    [{ room: "standup", sub: "acme" }, "standup", true, false],
    [{ room: "standup", sub: "Acme" }, "[acme]standup", true, true],
    [{ room: "*", sub: "other" }, "[acme]standup", true, false],
    [{ room: "*" }, "standup", true, false],
  ];
  test("where rooms need not be named, a token without one opens all", () => {
    expect(opens({}, "standup", { ...options(false), requireRoom: false })).toBe(true);
    expect(opens({ room: "other" }, "standup", { ...options(false), requireRoom: false })).toBe(false);
  });
  for (const [claims, room, verifyTenant, open] of table)
    test(`${JSON.stringify(claims)} ${open ? "opens" : "does not open"} ${room}${verifyTenant ? " with its tenant" : ""}`, () => {
      expect(opens(claims, room, options(verifyTenant))).toBe(open);
    });

  test("the right room, the wrong room, no token, a service", () => {
    const house = new House({ token: { required: true, requireRoom: true, verifyTenant: false } });
    const { room } = house.meeting("standup");
    const fits = house.guest(ANA, { claims: { room: "standup" } });
    expect(fits.join(room, ANA).some((each) => codes(each).includes(110))).toBe(true);
    const wrong = house.guest(BEN, { claims: { room: "other" } }).join(room, BEN);
    expect(fault(wrong[0])).toBe("cancel/not-allowed");
    const [none] = house.guest(CLEO).join(room, CLEO);
    expect(fault(none)).toBe("cancel/not-allowed");
    expect(none?.getChild("error")?.getChild("authentication-required")).toBeDefined();
    const recorder = house.person("recorder@hidden.meet.test/1", { kind: "service" });
    expect(recorder.join(room, "recorder").some((each) => codes(each).includes(110))).toBe(true);
  });

  test("guests beside tokens, where tokens are not required", () => {
    const house = new House({ token: { required: false, requireRoom: true, verifyTenant: false } });
    const { room } = house.meeting("standup");
    expect(
      house
        .guest(CLEO)
        .join(room, CLEO)
        .some((each) => codes(each).includes(110)),
    ).toBe(true);
  });
});

describe("identity", () => {
  test("user and group of the token go into every presence; a forged one does not", () => {
    const m = new Meeting({}, [ANA]);
    const claims = {
      context: { user: { id: 7, name: "Ben B.", email: "ben@x.example", "bad key": "x", deep: {} }, group: "g1" },
    };
    const ben = m.house.guest(BEN, { claims });
    const forged = "<identity><user><name>Boss</name></user></identity>";
    ben.join(m.room, BEN, "", forged);
    const expected =
      "<identity><user><id>7</id><name>Ben B.</name><email>ben@x.example</email></user><group>g1</group></identity>";
    expect(m.ana.take()[0]?.toString()).toContain(expected);
    ben.send(`<presence to="${m.room}/${BEN}">${forged}</presence>`);
    const [update] = m.ana.take();
    expect(update?.toString()).toContain(expected);
    expect(update?.toString()).not.toContain("Boss");
    m.cleo.join(m.room, CLEO, "", forged);
    expect(m.ana.take()[0]?.toString()).not.toContain("identity");
  });
});

describe("permissions", () => {
  const permissions = (
    stanzas: readonly {
      getChild(name: string): { getChildElements(): { attrs: Record<string, string | undefined> }[] } | undefined;
    }[],
  ) =>
    stanzas.map((each) =>
      each
        .getChild("permissions")
        ?.getChildElements()
        .map((p) => p.attrs["name"]),
    );

  test("told once to a new moderator, again after coming back; never to others", () => {
    const m = new Meeting({}, [ANA, BEN]);
    m.affiliate(m.ana, m.ben, "owner");
    const [told] = permissions(m.ben.take());
    expect(told).toContain("recording");
    expect(told).toHaveLength(10);
    expect(permissions(m.ana.take())).toEqual([undefined, undefined]);
    expect(permissions(m.ben.send(`<presence to="${m.room}/${BEN}"/>`))).toEqual([undefined]);
    m.ben.leave(m.room, BEN);
    m.ben.take();
    expect(permissions(m.ben.join(m.room, BEN)).filter((each) => each !== undefined)).toHaveLength(1);
  });

  test("not when the token names features", () => {
    const m = new Meeting({}, [ANA]);
    const ben = m.house.guest(BEN, { claims: { context: { features: { recording: true } } } });
    ben.join(m.room, BEN);
    ben.take();
    m.affiliate(m.ana, ben, "owner");
    expect(permissions(ben.take())).toEqual([undefined]);
  });
});

describe("moderators by policy", () => {
  test("by token, on the very first presence", () => {
    const m = new Meeting({ owners: "token" }, [ANA]);
    const claims = { context: { user: { moderator: "true" } } };
    const self = m.house
      .guest(BEN, { claims })
      .join(m.room, BEN)
      .find((each) => codes(each).includes(110));
    expect(item(self)?.attrs["role"]).toBe("moderator");
    expect(item(m.cleo.join(m.room, CLEO).find((each) => codes(each).includes(110)))?.attrs["role"]).toBe(
      "participant",
    );
  });

  test("everybody", () => {
    const m = new Meeting({ owners: "everybody" }, [ANA]);
    expect(item(m.cleo.join(m.room, CLEO).find((each) => codes(each).includes(110)))?.attrs["role"]).toBe("moderator");
  });
});

describe("restricted chat", () => {
  const say = (m: Meeting, who: Person, child = "<body>hi</body>") =>
    who.send(`<message type="groupchat" to="${m.room}">${child}</message>`)[0];

  test("groupChatRestricted: bodies need the feature, JSON passes", () => {
    const m = new Meeting({}, [ANA, BEN]);
    m.tell(
      m.ana,
      "metadata",
      `<room_metadata room="${m.room}">{"key":"permissions","data":{"groupChatRestricted":true}}</room_metadata>`,
    );
    m.clear();
    expect(fault(say(m, m.ben))).toBe("cancel/not-allowed");
    expect(fault(say(m, m.ana))).toBeUndefined();
    expect(
      fault(say(m, m.ben, '<json-message xmlns="http://jitsi.org/jitmeet">{"type":"x"}</json-message>')),
    ).toBeUndefined();
    const cleo = m.house.guest(CLEO, { claims: { context: { features: { "send-groupchat": true } } } });
    cleo.join(m.room, CLEO);
    cleo.take();
    expect(fault(say(m, cleo))).toBeUndefined();
  });

  test("lobby notices are the server's alone", () => {
    const m = new Meeting({}, [ANA, BEN]);
    const forged =
      '<json-message xmlns="http://jitsi.org/jitmeet">{"type":"lobby-notify","event":"LOBBY-ENABLED","value":true}</json-message>';
    expect(fault(say(m, m.ben, forged))).toBe("cancel/not-allowed");
  });
});

test("moving to another device: the old one goes with 307 and flip_device, after the new one is in", () => {
  const m = new Meeting({}, [ANA]);
  const claims = { context: { user: { id: "u1" } } };
  const phone = m.house.guest(BEN, { claims });
  const laptop = m.house.guest(CLEO, { claims });
  phone.join(m.room, BEN);
  m.clear();
  laptop.join(m.room, CLEO, "", "<flip_device/>");
  expect(m.ana.take().map(brief)).toEqual([`presence ${m.room}/${CLEO}`, `presence unavailable ${m.room}/${BEN} 307`]);
  expect(phone.take().at(-1)?.getChild("flip_device")).toBeDefined();
  const other = m.house.guest("d0ffee00", { claims: { context: { user: { id: "u2" } } } });
  m.clear();
  other.join(m.room, "d0ffee00", "", "<flip_device/>");
  expect(m.ana.take().map(brief)).toEqual([`presence ${m.room}/d0ffee00`]);
  expect(m.house.now).toBe(millis(1_000));
});
