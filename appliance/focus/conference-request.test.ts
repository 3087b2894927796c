/**
 * The conference request in both dresses and the authentication behind it: signaling.md 2.
 */
import { describe, expect, test } from "bun:test";
import type { FocusConfig, FocusOptions } from "../config.ts";
import { NS } from "../wire/namespaces.ts";
import { attr, child, type Element, xml } from "../wire/xml.ts";
import { readConferenceJson } from "./conference-request.ts";
import { conditionOf, FOCUS, SimulatedWorld, testConfig } from "./simulated-world.ts";

const ROOM = "standup@muc.meet.test";
const start = (options: FocusOptions = {}, change: Partial<FocusConfig> = {}) =>
  new SimulatedWorld(testConfig({ options, ...change })).start();
const answerTo = (world: SimulatedWorld, id: string): Element | undefined =>
  world.sent.find((each) => attr(each, "id") === id);
const conferenceOf = (answer: Element | undefined): Record<string, string | undefined> =>
  (answer === undefined ? undefined : child(answer, "conference", NS.focus))?.attrs ?? {};

let tokens = 0;
function http(world: SimulatedWorld, body: unknown) {
  const request = readConferenceJson(body);
  if (request === undefined) return undefined;
  world.input({ kind: "http-conference-request", token: ++tokens, request });
  return world.http.get(tokens);
}

describe("over HTTP", () => {
  test("the recorded request gets the recorded answer", () => {
    const answer = http(start(), {
      room: "rechttpreq@muc.meet.test",
      machineUid: "c7ff760fa3ce4dc2bb166e0342a4cacb",
      properties: { rtcstatsEnabled: false, "visitors-version": 1 },
    });
    expect(answer).toMatchObject({ status: 200, json: true });
    expect(JSON.parse(answer?.body ?? "")).toEqual({
      room: "rechttpreq@muc.meet.test",
      ready: true,
      focusJid: "focus@auth.meet.test",
      properties: { "visitors-supported": "false", authentication: "false" },
    });
  });

  test.each([
    [{ machineUid: "x" }, 400],
    [{ room: "not a jid@@@" }, 400],
    [{ room: "x@elsewhere.test" }, 400],
    [{ room: 5 }, 400],
    [{ room: ROOM, unknownMember: 1 }, 200],
    [{ room: ROOM, properties: "x" }, 200],
  ])("%p is answered with %p", (body, status) => expect(http(start(), body)?.status).toBe(status));

  test.each([undefined, null, 5, "x", true])("%p is no request", (body) => expect(http(start(), body)).toBeUndefined());

  test("without a server there is an answer at once, and none is left waiting when the connection breaks", () => {
    const world = new SimulatedWorld(testConfig());
    expect(http(world, { room: ROOM })?.status).toBe(503);
    world.start();
    world.formless = true;
    expect(http(world, { room: ROOM })).toBeUndefined();
    world.input({ kind: "offline", via: "client" });
    expect(world.http.get(tokens)?.status).toBe(500);
  });
});

