/**
 * Dialogues: mute IQs (signaling.md 5.2), AV moderation (5.4), start muted (5.3). Answers as recorded in ws-call-3, ws-odd-requests-and-errors and ws-av-moderation.
 */
import { describe, expect, test } from "bun:test";
import { NS } from "../wire/namespaces.ts";
import { attr, type Element, text, xml } from "../wire/xml.ts";
import { FEATURE } from "./codecs.ts";
import { conditionOf, FOCUS, type SimulatedClient, SimulatedWorld } from "./simulated-world.ts";

const ROOM = "standup@muc.meet.test";

function meeting() {
  const world = new SimulatedWorld().start();
  return { world, ana: world.join(ROOM, "aaaaaaaa"), ben: world.join(ROOM, "bbbbbbbb") };
}
const mute = (target: string, value: string, media: string = NS.jitmeetAudio): Element =>
  xml("mute", { xmlns: media, jid: `${ROOM}/${target}` }, value);
const component = (world: SimulatedWorld, from: string, json: unknown, attributes: Record<string, string> = {}): void =>
  world.deliver(
    xml(
      "message",
      { xmlns: NS.client, from, to: FOCUS },
      xml("json-message", { xmlns: NS.jitmeet, ...attributes }, JSON.stringify(json)),
    ),
  );
const moderation = (world: SimulatedWorld, json: Record<string, unknown>, from = "avmoderation.meet.test"): void =>
  component(world, from, { type: "av_moderation", room: ROOM, ...json });
const forceMuted = (world: SimulatedWorld): Record<string, unknown> =>
  Object.fromEntries(
    (world.bridges.get("jvb1")?.requests ?? [])
      .flatMap((each) => each.endpoints)
      .filter((each) => each.forceMute !== undefined)
      .map((each) => [each.id, each.forceMute]),
  );

describe("mute IQs", () => {
  test.each([NS.jitmeetAudio, NS.jitmeetVideo, "http://jitsi.org/jitmeet/desktop"])(
    "a moderator mutes somebody (%s): result, then the target is told by whom",
    (media) => {
      const { world, ana, ben } = meeting();
      expect(conditionOf(world.request(ana, mute("bbbbbbbb", "true", media)))).toBeUndefined();
      expect(ben.mutes.map((each) => [each.getNS(), attr(each, "actor"), text(each)])).toEqual([
        [media, `${ROOM}/aaaaaaaa`, "true"],
      ]);
      expect(Object.keys(forceMuted(world))).toHaveLength(0);
    },
  );

  const refused: readonly [
    string,
    (ana: SimulatedClient, ben: SimulatedClient) => [SimulatedClient, Element],
    string,
  ][] = [
    ["by somebody who is no moderator", (_, ben) => [ben, mute("aaaaaaaa", "true")], "not-allowed"],
    ["unmuting others", (ana) => [ana, mute("bbbbbbbb", "false")], "not-allowed"],
    ["somebody who is not there", (ana) => [ana, mute("nobody", "true")], "internal-server-error"],
    ["without jid", (ana) => [ana, xml("mute", { xmlns: NS.jitmeetAudio }, "true")], "bad-request"],
    ["without text", (ana) => [ana, mute("bbbbbbbb", "")], "bad-request"],
    [
      "somebody in another room",
      (ana) => [ana, xml("mute", { xmlns: NS.jitmeetAudio, jid: "x@muc.meet.test/bbbbbbbb" }, "true")],
      "internal-server-error",
    ],
  ];
  test.each(refused)("%s is refused and the mute element comes back", (_, build, condition) => {
    const { world, ana, ben } = meeting();
    const [sender, payload] = build(ana, ben);
    const answer = world.request(sender, payload);
    expect(conditionOf(answer)).toBe(condition);
    expect(answer?.getChild("mute")).toBeDefined();
    expect(ana.mutes.length + ben.mutes.length).toBe(0);
  });

  test("everybody may mute and unmute himself, and is not told of it", () => {
    const { world, ben } = meeting();
    expect(conditionOf(world.request(ben, mute("bbbbbbbb", "true")))).toBeUndefined();
    expect(conditionOf(world.request(ben, mute("bbbbbbbb", "false")))).toBeUndefined();
    expect(ben.mutes).toHaveLength(0);
  });

  test("a recorder is not muted; a client that calls itself one is", () => {
    const { world, ana } = meeting();
    const features = xml("features", {}, xml("feature", { var: FEATURE.jibri }));
    world.join(ROOM, "recorder", { presence: [features], domain: "hidden.meet.test" });
    const liar = world.join(ROOM, "liar0000", { presence: [features] });
    expect(conditionOf(world.request(ana, mute("recorder", "true")))).toBe("not-allowed");
    expect(conditionOf(world.request(ana, mute("liar0000", "true")))).toBeUndefined();
    expect(liar.mutes).toHaveLength(1);
  });
});

