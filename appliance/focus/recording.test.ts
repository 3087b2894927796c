/**
 * Dialogues: recorders and gateways, signaling.md 5.5, 5.6.
 */
import { describe, expect, test } from "bun:test";
import { NS } from "../wire/namespaces.ts";
import { attr, child, type Element, xml } from "../wire/xml.ts";
import { conditionOf, FOCUS, type SimulatedClient, SimulatedWorld, testConfig } from "./simulated-world.ts";

const ROOM = "standup@muc.meet.test";
const JIBRIS = "jibribrewery@internal-muc.meet.test";
const GATEWAYS = "jigasibrewery@internal-muc.meet.test";

function meeting() {
  const world = new SimulatedWorld(testConfig({ options: { jibriBrewery: JIBRIS, jigasiBrewery: GATEWAYS } })).start();
  return { world, ana: world.join(ROOM, "aaaaaaaa"), ben: world.join(ROOM, "bbbbbbbb") };
}
const jibri = (attributes: Record<string, string>): Element => xml("jibri", { xmlns: NS.jibri, ...attributes });
const presence = (world: SimulatedWorld, nick: string, busy = "idle", type?: string): void =>
  world.deliver(
    xml(
      "presence",
      { xmlns: NS.client, from: `${JIBRIS}/${nick}`, to: FOCUS, type },
      xml("x", { xmlns: NS.mucUser }, xml("item", { jid: "service@auth.meet.test/r", affiliation: "none" })),
      xml(
        "jibri-status",
        { xmlns: NS.jibri },
        xml("busy-status", { xmlns: NS.jibri, status: busy }),
        xml("health-status", { xmlns: "http://jitsi.org/protocol/health", status: "healthy" }),
      ),
    ),
  );
/** Orders that the focus gave to recorders, and how to answer them. */
const orders = (world: SimulatedWorld): Element[] =>
  world.sent.filter((each) => child(each, "jibri") !== undefined && attr(each, "type") === "set");
const reply = (world: SimulatedWorld, order: Element | undefined, attributes: Record<string, string>): void =>
  world.deliver(
    xml(
      "iq",
      {
        xmlns: NS.client,
        type: "result",
        id: attr(order ?? xml("x"), "id"),
        from: attr(order ?? xml("x"), "to"),
        to: FOCUS,
      },
      jibri(attributes),
    ),
  );
const report = (world: SimulatedWorld, nick: string, attributes: Record<string, string>): void =>
  world.deliver(
    xml("iq", { xmlns: NS.client, type: "set", id: "rep", from: `${JIBRIS}/${nick}`, to: FOCUS }, jibri(attributes)),
  );
const status = (world: SimulatedWorld): Record<string, string | undefined> | undefined =>
  world.sent
    .filter((each) => each.getName() === "presence" && attr(each, "to") === `${ROOM}/focus`)
    .map((each) => child(each, "jibri-recording-status", NS.jibri))
    .at(-1)?.attrs;
const start = (
  world: SimulatedWorld,
  client: SimulatedClient,
  extra: Record<string, string> = { recording_mode: "file" },
) => world.request(client, jibri({ action: "start", ...extra }));

describe("recording", () => {
  test("start, pending, on, stop", () => {
    const { world, ana } = meeting();
    presence(world, "rec1");
    expect(start(world, ana, { recording_mode: "file", app_data: "{}" })).toBeUndefined(); // waits for the recorder
    const order = orders(world).at(-1);
    expect(child(order ?? xml("x"), "jibri")?.attrs).toMatchObject({
      action: "start",
      room: ROOM,
      recording_mode: "file",
      app_data: "{}",
    });
    const id = child(order ?? xml("x"), "jibri")?.attrs["session_id"] ?? "";
    reply(world, order, { status: "pending" });
    expect([...ana.answers.values()].map(String).join()).toContain(`session_id="${id}"`);
    expect(status(world)).toMatchObject({ status: "pending", session_id: id, recording_mode: "file" });
    report(world, "rec1", { status: "on", session_id: id });
    expect(status(world)).toMatchObject({ status: "on", initiator: `${ROOM}/aaaaaaaa` });
    expect(conditionOf(start(world, ana))).toBe("unexpected-request");
    expect(conditionOf(world.request(ana, jibri({ action: "stop", recording_mode: "file" })))).toBeUndefined();
    expect(child(orders(world).at(-1) ?? xml("x"), "jibri")?.attrs).toMatchObject({ action: "stop", session_id: id });
    expect(status(world)).toMatchObject({ status: "off", initiator: `${ROOM}/aaaaaaaa` });
    expect(conditionOf(world.request(ana, jibri({ action: "stop", recording_mode: "file" })))).toBe("item-not-found");
  });

  const refused: readonly [string, Record<string, string>, string][] = [
    ["a stream without a key", { recording_mode: "stream" }, "bad-request"],
    ["a file with a key", { recording_mode: "file", streamid: "x" }, "bad-request"],
    ["no mode", {}, "bad-request"],
    ["a mode that is none", { recording_mode: "x" }, "bad-request"],
  ];
  test.each(refused)("%s is refused", (_, attributes, condition) => {
    const { world, ana } = meeting();
    presence(world, "rec1");
    expect(conditionOf(start(world, ana, attributes))).toBe(condition);
  });

  test("no recorder, all busy, no moderator, no configuration", () => {
    const { world, ana, ben } = meeting();
    expect(conditionOf(start(world, ana))).toBe("service-unavailable");
    presence(world, "rec1", "busy");
    expect(conditionOf(start(world, ana))).toBe("resource-constraint");
    expect(conditionOf(start(world, ben))).toBe("not-allowed");
    expect(conditionOf(world.request(ana, jibri({ action: "dance" })))).toBe("bad-request");
    const plain = new SimulatedWorld().start();
    expect(conditionOf(start(plain, plain.join(ROOM, "aaaaaaaa")))).toBe("item-not-found"); // as recorded
  });

  test("a recorder that fails is replaced by another; the last failure is told", () => {
    const { world, ana } = meeting();
    presence(world, "rec1");
    presence(world, "rec2");
    start(world, ana);
    reply(world, orders(world).at(-1), { status: "off", failure_reason: "busy", should_retry: "true" });
    const second = orders(world).at(-1);
    expect(attr(second ?? xml("x"), "to")).toBe(`${JIBRIS}/rec2`);
    reply(world, second, { status: "pending" });
    presence(world, "rec2", "busy", "unavailable");
    expect(status(world)).toMatchObject({ status: "off", failure_reason: "error" });
    expect(world.focus.stats.jibriFailures.recording).toBe(2);
  });

  test("pending for 90 s is a failure", () => {
    const { world, ana } = meeting();
    presence(world, "rec1");
    start(world, ana);
    reply(world, orders(world).at(-1), { status: "pending" });
    world.advance(90_100);
    expect(status(world)).toMatchObject({ status: "off", failure_reason: "error" });
  });

  test("a recorder reports only about its own job", () => {
    const { world, ana } = meeting();
    presence(world, "rec1");
    start(world, ana);
    const order = orders(world).at(-1);
    reply(world, order, { status: "pending" });
    presence(world, "rec2");
    report(world, "rec2", { status: "off", session_id: child(order ?? xml("x"), "jibri")?.attrs["session_id"] ?? "" });
    expect(status(world)).toMatchObject({ status: "pending" });
  });

  test("the end of the conference stops the recorder", () => {
    const { world, ana, ben } = meeting();
    presence(world, "rec1");
    start(world, ana);
    reply(world, orders(world).at(-1), { status: "pending" });
    world.leave(ana);
    world.leave(ben);
    expect(child(orders(world).at(-1) ?? xml("x"), "jibri")?.attrs).toMatchObject({ action: "stop" });
  });
});

