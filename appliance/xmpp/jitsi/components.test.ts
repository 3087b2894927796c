/** Metadata, speaker statistics, polls, end of the conference: the components that need no room of their own. */
import { describe, expect, test } from "bun:test";
import { brief, fault } from "../muc/house.ts";
import { COMMAND_RATE } from "./component.ts";
import { ANA, BEN, CLEO, jsonFrom, Meeting, named } from "./meeting-fixture.ts";

describe("room metadata", () => {
  const set = (m: Meeting, who: typeof m.ana, json: string) =>
    m.tell(who, "metadata", `<room_metadata xmlns="http://jitsi.org/jitmeet" room="${m.room}">${json}</room_metadata>`);

  test("a moderator's key goes to everybody, to the focus with its own additions; the same again to nobody", () => {
    const m = new Meeting();
    const got = set(m, m.ana, '{"key":"startMuted","data":{"audio":true,"video":false},"type":"room_metadata"}');
    const metadata = { startMuted: { audio: true, video: false } };
    expect(jsonFrom(got, "metadata")).toEqual([{ type: "room_metadata", metadata }]);
    expect(got[0]?.getChild("json-message")?.attrs["room"]).toBe(m.room);
    expect(jsonFrom(m.focus.take(), "metadata")).toEqual([
      { type: "room_metadata", metadata: { ...metadata, moderators: [] } },
    ]);
    m.clear();
    set(m, m.ana, '{"key":"startMuted","data":{"audio":true,"video":false}}');
    expect(m.ben.take()).toEqual([]);
    set(m, m.ana, '{"key":"startMuted","data":null}');
    expect(jsonFrom(m.ben.take(), "metadata")).toEqual([{ type: "room_metadata", metadata: {} }]);
  });

  test("a key is only a key, whatever its name", () => {
    const m = new Meeting();
    const [told] = set(m, m.ana, '{"key":"__proto__","data":{"x":1}}');
    expect(told?.getChildText("json-message")).toBe('{"type":"room_metadata","metadata":{"__proto__":{"x":1}}}');
  });

  test("before the first self-presence; the focus, who makes the room, hears with its second", () => {
    const m = new Meeting({ services: () => [{ type: "turns" }] }, [ANA]);
    const got = m.ben.join(m.room, BEN);
    const order = got.map((each) => each.attrs["from"]);
    expect(order.indexOf("metadata.meet.test")).toBe(order.indexOf(`${m.room}/${BEN}`) - 1);
    expect(jsonFrom(got, "metadata")).toEqual([{ type: "room_metadata", metadata: { services: [{ type: "turns" }] } }]);
    expect(
      jsonFrom(m.focus.send(`<presence to="${m.room}/focus"><priority>0</priority></presence>`), "metadata"),
    ).toEqual([{ type: "room_metadata", metadata: { moderators: [] } }]);
  });

  test("not by participants, not the server's keys, not without sense, not without end", () => {
    const m = new Meeting();
    expect(fault(set(m, m.ben, '{"key":"a","data":1}')[0])).toBe("cancel/service-unavailable");
    expect(fault(set(m, m.ana, '{"key":"services","data":[]}')[0])).toBe("cancel/service-unavailable");
    expect(fault(set(m, m.ana, '{"key":7}')[0])).toBe("modify/bad-request");
    expect(fault(set(m, m.ana, "not json")[0])).toBe("modify/bad-request");
    expect(fault(set(m, m.ana, `{"key":"a","data":"${"x".repeat(40_000)}"}`)[0])).toBe("wait/resource-constraint");
    for (let key = 0; key < 64; key++) {
      m.house.wait(200);
      set(m, m.ana, `{"key":"k${key}","data":1}`);
    }
    m.house.wait(200);
    expect(fault(set(m, m.ana, '{"key":"one too many","data":1}').at(-1))).toBe("wait/resource-constraint");
  });

  test("an old client's start-muted presence becomes metadata, by moderators only", () => {
    const m = new Meeting();
    const startMuted = '<startmuted xmlns="http://jitsi.org/jitmeet/start-muted" audio="true" video="false"/>';
    m.ben.send(`<presence to="${m.room}/${BEN}">${startMuted}</presence>`);
    expect(jsonFrom(m.cleo.take(), "metadata")).toEqual([]);
    m.ana.send(`<presence to="${m.room}/${ANA}">${startMuted}</presence>`);
    expect(jsonFrom(m.cleo.take(), "metadata")).toMatchObject([
      { metadata: { startMuted: { audio: true, video: false } } },
    ]);
  });
});