describe("AV moderation", () => {
  test("on: everybody but the actor is muted without naming one, and at the bridge who may not speak", () => {
    const { world, ana, ben } = meeting();
    const eve = world.join(ROOM, "eeeeeeee");
    moderation(world, { enabled: true, mediaType: "audio", actor: `${ROOM}/aaaaaaaa` });
    expect(ana.mutes).toHaveLength(0);
    for (const each of [ben, eve]) {
      expect(each.mutes).toHaveLength(1);
      expect(attr(each.mutes[0] ?? xml("x"), "actor")).toBeUndefined();
    }
    expect(forceMuted(world)).toEqual({
      bbbbbbbb: { audio: true, video: false },
      eeeeeeee: { audio: true, video: false },
    });
    expect(world.bridges.get("jvb1")?.requests.at(-1)?.endpoints).toHaveLength(2); // one request for both
  });

  test("unmuting oneself needs an approval", () => {
    const { world, ben } = meeting();
    moderation(world, { enabled: true, mediaType: "audio", actor: `${ROOM}/aaaaaaaa` });
    expect(conditionOf(world.request(ben, mute("bbbbbbbb", "false")))).toBe("not-allowed");
    moderation(world, { whitelists: { audio: [`${ROOM}/aaaaaaaa`, `${ROOM}/bbbbbbbb`] }, mediaType: "audio" });
    expect(conditionOf(world.request(ben, mute("bbbbbbbb", "false")))).toBeUndefined();
    expect(forceMuted(world)["bbbbbbbb"]).toEqual({ audio: false, video: false });
    moderation(world, { whitelists: { audio: [`${ROOM}/aaaaaaaa`] }, mediaType: "audio", removed: true });
    expect(forceMuted(world)["bbbbbbbb"]).toEqual({ audio: true, video: false });
  });

  test("off: nobody is held at the bridge any more", () => {
    const { world } = meeting();
    moderation(world, { enabled: true, mediaType: "video", actor: `${ROOM}/aaaaaaaa` });
    expect(forceMuted(world)["bbbbbbbb"]).toEqual({ audio: false, video: true });
    moderation(world, { enabled: false, mediaType: "video", actor: `${ROOM}/aaaaaaaa` });
    expect(forceMuted(world)["bbbbbbbb"]).toEqual({ audio: false, video: false });
  });

  test("a newcomer is held from his allocation on; becoming moderator frees", () => {
    const { world } = meeting();
    moderation(world, { enabled: true, mediaType: "audio", actor: `${ROOM}/aaaaaaaa` });
    world.join(ROOM, "eeeeeeee");
    const created = world.bridges
      .get("jvb1")
      ?.requests.flatMap((each) => each.endpoints)
      .find((each) => each.id === "eeeeeeee" && each.create);
    expect(created?.forceMute).toEqual({ audio: true, video: false });
    world.promote(ROOM, "eeeeeeee");
    expect(forceMuted(world)["eeeeeeee"]).toEqual({ audio: false, video: false });
  });

  test("only the component is believed", () => {
    const { world, ben } = meeting();
    moderation(world, { enabled: true, mediaType: "audio" }, "evil@meet.test/x");
    moderation(world, { enabled: true, mediaType: "audio" }, "metadata.meet.test");
    expect(ben.mutes).toHaveLength(0);
    for (const body of ["{", "[]", "null", '{"room":1}', '{"whitelists":{"audio":[1,{}]},"room":"x"}'])
      world.deliver(
        xml(
          "message",
          { xmlns: NS.client, from: "avmoderation.meet.test", to: FOCUS },
          xml("json-message", { xmlns: NS.jitmeet }, body),
        ),
      );
    expect(Object.keys(forceMuted(world))).toHaveLength(0);
  });
});

describe("start muted", () => {
  const startMuted = (client: SimulatedClient) =>
    client.jingle.find((each) => each.action === "session-initiate")?.startMuted;

  test("by the request's numbers: participants beyond them", () => {
    const world = new SimulatedWorld().start();
    world.ask(ROOM, "x@meet.test/r", {}, { startAudioMuted: "2", startVideoMuted: "1" });
    const [ana, ben, eve] = ["aaaaaaaa", "bbbbbbbb", "eeeeeeee"].map((nick) => world.join(ROOM, nick));
    if (ana === undefined || ben === undefined || eve === undefined) throw new Error("no clients");
    expect(startMuted(ana)).toBeUndefined();
    expect(startMuted(ben)).toEqual({ audio: false, video: true });
    expect(startMuted(eve)).toEqual({ audio: true, video: true });
  });

  test("by room metadata: newcomers", () => {
    const { world, ana } = meeting();
    component(
      world,
      "metadata.meet.test",
      { type: "room_metadata", metadata: { startMuted: { audio: true, video: false } } },
      { room: ROOM },
    );
    expect(startMuted(ana)).toBeUndefined();
    expect(startMuted(world.join(ROOM, "eeeeeeee"))).toEqual({ audio: true, video: false });
  });

  test("metadata says that a transcription runs: one participant is enough for a session", () => {
    const world = new SimulatedWorld().start();
    const ana = world.join(ROOM, "aaaaaaaa");
    expect(ana.sid).toBeUndefined();
    component(
      world,
      "metadata.meet.test",
      { type: "room_metadata", metadata: { recording: { isTranscribingEnabled: true } } },
      { room: ROOM },
    );
    expect(ana.sid).toBeDefined();
  });
});
