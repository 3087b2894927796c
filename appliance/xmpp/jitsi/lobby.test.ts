import { describe, expect, test } from "bun:test";
import { parseJid } from "../../wire/jid.ts";
import { brief, codes, fault, item } from "../muc/house.ts";
import { ANA, BEN, CLEO, jsonFrom, Meeting, named } from "./meeting-fixture.ts";

const LOBBY = "standup@lobby.meet.test";
const ON = { "muc#roomconfig_membersonly": "true" };
const OFF = { "muc#roomconfig_membersonly": "false" };
const notices = (stanzas: Parameters<typeof jsonFrom>[0]) =>
  stanzas
    .flatMap((each) => each.getChild("json-message") ?? [])
    .map((each) => JSON.parse(each.getText()))
    .filter((each) => each.type === "lobby-notify");

function withLobby() {
  const m = new Meeting({}, [ANA, BEN]);
  m.configure(m.ana, ON);
  m.clear();
  m.ana.join(LOBBY, "aaaa0001");
  m.ana.take();
  return m;
}

test("switching it on admits those inside, tells the room and shows in disco", () => {
  const m = new Meeting({}, [ANA, BEN]);
  const got = m.configure(m.ana, ON);
  expect(notices(got)).toEqual([{ type: "lobby-notify", event: "LOBBY-ENABLED", value: true }]);
  expect(jsonFrom(got, "metadata")).toEqual([{ type: "room_metadata", metadata: { lobbyEnabled: true } }]);
  expect(codes(got.at(-1))).toEqual([104]);
  expect(item(m.ben.take().find((each) => item(each) !== undefined))?.attrs).toMatchObject({
    affiliation: "member",
    role: "participant",
  });
  const info = m.ana.send(
    `<iq type="get" id="d" to="${m.room}"><query xmlns="http://jabber.org/protocol/disco#info"/></iq>`,
  )[0];
  expect(info?.toString()).toContain("muc_membersonly");
  expect(info?.toString()).toContain(LOBBY);
});

describe("knocking", () => {
  test("without a name: displayname-required; with one: registration-required and both lobbyroom elements", () => {
    const m = withLobby();
    const [nameless] = m.cleo.join(m.room, CLEO);
    expect(fault(nameless)).toBe("modify/not-acceptable");
    expect(nameless?.getChild("error")?.getChild("displayname-required")?.attrs["lobby"]).toBe("true");
    const [refused] = m.cleo.join(m.room, CLEO, "", named("Cleo"));
    expect(fault(refused)).toBe("auth/registration-required");
    expect(refused?.getChild("error")?.attrs["code"]).toBe("407");
    expect(refused?.getChild("error")?.getChildText("lobbyroom")).toBe(LOBBY);
    expect(refused?.getChildText("lobbyroom")).toBe(LOBBY);
    expect(fault(m.cleo.join(LOBBY, "bbbb0001")[0])).toBe("modify/not-acceptable");
  });

  test("moderators see knockers, knockers see nobody, each hears moderators only", () => {
    const m = withLobby();
    const dora = m.house.guest("d0ffee00");
    expect(m.cleo.join(LOBBY, "bbbb0001", "", named("Cleo")).map(brief)).toEqual([
      `presence ${LOBBY}/bbbb0001 100,110`,
    ]);
    expect(dora.join(LOBBY, "bbbb0002", "", named("Dora")).map(brief)).toEqual([`presence ${LOBBY}/bbbb0002 100,110`]);
    expect(m.ana.take().map(brief)).toEqual([`presence ${LOBBY}/bbbb0001`, `presence ${LOBBY}/bbbb0002`]);
    m.cleo.take();
    dora.take();
    m.cleo.send(`<message type="groupchat" to="${LOBBY}"><body>let me in</body></message>`);
    expect(dora.take()).toEqual([]);
    expect(m.ana.take().map(brief)).toEqual([`message groupchat ${LOBBY}/bbbb0001 body`]);
    expect(fault(m.cleo.send(`<message type="chat" to="${LOBBY}/bbbb0002"><body>x</body></message>`).at(-1))).toBe(
      "cancel/item-not-found",
    );
    m.cleo.take();
    m.ana.send(`<message type="chat" to="${LOBBY}/bbbb0001"><body>wait</body></message>`);
    expect(m.cleo.take().map(brief)).toEqual([`message chat ${LOBBY}/aaaa0001 body`]);
    expect(
      fault(m.cleo.send(`<iq type="get" id="i" to="${LOBBY}/bbbb0002"><ping xmlns="urn:xmpp:ping"/></iq>`)[0]),
    ).toBe("cancel/item-not-found");
    m.cleo.take();
    m.ana.leave(LOBBY, "aaaa0001");
    expect(m.cleo.take().map(brief)).toEqual([`presence unavailable ${LOBBY}/aaaa0001`]);
  });

  test("admitted by invitation: member, told in the room, in without password", () => {
    const m = withLobby();
    m.configure(m.ana, { "muc#roomconfig_roomsecret": "sesame", "muc#roomconfig_passwordprotectedroom": "1" });
    m.cleo.join(LOBBY, "bbbb0001", "", named("Cleo"));
    m.clear();
    const got = m.ana.send(
      `<message id="i1" to="${m.room}"><x xmlns="http://jabber.org/protocol/muc#user"><invite to="${m.cleo.jid}"/></x></message>`,
    );
    expect(notices(got)).toEqual([
      { type: "lobby-notify", event: "LOBBY-ACCESS-GRANTED", value: `${LOBBY}/bbbb0001`, name: "Cleo" },
    ]);
    const [invitation] = m.cleo.take();
    expect(invitation?.attrs).toMatchObject({ from: m.room, id: "i1" });
    expect(invitation?.toString()).not.toContain("sesame");
    const self = m.cleo.join(m.room, CLEO, "", named("Cleo")).find((each) => codes(each).includes(110));
    expect(item(self)?.attrs["affiliation"]).toBe("member");
  });

  test("denied: 307 in the lobby, told in the room", () => {
    const m = withLobby();
    m.cleo.join(LOBBY, "bbbb0001", "", named("Cleo"));
    m.clear();
    const got = m.kick(m.ana, LOBBY, "bbbb0001");
    expect(notices(got)).toEqual([
      { type: "lobby-notify", event: "LOBBY-ACCESS-DENIED", value: `${LOBBY}/bbbb0001`, name: "Cleo" },
    ]);
    expect(codes(m.cleo.take()[0])).toEqual([307, 110]);
  });

  test("who knows the password passes and stays a member", () => {
    const m = withLobby();
    m.configure(m.ana, { "muc#roomconfig_roomsecret": "sesame", "muc#roomconfig_passwordprotectedroom": "1" });
    expect(fault(m.cleo.join(m.room, CLEO, "<password>wrong</password>", named("Cleo"))[0])).toBe(
      "auth/registration-required",
    );
    m.cleo.take();
    const self = m.cleo
      .join(m.room, CLEO, "<password>sesame</password>", named("Cleo"))
      .find((each) => codes(each).includes(110));
    expect(item(self)?.attrs["affiliation"]).toBe("member");
  });

  test("participants cannot invite, recorders pass", () => {
    const m = withLobby();
    expect(
      fault(
        m.ben.send(
          `<message to="${m.room}"><x xmlns="http://jabber.org/protocol/muc#user"><invite to="${m.cleo.jid}"/></x></message>`,
        )[0],
      ),
    ).toBe("auth/forbidden");
    const recorder = m.house.person("recorder@hidden.meet.test/1", { kind: "service" });
    expect(recorder.join(m.room, "recorder").some((each) => codes(each).includes(110))).toBe(true);
  });
});