describe("speaker statistics", () => {
  const speaks = (m: Meeting, who: typeof m.ana, silence = false) =>
    m.tell(
      who,
      "speakerstats",
      `<speakerstats xmlns="http://jitsi.org/jitmeet" room="${m.room}" silence="${silence}"/>`,
    );

  test("dominant time is counted until the next speaks, falls silent or leaves; newcomers are told", () => {
    const m = new Meeting({}, [ANA, BEN]);
    speaks(m, m.ana);
    m.house.wait(4_000);
    speaks(m, m.ben);
    m.house.wait(2_000);
    speaks(m, m.ben, true);
    m.house.wait(10_000);
    speaks(m, m.ana);
    m.house.wait(1_000);
    m.ana.leave(m.room, ANA);
    m.house.wait(1_000);
    expect(jsonFrom(m.cleo.join(m.room, CLEO, "", named("Cleo")), "speakerstats")).toEqual([
      {
        type: "speakerstats",
        users: {
          [ANA]: { displayName: "Ana", totalDominantSpeakerTime: 5_000, faceLandmarks: [] },
          [BEN]: { displayName: "Ben", totalDominantSpeakerTime: 2_000, faceLandmarks: [] },
        },
      },
    ]);
  });

  test("face landmarks are kept, bounded; another's room is none of one's business", () => {
    const m = new Meeting({}, [ANA]);
    for (let at = 0; at < 300; at++) {
      m.house.wait(200);
      m.tell(
        m.ana,
        "speakerstats",
        `<faceLandmarks xmlns="http://jitsi.org/jitmeet" room="${m.room}" faceExpression="happy" timestamp="${at}" duration="5"/>`,
      );
    }
    const [told] = jsonFrom(m.ben.join(m.room, BEN), "speakerstats") as {
      users: Record<string, { faceLandmarks: unknown[] }>;
    }[];
    expect(told?.users[ANA]?.faceLandmarks).toHaveLength(200);
    expect(told?.users[ANA]?.faceLandmarks.at(-1)).toEqual({ faceExpression: "happy", timestamp: 299, duration: 5 });
    expect(
      fault(m.tell(m.ana, "speakerstats", '<speakerstats room="elsewhere@muc.meet.test" silence="false"/>')[0]),
    ).toBe("cancel/service-unavailable");
  });
});