describe("dial-out", () => {
  const dial = (to: string, room = ROOM): Element =>
    xml(
      "dial",
      { xmlns: "urn:xmpp:rayo:1", from: "fromnumber", to },
      xml("header", { name: "JvbRoomName", value: room }),
    );
  const gateway = (world: SimulatedWorld, nick: string, stats: Record<string, string>): void =>
    world.deliver(
      xml(
        "presence",
        { xmlns: NS.client, from: `${GATEWAYS}/${nick}`, to: FOCUS },
        xml("x", { xmlns: NS.mucUser }, xml("item", { jid: "service@auth.meet.test/r", affiliation: "none" })),
        xml(
          "stats",
          { xmlns: NS.colibri },
          Object.entries(stats).map(([name, value]) => xml("stat", { name, value })),
        ),
      ),
    );
  const dials = (world: SimulatedWorld): Element[] =>
    world.sent.filter((each) => child(each, "dial") !== undefined && attr(each, "type") === "set");

  test("the least busy gateway that can, and its reference back", () => {
    const { world, ana } = meeting();
    gateway(world, "g1", { participants: "5", supports_sip: "true" });
    gateway(world, "g2", { participants: "1", supports_sip: "true" });
    gateway(world, "g3", { participants: "0", supports_sip: "false", supports_transcription: "true" });
    world.request(ana, dial("+15550100"));
    const order = dials(world).at(-1);
    expect(attr(order ?? xml("x"), "to")).toBe(`${GATEWAYS}/g2`);
    expect(child(child(order ?? xml("x"), "dial") ?? xml("x"), "header")?.attrs).toMatchObject({ name: "JvbRoomName" });
    world.deliver(
      xml(
        "iq",
        { xmlns: NS.client, type: "result", id: attr(order ?? xml("x"), "id"), from: `${GATEWAYS}/g2`, to: FOCUS },
        xml("ref", { xmlns: "urn:xmpp:rayo:1", uri: "xmpp:call-9@x" }),
      ),
    );
    expect([...ana.answers.values()].map(String).join()).toContain("xmpp:call-9@x");
    world.request(ana, dial("jitsi_meet_transcribe"));
    expect(attr(dials(world).at(-1) ?? xml("x"), "to")).toBe(`${GATEWAYS}/g3`);
  });

  test("errors: nobody there, another room, no moderator, silence, not configured", () => {
    const { world, ana, ben } = meeting();
    expect(conditionOf(world.request(ana, dial("+1")))).toBe("service-unavailable");
    gateway(world, "g1", {});
    expect(conditionOf(world.request(ana, dial("+1", "other@muc.meet.test")))).toBe("forbidden");
    expect(conditionOf(world.request(ben, dial("+1")))).toBe("forbidden");
    expect(conditionOf(world.request(ana, dial("")))).toBe("bad-request");
    world.request(ana, dial("+1"));
    world.advance(50_000);
    expect(conditionOf([...ana.answers.values()].at(-1))).toBe("remote-server-timeout");
    const plain = new SimulatedWorld().start();
    expect(conditionOf(plain.request(plain.join(ROOM, "aaaaaaaa"), dial("+1")))).toBe("feature-not-implemented"); // as recorded
  });
});
