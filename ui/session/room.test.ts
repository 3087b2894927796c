import { describe, expect, test } from "bun:test";
import { parse } from "../../appliance/wire/xml.ts";
import { Room, type RoomEvent } from "./room.ts";

const MUC = "http://jabber.org/protocol/muc#user";
const room = (options: { readonly anyFocus?: boolean } = {}) =>
  new Room({
    room: "r@muc.meet.test",
    nick: "7c1e22d0",
    focusUser: options.anyFocus === true ? undefined : "focus@auth.meet.test",
    hiddenDomain: "hidden.meet.test",
  });

function feed(to: Room, ...stanzas: string[]): RoomEvent[] {
  return stanzas.flatMap((text) => {
    const element = parse(text);
    if (element === undefined) throw new Error(`does not parse: ${text}`);
    return [...to.handle(element)];
  });
}

const presence = (
  nick: string,
  extra = "",
  item = `<item affiliation="none" role="participant" jid="${nick}-u@meet.test/x"/>`,
  status = "",
) =>
  `<presence xmlns="jabber:client" from="r@muc.meet.test/${nick}" to="me@meet.test/y">${extra}<x xmlns="${MUC}">${item}${status}</x></presence>`;
const self = (extra = "", role = "participant") =>
  presence(
    "7c1e22d0",
    extra,
    `<item affiliation="none" role="${role}" jid="7c1e22d0-u@meet.test/y"/>`,
    `<status code="100"/><status code="110"/>`,
  );
const FOCUS = presence(
  "focus",
  `<conference-properties xmlns="http://jitsi.org/protocol/focus"><property key="bridge-count" value="1"/></conference-properties>`,
  `<item affiliation="owner" role="moderator" jid="focus@auth.meet.test/focus"/>`,
);
const gone = (nick: string, inside: string, extra = "") =>
  `<presence xmlns="jabber:client" type="unavailable" from="r@muc.meet.test/${nick}">${extra}<x xmlns="${MUC}">${inside}</x></presence>`;

