import { describe, expect, test } from "bun:test";
import { parse } from "../../appliance/wire/xml.ts";
import {
  admitMessage,
  breakoutCommand,
  moderationApproval,
  moderationSwitch,
  newPoll,
  readBreakout,
  readLobbyNews,
  readMetadata,
  readModeration,
  readPolls,
  readSpeakerStats,
} from "./components.ts";
import {
  conferenceElement,
  readComponents,
  readConference,
  readIceServers,
  readRequestError,
} from "./conference-request.ts";
import { capsText, discoQuery, endpointId, FEATURES, joinPresence, presenceChildren } from "./own-presence.ts";
import { linkQuality, receiverConstraints, stepOf } from "./quality.ts";
import { passwordForm, readRoomInfo } from "./room-settings.ts";
import { readSettings } from "./settings.ts";

const element = (text: string) => {
  const parsed = parse(text);
  if (parsed === undefined) throw new Error(text);
  return parsed;
};

describe("conference request", () => {
  const settings = readSettings(
    { startAudioMuted: 10 },
    { protocol: "https:", host: "h", pathname: "/r", search: "?jwt=t.o.k", hash: "" },
  );
  test("request and answer", () => {
    const request = conferenceElement(
      { room: "r@muc", machine: "m".repeat(32), sessionId: undefined },
      settings,
    ).toString();
    expect(request).toContain(`token="t.o.k"`);
    expect(request).toContain(`<property name="startAudioMuted" value="10"/>`);
    expect(request).not.toContain("visitors-version"); // else a focus with visitors may send us where we cannot go
    expect(
      readConference(
        element(
          `<iq type="result"><conference xmlns="http://jitsi.org/protocol/focus" ready="true" focusjid="focus@auth"><property name="authentication" value="false"/></conference></iq>`,
        ),
      ),
    ).toMatchObject({ ready: true, focusUser: "focus@auth" });
    expect(readConference(element("<iq/>"))).toBeUndefined();
  });
  test.each([
    [{ condition: "not-authorized" }, "login-required"],
    [{ condition: "not-acceptable" }, "session-invalid"],
    [{ condition: "service-unavailable" }, "unavailable"],
    [{ condition: "resource-constraint", text: "all bridges are full" }, "full"],
    [{ condition: "resource-constraint", text: "too many conferences" }, "unavailable"],
  ] as const)("%p", (error, kind) => expect(readRequestError(error).kind).toBe(kind));
  test("components by identity type, TURN over TCP only", () => {
    const disco = element(
      `<iq><query xmlns="http://jabber.org/protocol/disco#info"><identity category="component" type="av_moderation" name="av.x"/><identity category="component" type="polls" name="polls.x"/><identity category="server" type="im" name="Box"/></query></iq>`,
    );
    expect(readComponents(disco)).toEqual({ avModeration: "av.x", polls: "polls.x" });
    const services = element(
      `<iq><services xmlns="urn:xmpp:extdisco:2"><service type="stun" host="s" port="3478"/><service type="turns" host="t" port="5349" transport="tcp" username="u" password="p"/><service type="turn" host="u" port="3478" transport="udp"/></services></iq>`,
    );
    expect(readIceServers(services)).toEqual([{ urls: "turns:t:5349?transport=tcp", username: "u", credential: "p" }]);
  });
});

