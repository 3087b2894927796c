/**
 * Visitors, signaling.md 5.9: this focus has no visitor nodes, and says so in every place where a client or a component looks; whoever is in the room without a voice is treated as one.
 */
import { expect, test } from "bun:test";
import { NS } from "../wire/namespaces.ts";
import { attr, child, children, type Element, xml } from "../wire/xml.ts";
import { readConferenceJson } from "./conference-request.ts";
import { conditionOf, FOCUS, SimulatedWorld, stockSources } from "./simulated-world.ts";

const ROOM = "standup@muc.meet.test";

test("who asks to be a visitor is answered like everybody: no node, no other focus, no queue", () => {
  const world = new SimulatedWorld().start();
  const id = world.ask(ROOM, "aaaaaaaa-uuid@meet.test/res", {}, { "visitors-version": "1", visitor: "true" });
  const answer = world.sent.find((each) => attr(each, "id") === id);
  const conference = answer === undefined ? undefined : child(answer, "conference", NS.focus);
  if (conference === undefined) throw new Error("no answer");
  expect(conference.attrs).toMatchObject({ ready: "true", focusjid: "focus@auth.meet.test" });
  expect(attr(conference, "vnode")).toBeUndefined();
  const properties = children(conference, "property").map((each) => [attr(each, "name"), attr(each, "value")]);
  expect(properties).toContainEqual(["visitors-supported", "false"]);
  expect(properties.map(([name]) => name)).not.toContain("live");
});

test("over HTTP likewise", () => {
  const world = new SimulatedWorld().start();
  const request = readConferenceJson({ room: ROOM, properties: { "visitors-version": 1, visitor: true } });
  if (request === undefined) throw new Error("no request");
  world.input({ kind: "http-conference-request", token: 1, request });
  const answer = JSON.parse(world.http.get(1)?.body ?? "");
  expect(answer).toMatchObject({ ready: true, focusJid: "focus@auth.meet.test" });
  expect([answer.vnode, answer.properties.live, answer.properties["visitors-supported"]]).toEqual([
    undefined,
    undefined,
    "false",
  ]);
});

test("the room is told of no visitors: their number would keep clients from peer-to-peer, and their being possible would show a menu", () => {
  const world = new SimulatedWorld().start();
  for (const nick of ["aaaaaaaa", "bbbbbbbb"]) world.join(ROOM, nick);
  const presences = world.sent.filter((each) => each.getName() === "presence");
  const told = presences.flatMap((each) => {
    const properties = child(each, "conference-properties", NS.focus);
    return properties === undefined ? [] : children(properties, "property").map((one) => attr(one, "key"));
  });
  expect(told).toContain("support-terminate-restart");
  expect(told.filter((key) => key?.startsWith("visitor"))).toEqual([]);
});

/** The room takes somebody's voice. */
const silence = (world: SimulatedWorld, nick: string): void =>
  world.deliver(
    xml(
      "presence",
      { xmlns: NS.client, from: `${ROOM}/${nick}`, to: FOCUS },
      xml(
        "x",
        { xmlns: NS.mucUser },
        xml("item", { jid: `${nick}-uuid@meet.test/res`, affiliation: "none", role: "visitor" }),
      ),
    ),
  );

test("somebody without a voice sends nothing, is not muted, and does not become owner", () => {
  const world = new SimulatedWorld().start();
  const ana = world.join(ROOM, "aaaaaaaa");
  const ben = world.join(ROOM, "bbbbbbbb");
  silence(world, "bbbbbbbb");
  const share = stockSources("bbbbbbbb", "v1");
  expect(conditionOf(world.jingle(ben, { action: "source-add", sources: new Map([["", share]]) }))).toBe("forbidden");
  const mute = (target: string): Element | undefined => {
    world.deliver(
      xml(
        "iq",
        { xmlns: NS.client, type: "set", id: `mute-${target}`, from: `${ROOM}/aaaaaaaa`, to: FOCUS },
        xml("mute", { xmlns: NS.jitmeetAudio, jid: `${ROOM}/${target}` }, "true"),
      ),
    );
    return world.sent.findLast((each) => attr(each, "id") === `mute-${target}`);
  };
  expect(conditionOf(mute("bbbbbbbb"))).toBe("not-allowed");
  world.leave(ana);
  expect([...(world.rooms.get(ROOM)?.owners ?? [])]).not.toContain("bbbbbbbb-uuid@meet.test");
});

test("what a visitors' component says is not for us: nothing follows", () => {
  const world = new SimulatedWorld().start();
  world.join(ROOM, "aaaaaaaa");
  const before = world.sent.length;
  world.deliver(
    xml(
      "message",
      { xmlns: NS.client, from: "visitors.meet.test", to: FOCUS },
      xml(
        "json-message",
        { xmlns: NS.jitmeet },
        JSON.stringify({ type: "visitors", action: "promotion-request", room: ROOM, nick: "x", from: "y", on: true }),
      ),
    ),
  );
  expect(world.sent.slice(before).map(String)).toEqual([]);
});
