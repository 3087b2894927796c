import { expect, test } from "bun:test";
import { fault } from "../muc/house.ts";
import { ANA, BEN, CLEO, jsonFrom, Meeting, named } from "./meeting-fixture.ts";

const enable = (media: string, on = true): string => `<av_moderation enable="${on}" mediaType="${media}"/>`;
const of = (stanzas: Parameters<typeof jsonFrom>[0]) => jsonFrom(stanzas, "avmoderation");

test("everybody hears of the switch, moderators and the focus get the lists", () => {
  const m = new Meeting();
  const own = of(m.tell(m.ana, "avmoderation", enable("audio")));
  const on = { type: "av_moderation", enabled: true, room: m.room, actor: `${m.room}/${ANA}`, mediaType: "audio" };
  const lists = {
    type: "av_moderation",
    room: m.room,
    whitelists: { audio: [`${m.room}/${ANA}`] },
    mediaType: "audio",
  };
  expect(own).toEqual([on, lists]);
  expect(of(m.focus.take())).toEqual([on, lists]);
  expect(of(m.ben.take())).toEqual([on]);
  expect(m.tell(m.ana, "avmoderation", enable("audio"))).toEqual([]);
});

test("approval and its withdrawal; approval ends with the occupancy", () => {
  const m = new Meeting();
  m.tell(m.ana, "avmoderation", enable("audio"));
  m.clear();
  m.tell(m.ana, "avmoderation", `<av_moderation jidToWhitelist="${m.room}/${BEN}" mediaType="audio"/>`);
  expect(of(m.ben.take())).toEqual([{ type: "av_moderation", room: m.room, approved: true, mediaType: "audio" }]);
  expect(of(m.ana.take())).toMatchObject([{ whitelists: { audio: [`${m.room}/${ANA}`, `${m.room}/${BEN}`] } }]);
  m.tell(m.ana, "avmoderation", `<av_moderation jidToBlacklist="${m.room}/${BEN}" mediaType="audio"/>`);
  expect(of(m.ben.take())).toEqual([{ type: "av_moderation", room: m.room, removed: true, mediaType: "audio" }]);
  expect(of(m.ana.take())).toMatchObject([{ whitelists: { audio: [`${m.room}/${ANA}`] }, removed: true }]);
  m.tell(m.ana, "avmoderation", `<av_moderation jidToWhitelist="${m.room}/${BEN}" mediaType="audio"/>`);
  m.ben.leave(m.room, BEN);
  m.ben.join(m.room, BEN);
  m.clear();
  m.tell(m.ana, "avmoderation", `<av_moderation jidToWhitelist="${m.room}/${CLEO}" mediaType="audio"/>`);
  expect(of(m.ana.take())).toMatchObject([{ whitelists: { audio: [`${m.room}/${ANA}`, `${m.room}/${CLEO}`] } }]);
});

test("while it is off, the same command asks one participant to unmute", () => {
  const m = new Meeting();
  m.tell(m.ana, "avmoderation", `<av_moderation jidToWhitelist="${m.room}/${BEN}" mediaType="video"/>`);
  expect(of(m.ben.take())).toEqual([
    { type: "av_moderation", room: m.room, approved: true, mediaType: "video", from: `${m.room}/${ANA}` },
  ]);
  expect(m.ana.take()).toEqual([]);
});

test("a newcomer starts muted and learns the switches; a new moderator gets the lists", () => {
  const m = new Meeting({}, [ANA, BEN]);
  m.tell(m.ana, "avmoderation", enable("audio"));
  m.tell(m.ana, "avmoderation", enable("desktop"));
  m.clear();
  const got = m.cleo.join(m.room, CLEO, "", named("Cleo"));
  expect(jsonFrom(got, "metadata")).toEqual([
    { type: "room_metadata", metadata: { startMuted: { audio: true }, services: [] } },
  ]);
  expect(of(got)).toMatchObject([
    { enabled: true, mediaType: "audio" },
    { enabled: true, mediaType: "desktop" },
  ]);
  m.clear();
  m.affiliate(m.ana, m.cleo, "owner");
  expect(of(m.cleo.take())).toMatchObject([
    { mediaType: "audio", whitelists: { audio: [`${m.room}/${ANA}`], desktop: [`${m.room}/${ANA}`] } },
    { mediaType: "desktop" },
  ]);
  m.tell(m.ana, "avmoderation", enable("audio", false));
  m.ben.leave(m.room, BEN);
  m.ben.take();
  expect(jsonFrom(m.ben.join(m.room, BEN), "metadata")).toMatchObject([{ metadata: { services: [] } }]);
});

test("not for participants, strangers, unknown media or people", () => {
  const m = new Meeting();
  expect(fault(m.tell(m.ben, "avmoderation", enable("audio"))[0])).toBe("cancel/service-unavailable");
  expect(fault(m.tell(m.house.guest("20e00000"), "avmoderation", enable("audio"))[0])).toBe(
    "cancel/service-unavailable",
  );
  expect(fault(m.tell(m.ana, "avmoderation", enable("smell"))[0])).toBe("modify/bad-request");
  expect(fault(m.tell(m.ana, "avmoderation", '<av_moderation jidToWhitelist="x@y/z" mediaType="audio"/>')[0])).toBe(
    "cancel/item-not-found",
  );
});