describe("polls", () => {
  const poll = (m: Meeting, who: typeof m.ana, json: object | string) =>
    who.send(
      `<message type="chat" to="polls.meet.test"><json-message xmlns="http://jitsi.org/jitmeet">${(typeof json === "string" ? json : JSON.stringify(json)).replaceAll("&", "&amp;").replaceAll("<", "&lt;")}</json-message></message>`,
    );
  const lunch = {
    type: "polls",
    command: "new-poll",
    pollId: "p1",
    question: "Lunch?",
    answers: [{ name: "yes" }, { name: "no" }],
  };

  test("told to all with the sender, answers with his name, newcomers get the whole", () => {
    const m = new Meeting({}, [ANA, BEN]);
    poll(m, m.ana, lunch);
    expect(jsonFrom(m.ben.take(), "polls")).toEqual([{ ...lunch, senderId: ANA }]);
    const answer = { type: "polls", command: "answer-poll", pollId: "p1", answers: [true, false] };
    poll(m, m.ben, answer);
    expect(jsonFrom(m.ben.take(), "polls")).toEqual([{ ...answer, senderId: BEN, senderName: "Ben" }]);
    const old = (votes: unknown[]) => [
      {
        type: "polls",
        command: "old-polls",
        polls: [
          {
            pollId: "p1",
            senderId: ANA,
            senderName: "Ana",
            question: "Lunch?",
            answers: [
              { name: "yes", voters: votes },
              { name: "no", voters: [] },
            ],
          },
        ],
      },
    ];
    expect(jsonFrom(m.cleo.join(m.room, CLEO), "polls")).toEqual(old([{ id: BEN, name: "Ben" }]));
    poll(m, m.ben, { ...answer, answers: [false, false] });
    m.cleo.leave(m.room, CLEO);
    m.cleo.take();
    expect(jsonFrom(m.cleo.join(m.room, CLEO), "polls")).toEqual(old([]));
  });

  test("nonsense is dropped in silence, too much is refused", () => {
    const m = new Meeting();
    for (const bad of [
      "no json",
      { ...lunch, pollId: "" },
      { ...lunch, question: "" },
      { ...lunch, answers: [] },
      { ...lunch, answers: [{}] },
      { ...lunch, command: "dance" },
      { type: "polls", command: "answer-poll", pollId: "unknown", answers: [true] },
    ])
      expect(poll(m, m.ana, bad)).toEqual([]);
    expect(m.house.dropped.filter((each) => each === "poll-malformed")).toHaveLength(7);
    expect(fault(poll(m, m.ana, { ...lunch, question: "x".repeat(1_024) })[0])).toBe("cancel/not-allowed");
    for (let count = 0; count < 128; count++) {
      m.house.wait(200);
      poll(m, m.ana, { ...lunch, pollId: `p${count}` });
    }
    m.house.wait(1_000);
    expect(fault(poll(m, m.ana, { ...lunch, pollId: "p128" })[0])).toBe("cancel/not-allowed");
    expect(poll(m, m.ana, { ...lunch, pollId: "p5" })).toEqual([]);
  });

  test("creation restricted by metadata is for moderators and those whose token says so", () => {
    const m = new Meeting();
    m.tell(
      m.ana,
      "metadata",
      `<room_metadata room="${m.room}">{"key":"permissions","data":{"pollCreationRestricted":true}}</room_metadata>`,
    );
    m.clear();
    expect(fault(poll(m, m.ben, lunch)[0])).toBe("cancel/not-allowed");
    expect(jsonFrom(poll(m, m.ana, lunch), "polls")).toHaveLength(1);
  });
});

test("commands beyond the budget are refused, others' are not", () => {
  const m = new Meeting();
  const speaks = (who: typeof m.ana) =>
    fault(m.tell(who, "speakerstats", `<speakerstats room="${m.room}" silence="false"/>`)[0]);
  for (let count = 0; count < COMMAND_RATE.burst; count++) expect(speaks(m.ben)).toBeUndefined();
  expect(speaks(m.ben)).toBe("wait/policy-violation");
  expect(speaks(m.ana)).toBeUndefined();
  m.house.wait(1_000);
  expect(speaks(m.ben)).toBeUndefined();
});

test("end for all: moderators only", () => {
  const m = new Meeting();
  expect(fault(m.tell(m.ben, "endconference", "<end_conference/>")[0])).toBe("auth/forbidden");
  expect(m.tell(m.ana, "endconference", "<end_conference/>").map(brief)).toEqual([
    `presence unavailable ${m.room}/${ANA} 110`,
  ]);
  expect(m.ben.take().at(-1)?.getChild("x")?.getChild("destroy")?.getChildText("reason")).toBe(
    "The meeting has been terminated",
  );
});

test("components answer disco and ping, refuse the rest, and are advertised by type", () => {
  const m = new Meeting();
  const iq = (child: string, type = "get") =>
    m.ana.send(`<iq type="${type}" id="c" to="polls.meet.test">${child}</iq>`)[0];
  expect(
    iq('<query xmlns="http://jabber.org/protocol/disco#info"/>')?.getChild("query")?.getChild("identity")?.attrs,
  ).toEqual({
    category: "component",
    type: "polls",
    name: "polls.meet.test",
  });
  expect(iq('<ping xmlns="urn:xmpp:ping"/>')?.attrs["type"]).toBe("result");
  expect(fault(iq('<query xmlns="urn:x"/>'))).toBe("cancel/service-unavailable");
  expect(m.ana.send('<iq type="result" id="c" to="polls.meet.test"/>')).toEqual([]);
  const identities = m.house.hosts.flatMap((host) => host.advertised ?? []).map((each) => `${each.type} ${each.name}`);
  expect(identities.sort()).toEqual([
    "av_moderation avmoderation.meet.test",
    "breakout_rooms breakout.meet.test",
    "end_conference endconference.meet.test",
    "lobbyrooms lobby.meet.test",
    "polls polls.meet.test",
    "room_metadata metadata.meet.test",
    "speakerstats speakerstats.meet.test",
  ]);
});