describe("joining", () => {
  test("others first, then ourselves: joined with everybody known", () => {
    const r = room();
    const events = feed(
      r,
      FOCUS,
      presence(
        "b04f9a61",
        `<nick xmlns="http://jabber.org/protocol/nick"> Ben </nick><SourceInfo>{"b04f9a61-a0":{"muted":false},"b04f9a61-v0":{"muted":true},"eviltwin-a0":{"muted":false}}</SourceInfo>`,
      ),
      self(),
    );
    expect(events.map((each) => each.kind)).toEqual(["focus", "occupant", "joined"]);
    expect(r.joined).toBe(true);
    expect(r.occupant("b04f9a61")).toMatchObject({
      name: "Ben",
      realJid: "b04f9a61-u@meet.test/x",
      role: "participant",
      hidden: false,
    });
    expect([...(r.occupant("b04f9a61")?.sources ?? [])]).toEqual([
      ["b04f9a61-a0", { muted: false, videoType: "camera" }],
      ["b04f9a61-v0", { muted: true, videoType: "camera" }],
    ]);
    expect(r.occupants.map((each) => each.endpoint)).not.toContain("focus");
  });

  test("a later presence of ours is no second joining; a role shows", () => {
    const events = feed(room(), self(), self("", "moderator"));
    expect(events.map((each) => each.kind)).toEqual(["joined", "self"]);
    expect(events[1]).toMatchObject({ self: { role: "moderator" } });
  });

  test("somebody who calls himself focus without the account is no focus", () => {
    const r = room();
    expect(feed(r, presence("focus"))[0]?.kind).toBe("occupant");
    expect(r.focusThere).toBe(false);
    expect(feed(room({ anyFocus: true }), presence("focus"))[0]?.kind).toBe("focus");
  });

  test("a recorder of the hidden domain is hidden; a presence without an item is nobody", () => {
    const r = room();
    feed(r, presence("rec00001", "", `<item affiliation="none" role="participant" jid="rec@hidden.meet.test/x"/>`));
    expect(r.occupant("rec00001")?.hidden).toBe(true);
    expect(feed(r, presence("aaaaaaaa", "", ""))).toEqual([]);
  });

  test("raised hand, companion, older senders' mute, features", () => {
    const r = room();
    feed(
      r,
      presence(
        "b04f9a61",
        `<jitsi_participant_raisedHand>1787000000000</jitsi_participant_raisedHand><silent xmlns="http://jitsi.org/protocol/silent">true</silent><audiomuted>true</audiomuted><features><feature var="https://jitsi.org/meet/e2ee"/></features>`,
      ),
      presence("c0000001", `<jitsi_participant_raisedHand/>`),
    );
    expect(r.occupant("b04f9a61")).toMatchObject({
      handAt: 1787000000000,
      companion: true,
      features: ["https://jitsi.org/meet/e2ee"],
    });
    expect(r.occupant("b04f9a61")?.sources.get("b04f9a61-a0")?.muted).toBe(true);
    expect(r.occupant("c0000001")?.handAt).toBeUndefined();
  });

  test.each([
    [`<error type="auth"><not-authorized xmlns="urn:ietf:params:xml:ns:xmpp-stanzas"/></error>`, { kind: "password" }],
    [
      `<error type="auth" code="407"><registration-required xmlns="urn:ietf:params:xml:ns:xmpp-stanzas"/><lobbyroom xmlns="http://jitsi.org/jitmeet">r@lobby.meet.test</lobbyroom></error><lobbyroom>r@lobby.meet.test</lobbyroom>`,
      { kind: "members-only", lobby: "r@lobby.meet.test", waitingForHost: false },
    ],
    [
      `<error type="cancel"><service-unavailable xmlns="urn:ietf:params:xml:ns:xmpp-stanzas"/></error>`,
      { kind: "full" },
    ],
    [
      `<error type="cancel"><not-allowed xmlns="urn:ietf:params:xml:ns:xmpp-stanzas"/><text xmlns="urn:ietf:params:xml:ns:xmpp-stanzas">Room creation is restricted</text></error>`,
      { kind: "not-there-yet" },
    ],
    [
      `<error type="cancel"><not-allowed xmlns="urn:ietf:params:xml:ns:xmpp-stanzas"/><text xmlns="urn:ietf:params:xml:ns:xmpp-stanzas">Room and token mismatched</text></error>`,
      { kind: "not-allowed", text: "Room and token mismatched" },
    ],
    [
      `<error type="modify"><not-acceptable xmlns="urn:ietf:params:xml:ns:xmpp-stanzas"/><displayname-required xmlns="http://jitsi.org/jitmeet" lobby="true"/></error>`,
      { kind: "name-required" },
    ],
    [
      `<error type="cancel"><conflict xmlns="urn:ietf:params:xml:ns:xmpp-stanzas"/></error>`,
      { kind: "other", text: "conflict" },
    ],
  ] as const)("refusal %#", (error, refusal) => {
    const [event] = feed(
      room(),
      `<presence xmlns="jabber:client" type="error" from="r@muc.meet.test/7c1e22d0">${error}</presence>`,
    );
    expect(event as unknown).toEqual({ kind: "refused", refusal });
  });
});

describe("leaving", () => {
  const inside = () => {
    const r = room();
    feed(r, FOCUS, presence("b04f9a61"), self());
    return r;
  };

  test("plain, kicked with its actor, moving to another room", () => {
    expect(feed(inside(), gone("b04f9a61", `<item role="none"/>`))).toEqual([
      { kind: "left", endpoint: "b04f9a61", reason: "left", actor: undefined },
    ]);
    expect(
      feed(inside(), gone("b04f9a61", `<item role="none"><actor nick="7c1e22d0"/></item><status code="307"/>`)),
    ).toMatchObject([{ reason: "kicked", actor: "7c1e22d0" }]);
    expect(feed(inside(), gone("b04f9a61", `<item role="none"/>`, "<status>switch_room</status>"))).toMatchObject([
      { reason: "moved" },
    ]);
  });

  test("we are kicked, banned, replaced; the room is destroyed", () => {
    const mine = (inner: string, extra = "") => feed(inside(), gone("7c1e22d0", inner, extra));
    expect(
      mine(
        `<item role="none"><actor nick="b04f9a61"/><reason>Go</reason></item><status code="307"/><status code="110"/>`,
      ),
    ).toEqual([{ kind: "removed", reason: "kicked", text: "Go", actor: "b04f9a61" }]);
    expect(mine(`<item role="none"/><status code="301"/><status code="110"/>`)).toMatchObject([{ reason: "banned" }]);
    expect(mine(`<item role="none"/><status code="307"/>`, "<flip_device/>")).toMatchObject([{ reason: "replaced" }]);
    expect(
      mine(`<item role="none"/><destroy jid="other@muc"><reason>The meeting has been terminated</reason></destroy>`),
    ).toEqual([{ kind: "destroyed", text: "The meeting has been terminated", alternate: "other@muc" }]);
    expect(mine(`<item role="none"/><status code="110"/>`)).toEqual([{ kind: "self-left" }]);
  });

  test("the focus leaves; a stranger's leaving is no news", () => {
    const r = inside();
    expect(feed(r, gone("focus", `<item role="none"/>`))).toEqual([{ kind: "focus-left" }]);
    expect(feed(r, gone("nobody00", `<item role="none"/>`))).toEqual([]);
  });
});