describe("ourselves", () => {
  test("caps text is sorted and has no identities (XEP-0115 5.1)", () => {
    expect(capsText(["b", "a"])).toBe("a<b<");
    expect(capsText().split("<")).toHaveLength(FEATURES.length + 1);
    expect(discoQuery("n").children).toHaveLength(FEATURES.length);
  });
  test("no feature promises what we do not do", () => {
    for (const feature of ["http://jitsi.org/ssrc-rewriting-1", "http://jitsi.org/opus-red"])
      expect(FEATURES).not.toContain(feature);
  });
  test("endpoint id from the JID, or at random", () => {
    expect(endpointId("7c1e22d0-5b1f-4a6e-9c0e-0d5a3d3f9a11@x/y", () => 0.5)).toBe("7c1e22d0");
    expect(endpointId("alice@x/y", () => 0.999)).toBe("ffffffff");
  });
  test("presence: mute by SourceInfo, hand, companion, password only in the join", () => {
    const own = {
      name: "Ana <3",
      sources: new Map([
        ["e-a0", { muted: true, videoType: "camera" as const }],
        ["e-v1", { muted: false, videoType: "desktop" as const }],
      ]),
      handAt: 5,
      companion: true,
      codecs: ["vp8"],
      capsVer: "v=",
      statsId: "s",
    };
    const text = joinPresence("r@muc/e", presenceChildren(own), "pw").toString();
    const back = element(text);
    expect(back.getChildText("SourceInfo")).toBe(
      `{"e-a0":{"muted":true},"e-v1":{"muted":false,"videoType":"desktop"}}`,
    );
    expect(back.getChildText("nick")).toBe("Ana <3");
    expect(back.getChildText("jitsi_participant_raisedHand")).toBe("5");
    expect(text).toContain("<password>pw</password>");
    expect(
      presenceChildren({ ...own, handAt: undefined, companion: false }).map((each) => each.getName()),
    ).not.toContain("silent");
  });
});

describe("room information", () => {
  test("features and fields", () => {
    const stanza = element(
      `<iq><query xmlns="http://jabber.org/protocol/disco#info"><feature var="muc_passwordprotected"/><feature var="muc_membersonly"/><x xmlns="jabber:x:data" type="result"><field var="muc#roominfo_lobbyroom"><value>r@lobby</value></field><field var="muc#roominfo_created_timestamp"><value>1787000123456</value></field><field var="muc#roominfo_isbreakout"><value/></field></x></query></iq>`,
    );
    expect(readRoomInfo(stanza)).toEqual({
      locked: true,
      membersOnly: true,
      lobby: "r@lobby",
      meetingId: undefined,
      createdAt: 1787000123456,
      isBreakout: false,
      mainRoom: undefined,
    });
    expect(readRoomInfo(element("<iq/>"))).toBeUndefined();
  });
  test("removing the password keeps lobby and whois", () => {
    const text = passwordForm("", true).toString();
    for (const part of ['passwordprotectedroom"><value>0<', 'whois"><value>anyone<', 'membersonly"><value>true<'])
      expect(text).toContain(part);
  });
});

describe("components", () => {
  test("what is said", () => {
    expect(moderationSwitch("av.x", "audio", true).toString()).toContain(
      `<av_moderation enable="true" mediaType="audio"/>`,
    );
    expect(moderationApproval("av.x", "video", "r@muc/n", false).toString()).toContain(`jidToBlacklist="r@muc/n"`);
    expect(admitMessage("r@muc", "i", ["a@x/y"]).toString()).toContain(`<invite to="a@x/y"/>`);
    expect(breakoutCommand("b.x", "add", { subject: "Group 1" }).toString()).toContain(
      `type="features/breakout-rooms/add" subject="Group 1"`,
    );
    expect(newPoll("p.x", "id", "Q?", ["a", "b"]).getChildText("json-message")).toBe(
      `{"type":"polls","command":"new-poll","pollId":"id","question":"Q?","answers":[{"name":"a"},{"name":"b"}]}`,
    );
  });

  test("what is answered", () => {
    expect(readModeration({ type: "av_moderation", enabled: true, mediaType: "audio", actor: "r@muc/abc" })).toEqual({
      kind: "switched",
      mediaType: "audio",
      enabled: true,
      actor: "abc",
    });
    expect(readModeration({ type: "av_moderation", approved: true, mediaType: "video" })).toMatchObject({
      kind: "approved",
      approved: true,
    });
    expect(readLobbyNews({ type: "lobby-notify", event: "LOBBY-ENABLED", value: true })).toMatchObject({ on: true });
    expect(
      readMetadata({ type: "room_metadata", metadata: { startMuted: { audio: true }, services: {} } })?.startMuted,
    ).toEqual({ audio: true, video: false });
    const rooms = readBreakout({
      type: "breakout_rooms",
      event: "features/breakout-rooms/update",
      rooms: {
        a: { id: "a", jid: "a@b", isMainRoom: true, participants: { "a@b/e1": { jid: "u@x/y", displayName: "Ben" } } },
      },
    });
    expect(rooms).toMatchObject({
      kind: "rooms",
      rooms: [{ jid: "a@b", isMain: true, people: [{ realJid: "u@x/y", name: "Ben", endpoint: "e1" }] }],
    });
    expect(
      readPolls({ type: "polls", command: "answer-poll", pollId: "p", senderId: "s", answers: [true, 0] }),
    ).toMatchObject({ answers: [true, false] });
  });

  test("anything else gives nothing and does not throw", () => {
    const junk: Record<string, unknown>[] = [
      {},
      { type: "av_moderation" },
      { type: "av_moderation", mediaType: "audio", whitelists: 3 },
      { type: "polls", command: "new-poll", pollId: 3 },
      { type: "polls", command: "old-polls", polls: [null, 3, { pollId: "x" }] },
      { type: "breakout_rooms", event: "features/breakout-rooms/update", rooms: { a: null, b: 3 } },
      { type: "lobby-notify", event: "X" },
      { type: "room_metadata", metadata: [] },
    ];
    for (const each of junk)
      for (const read of [readModeration, readLobbyNews, readMetadata, readBreakout, readPolls])
        expect(() => read(each)).not.toThrow();
  });
});