describe("authentication by login", () => {
  const login: FocusOptions = { authentication: { kind: "xmpp", loginDomain: "login.test" } };

  test("guests may not create, members may, then guests may join", () => {
    const world = start(login);
    expect(conditionOf(answerTo(world, world.ask(ROOM, "guest@meet.test/r")))).toBe("not-authorized");
    const answer = conferenceOf(answerTo(world, world.ask(ROOM, "ana@login.test/r")));
    expect(answer).toMatchObject({ ready: "true", identity: "ana@login.test" });
    expect(answer["session-id"]).toBeDefined();
    expect(conferenceOf(answerTo(world, world.ask(ROOM, "guest@meet.test/r")))).toMatchObject({ ready: "true" });
    expect(http(world, { room: "new@muc.meet.test" })?.status).toBe(403);
  });

  test("a session made by a login lets the anonymous connection of the same machine create and makes it owner", () => {
    const world = start(login);
    const session =
      conferenceOf(answerTo(world, world.ask("other@muc.meet.test", "ana@login.test/r")))["session-id"] ?? "";
    const wrong = world.ask(ROOM, "aaaaaaaa-uuid@meet.test/res", { "session-id": session, "machine-uid": "other" });
    expect(conditionOf(answerTo(world, wrong))).toBe("not-acceptable");
    const right = world.ask(ROOM, "aaaaaaaa-uuid@meet.test/res", { "session-id": session });
    expect(conferenceOf(answerTo(world, right))).toMatchObject({ ready: "true" });
    world.join(ROOM, "bbbbbbbb");
    world.join(ROOM, "aaaaaaaa", { ask: false });
    expect([...(world.rooms.get(ROOM)?.owners ?? [])].sort()).toEqual([
      "aaaaaaaa-uuid@meet.test",
      "focus@auth.meet.test",
    ]);
  });

  test("an unknown session is said to be invalid in the words that clients look for", () => {
    const world = start(login);
    const answer = answerTo(world, world.ask(ROOM, "guest@meet.test/r", { "session-id": "nonsense" }));
    expect(child(child(answer ?? xml("x"), "error") ?? xml("x"), "session-invalid", NS.focus)).toBeDefined();
    expect(
      http(world, { room: ROOM, sessionId: "nonsense", machineUid: "m" })?.body.indexOf("400 invalid-session"),
    ).toBeGreaterThan(0);
  });

  test("logout ends the session; a day without use does, too", () => {
    const world = start(login);
    const session = (): string =>
      conferenceOf(answerTo(world, world.ask(ROOM, "ana@login.test/r")))["session-id"] ?? "";
    const logout = (id: string): Element | undefined => {
      world.deliver(
        xml(
          "iq",
          { xmlns: NS.client, type: "set", id: `out-${id}`, from: "focus.meet.test/ana@login.test/r", to: FOCUS },
          xml("logout", { xmlns: NS.focus, "session-id": id }),
        ),
      );
      return world.sent.findLast((each) => attr(each, "id") === `out-${id}`);
    };
    const first = session();
    expect(conditionOf(logout(first))).toBeUndefined();
    expect(conditionOf(logout(first))).toBe("not-acceptable");
    const second = session();
    expect(second).not.toBe(first);
    world.advance(86_400_001);
    expect(conditionOf(answerTo(world, world.ask(ROOM, "guest@meet.test/r", { "session-id": second })))).toBe(
      "not-acceptable",
    );
  });

  test("breakout rooms are open to everybody", () => {
    expect(
      conferenceOf(
        answerTo(...((world) => [world, world.ask("b@breakout.meet.test", "g@meet.test/r")] as const)(start(login))),
      ),
    ).toMatchObject({
      ready: "true",
    });
  });
});

test("login-url is answered when there is one", () => {
  const world = start({
    authentication: { kind: "jwt", loginDomain: "meet.test", loginUrl: "https://id.test/{room}" },
  });
  world.deliver(
    xml(
      "iq",
      { xmlns: NS.client, type: "get", id: "lu", from: "focus.meet.test/g@guest.test/r", to: FOCUS },
      xml("login-url", { xmlns: NS.focus, room: ROOM }),
    ),
  );
  expect(String(answerTo(world, "lu"))).toContain('url="https://id.test/standup%40muc.meet.test"');
});

test("draining: running conferences are answered, new ones are not begun", () => {
  const world = start();
  world.ask(ROOM, "a@meet.test/r");
  world.input({ kind: "drain", on: true });
  expect(conferenceOf(answerTo(world, world.ask(ROOM, "b@meet.test/r")))).toMatchObject({ ready: "true" });
  expect(conditionOf(answerTo(world, world.ask("new@muc.meet.test", "b@meet.test/r")))).toBe("resource-constraint");
});

test("one requester may not fill the focus with empty rooms; others and used rooms do not count", () => {
  const world = start();
  const ask = (room: string, who: string): string | undefined =>
    conditionOf(answerTo(world, world.ask(`${room}@muc.meet.test`, `${who}@meet.test/r`)));
  for (let i = 0; i < 20; i++) expect(ask(`r${i}`, "greedy")).toBeUndefined();
  expect(ask("r20", "greedy")).toBe("resource-constraint");
  expect(ask("r5", "greedy")).toBeUndefined();
  expect(ask("r21", "other")).toBeUndefined();
  world.join("r0@muc.meet.test", "aaaaaaaa", { ask: false });
  expect(ask("r22", "greedy")).toBeUndefined();
  world.advance(16_000);
  expect(ask("r23", "greedy")).toBeUndefined();
});

test("a room that cannot be joined: the request fails instead of hanging", () => {
  const world = start();
  world.formless = true; // the room never answers the owner form
  const id = world.ask(ROOM, "a@meet.test/r");
  expect(answerTo(world, id)).toBeUndefined();
  world.advance(15_100);
  expect(conditionOf(answerTo(world, id))).toBe("internal-server-error");
  expect(world.focus.conferences.size).toBe(0);
});