describe("its end", () => {
  test("switched off: everybody waiting is sent to the meeting", () => {
    const m = withLobby();
    m.cleo.join(LOBBY, "bbbb0001", "", named("Cleo"));
    m.clear();
    const got = m.configure(m.ana, OFF);
    expect(notices(got)).toEqual([{ type: "lobby-notify", event: "LOBBY-ENABLED", value: false }]);
    const [closed] = m.cleo.take();
    expect(closed?.getChild("x")?.getChild("destroy")?.attrs["jid"]).toBe(m.room);
    expect(m.cleo.join(m.room, CLEO).some((each) => codes(each).includes(110))).toBe(true);
    expect(fault(m.cleo.join(LOBBY, "bbbb0001", "", named("Cleo")).at(-1))).toBe("cancel/not-allowed");
  });

  test("the meeting ends: destroyed without an alternative", () => {
    const m = withLobby();
    m.cleo.join(LOBBY, "bbbb0001", "", named("Cleo"));
    m.clear();
    m.tell(m.ana, "endconference", "<end_conference/>");
    expect(m.cleo.take()[0]?.getChild("x")?.getChild("destroy")?.attrs).toEqual({});
  });
});

test("who is in a breakout room when the lobby opens comes back without knocking", () => {
  const m = new Meeting({}, [ANA, BEN]);
  m.tell(m.ana, "breakout", '<breakout_rooms type="features/breakout-rooms/add" subject="A"/>');
  m.house.wait(300);
  const [update] = jsonFrom(m.ben.take(), "breakout") as { rooms: Record<string, { jid: string }> }[];
  const breakout = Object.values(update?.rooms ?? {})[1]?.jid ?? "";
  m.ben.leave(m.room, BEN);
  m.focus.join(breakout, "focus");
  m.ben.join(breakout, BEN);
  m.configure(m.ana, ON);
  m.ben.leave(breakout, BEN);
  m.ben.take();
  expect(m.ben.join(m.room, BEN).some((each) => codes(each).includes(110))).toBe(true);
});

test("disco by node tells a session whose room has a lobby to ask for a name", () => {
  const m = withLobby();
  const ask = (who: typeof m.ana) =>
    who.send(
      '<iq type="get" id="d" to="lobby.meet.test"><query xmlns="http://jabber.org/protocol/disco#info" node="lobbyrooms"/></iq>',
    )[0];
  expect(ask(m.cleo)?.toString()).toContain("#displayname_required");
  expect(ask(m.house.guest("20e00000", { room: "other" }))?.toString()).not.toContain("#displayname_required");
});

test("waiting for a host: guests wait in the lobby until somebody with an account is there", () => {
  const m = new Meeting({ waitForHost: true }, []);
  const [refused] = m.cleo.join(m.room, CLEO, "", named("Cleo"));
  expect(fault(refused)).toBe("auth/registration-required");
  expect(refused?.getChild("error")?.getChild("waiting-for-host")).toBeDefined();
  m.cleo.join(LOBBY, "bbbb0001", "", named("Cleo"));
  m.cleo.take();
  const host = m.house.person("ana@meet.test/1", {
    kind: "member",
    jid: parseJid("ana@meet.test/1") ?? m.ana.sender.jid,
  });
  expect(host.join(m.room, "aaaa1111").some((each) => codes(each).includes(110))).toBe(true);
  expect(m.cleo.take()[0]?.getChild("x")?.getChild("destroy")?.attrs["jid"]).toBe(m.room);
  expect(m.cleo.join(m.room, CLEO).some((each) => codes(each).includes(110))).toBe(true);
});