describe("messages", () => {
  const message = (type: string, from: string, inner: string, id = "m1") =>
    `<message xmlns="jabber:client" type="${type}" id="${id}" from="r@muc.meet.test${from}">${inner}</message>`;

  test("to everybody, to us alone, delayed, from a visitor", () => {
    expect(feed(room(), message("groupchat", "/b04f9a61", "<body>hi &lt;b&gt;</body>"))).toEqual([
      {
        kind: "chat",
        message: {
          id: "m1",
          from: "b04f9a61",
          body: "hi <b>",
          isPrivate: false,
          sentAt: undefined,
          senderName: undefined,
        },
      },
    ]);
    expect(feed(room(), message("chat", "/b04f9a61", "<body>psst</body>"))).toMatchObject([
      { message: { isPrivate: true } },
    ]);
    expect(
      feed(
        room(),
        message(
          "groupchat",
          "/b04f9a61",
          `<body>old</body><delay xmlns="urn:xmpp:delay" stamp="2026-11-21T10:00:00Z"/>`,
        ),
      ),
    ).toMatchObject([{ message: { sentAt: Date.parse("2026-11-21T10:00:00Z") } }]);
    expect(
      feed(
        room(),
        message(
          "groupchat",
          "/v",
          `<body>x</body><display-name xmlns="http://jitsi.org/protocol/display-name" source="visitor">Zoe</display-name>`,
        ),
      ),
    ).toMatchObject([{ message: { senderName: "Zoe" } }]);
  });

  test("JSON, subject, changed configuration, refusal", () => {
    const json = (text: string) => `<json-message xmlns="http://jitsi.org/jitmeet">${text}</json-message>`;
    expect(feed(room(), message("groupchat", "/b04f9a61", json(`{"type":"x","n":1}`)))).toEqual([
      { kind: "json", from: "b04f9a61", payload: { type: "x", n: 1 } },
    ]);
    for (const bad of ["", "nonsense", "[]", `{"n":1}`, "null"])
      expect(feed(room(), message("groupchat", "/b", json(bad)))).toEqual([]);
    expect(feed(room(), message("groupchat", "/b", "<subject>Plan</subject>"))).toEqual([
      { kind: "subject", subject: "Plan", actor: "b" },
    ]);
    expect(feed(room(), message("groupchat", "", `<x xmlns="${MUC}"><status code="104"/></x>`))).toEqual([
      { kind: "configuration-changed" },
    ]);
    expect(
      feed(
        room(),
        message("error", "", `<error type="cancel"><not-allowed xmlns="urn:ietf:params:xml:ns:xmpp-stanzas"/></error>`),
      ),
    ).toEqual([{ kind: "chat-refused", id: "m1", text: "not-allowed" }]);
  });

  test("what comes from another room gives nothing", () => {
    expect(
      feed(
        room(),
        `<message xmlns="jabber:client" type="groupchat" from="other@muc.meet.test/x"><body>hi</body></message>`,
      ),
    ).toEqual([]);
    expect(
      feed(
        room(),
        `<presence xmlns="jabber:client" from="r@muc.meet.test.evil/x"><x xmlns="${MUC}"><item/></x></presence>`,
      ),
    ).toEqual([]);
  });

  test("an endless text is cut", () => {
    const [event] = feed(room(), message("groupchat", "/b", `<body>${"a".repeat(100_000)}</body>`));
    expect(event?.kind === "chat" ? event.message.body.length : 0).toBe(16_384);
  });
});