describe("quality", () => {
  test.each([
    [100, 90],
    [211, 180],
    [212, 360],
    [420, 360],
    [850, 1080],
    [5000, 2160],
  ])("drawn %p px asks for %p", (drawn, step) => expect(stepOf(drawn)).toBe(step));

  const choice = { audioOnly: false, hidden: false, maxHeight: 2160, lastN: -1 };
  const seen = [
    { name: "b-v0", heightPx: 180, onStage: false },
    { name: "a-v1", heightPx: 900, onStage: true },
    { name: "c-v0", heightPx: 0, onStage: false },
  ];
  test("only what is seen, nothing else by default", () => {
    expect(receiverConstraints(seen, choice)).toEqual({
      colibriClass: "ReceiverVideoConstraints",
      lastN: -1,
      selectedSources: [],
      onStageSources: ["a-v1"],
      defaultConstraints: { maxHeight: 0 },
      constraints: { "a-v1": { maxHeight: 1080 }, "b-v0": { maxHeight: 180 } },
      assumedBandwidthBps: -1,
    });
  });
  test("hidden page or sound only: nothing at all", () => {
    for (const which of [{ hidden: true }, { audioOnly: true }])
      expect(receiverConstraints(seen, { ...choice, ...which })).toMatchObject({
        lastN: 0,
        constraints: {},
        onStageSources: [],
      });
  });
  test("bars", () => {
    expect(linkQuality(0.01, 0.9)).toBe("good");
    expect(linkQuality(0.07, undefined)).toBe("medium");
    expect(linkQuality(0, 0.2)).toBe("medium");
    expect(linkQuality(0.2, undefined)).toBe("poor");
  });
});

describe("speaker statistics", () => {
  test("what the server counted, as recorded", () => {
    const payload = JSON.parse(
      '{"type":"speakerstats","users":{"b04f9a61":{"displayName":"Ben","totalDominantSpeakerTime":42000,"faceLandmarks":{}},"7c1e22d0":{"totalDominantSpeakerTime":0}}}',
    ) as Record<string, unknown>;
    expect([...(readSpeakerStats(payload) ?? [])]).toEqual([
      ["b04f9a61", { name: "Ben", ms: 42_000 }],
      ["7c1e22d0", { name: "", ms: 0 }],
    ]);
  });

  test.each([
    [{ type: "speakerstats" }, undefined],
    [{ type: "speakerstats", users: [] }, undefined],
    [{ type: "polls", users: {} }, undefined],
    [
      {
        type: "speakerstats",
        users: { a: { totalDominantSpeakerTime: -1 }, b: { totalDominantSpeakerTime: "9" }, c: null },
      },
      0,
    ],
  ])("%p gives nothing and throws nothing", (payload, size) => {
    expect(readSpeakerStats(payload)?.size).toBe(size as number);
  });
});
