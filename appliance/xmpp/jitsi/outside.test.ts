/** What faces outside systems and large crowds: rates, events, reservations, questions about rooms, tenants. */
import { describe, expect, test } from "bun:test";
import { type EpochMillis, millis } from "../../time.ts";
import { NS } from "../../wire/namespaces.ts";
import { iqResult } from "../../wire/stanza.ts";
import { attr, type Element, parse } from "../../wire/xml.ts";
import type { Host, HostAction, Sender } from "../host.ts";
import { createMeetingServices } from "../muc/hosts.ts";
import { codes, DOMAINS, EPOCH, fault, House } from "../muc/house.ts";
import { ANA, BEN, CLEO, Meeting, named } from "./meeting-fixture.ts";
import { TenantNames } from "./tenants.ts";

type Http = Extract<HostAction, { type: "http" }>;
const requests = (actions: readonly HostAction[]): Http[] =>
  actions.filter((each): each is Http => each.type === "http");

describe("join rate", () => {
  test("three a second, the rest wait in order; leaving takes a waiting join back", () => {
    const house = new House({ joinsPerSecond: 3 });
    const { room } = house.meeting("standup");
    const people = Array.from({ length: 8 }, (_, index) => house.guest(`0000000${index}`));
    for (const [index, person] of people.entries()) person.join(room, `0000000${index}`);
    const inside = () => people.map((person) => person.inbox.some((each) => codes(each).includes(110)));
    expect(inside()).toEqual([true, true, true, false, false, false, false, false]);
    people[4]?.leave(room, "00000004");
    house.wait(1_000);
    expect(inside()).toEqual([true, true, true, true, false, true, true, false]);
    house.wait(1_000);
    expect(inside()).toEqual([true, true, true, true, false, true, true, true]);
    expect(house.hosts.flatMap((host) => host.nextDeadline?.() ?? [])).toEqual([]);
  });
});

describe("event sync", () => {
  const eventSync = { urlPrefix: "https://hooks.example", headers: { authorization: "Bearer x" } };
  const body = (http: Http | undefined) => JSON.parse(http?.request.body ?? "{}") as Record<string, unknown>;

  test("rooms and people, without the focus", () => {
    const m = new Meeting({ eventSync }, []);
    m.ana.join(m.room, ANA, "", `${named("Ana")}<email>a@x.example</email>`);
    m.ana.leave(m.room, ANA);
    m.focus.leave(m.room, "focus");
    const sent = requests(m.house.effects);
    expect(sent.map((each) => each.request.url)).toEqual(
      ["room/created", "occupant/joined", "occupant/left", "room/destroyed"].map(
        (path) => `https://hooks.example/events/${path}`,
      ),
    );
    expect(body(sent[0])).toMatchObject({
      event_name: "muc-room-created",
      room_name: "standup",
      room_jid: m.room,
      is_breakout: false,
    });
    expect(body(sent[1])).toMatchObject({
      event_name: "muc-occupant-joined",
      occupant: { occupant_jid: `${m.room}/${ANA}`, name: "Ana", email: "a@x.example", joined_at: 1_795_254_814 },
      active_occupants_count: 1,
    });
    expect(body(sent[2])).toMatchObject({ occupant: { left_at: 1_795_254_814 }, active_occupants_count: 0 });
    expect((body(sent[3])["all_occupants"] as unknown[]).length).toBe(1);
    expect(sent[0]?.request.headers).toEqual({ authorization: "Bearer x", "content-type": "application/json" });
  });

  test("three more tries on 5xx, none on 4xx; at most 100 in the air", () => {
    const house = new House({ eventSync });
    house.meeting("standup");
    const host = house.host(DOMAINS.muc);
    const [first] = requests(house.effects);
    for (let tries = 0; tries < 6; tries++) {
      house.perform(host?.httpAnswered?.(house.now, first?.id ?? "", { status: 503, body: "" }) ?? [], host as Host);
      house.wait(3_000);
    }
    expect(requests(house.effects).filter((each) => each.id === first?.id)).toHaveLength(4);
    for (let count = 0; count < 99; count++) house.meeting(`r${count}`);
    house.meeting("r-last-1");
    expect(requests(house.effects).length).toBeLessThanOrEqual(4 + 100);
  });
});

/** Stands for the host that takes conference requests: makes the room, answers ready. */
class FocusHost implements Host {
  readonly domain = DOMAINS.focus;
  readonly asked: string[] = [];
  handle(_now: number, stanza: Element): readonly HostAction[] {
    this.asked.push(attr(stanza, "id") ?? "");
    return [{ type: "send", stanza: iqResult(stanza) }];
  }
}

describe("reservations", () => {
  const sender = {
    jid: { local: "x", domain: "meet.test", resource: "r" },
    kind: "guest",
    admin: false,
  } as const satisfies Sender;
  const ask = (id: string, room = "standup@muc.meet.test"): Element => {
    const stanza = parse(
      `<iq xmlns="jabber:client" type="set" id="${id}" from="x@meet.test/r" to="focus.meet.test"><conference xmlns="${NS.focus}" room="${room}"/></iq>`,
    );
    if (stanza === undefined) throw new Error("test stanza");
    return stanza;
  };
  const world = () => {
    let ids = 0;
    const services = createMeetingServices({
      domains: DOMAINS,
      limits: { rooms: 100, occupantsPerRoom: 50, roomsPerUser: 10 },
      focusAccount: "focus@auth.meet.test",
      newId: () => `id${++ids}`,
      toEpoch: (now) => (EPOCH + now) as EpochMillis,
      reservations: { urlPrefix: "https://booking.example", headers: {} },
    });
    const inner = new FocusHost();
    const gate = services.focusHost(inner);
    const muc = services.hosts.find((host) => host.domain === DOMAINS.muc);
    const focus = {
      jid: { local: "focus", domain: DOMAINS.auth, resource: "focus" },
      kind: "service",
      admin: true,
    } as const satisfies Sender;
    const presence = (type = "") =>
      parse(
        `<presence xmlns="jabber:client" ${type} from="focus@auth.meet.test/focus" to="standup@muc.meet.test/focus"><x xmlns="${NS.muc}"/></presence>`,
      );
    return {
      gate,
      inner,
      enter: (now: number) => muc?.handle(millis(now), presence() ?? ask("x"), focus) ?? [],
      leave: (now: number) => muc?.handle(millis(now), presence('type="unavailable"') ?? ask("x"), focus) ?? [],
      host: (now: number) => muc?.nextDeadline?.()?.at ?? now,
    };
  };
  const granted = (durationS: number) => ({
    status: 200,
    body: JSON.stringify({
      id: 364758,
      name: "standup",
      mail_owner: "x@meet.test",
      start_time: new Date(EPOCH).toISOString(),
      duration: durationS,
    }),
  });

  test("asks once for a new room, lets all who asked through, ends with its time and says so", () => {
    const { gate, inner, enter } = world();
    const [post] = requests(gate.handle(millis(0), ask("a"), sender));
    expect(post?.request).toMatchObject({
      method: "POST",
      url: "https://booking.example/conference",
      body: "name=standup&start_time=2026-11-21T09%3A53%3A33.000Z&mail_owner=x%40meet.test",
    });
    expect(gate.handle(millis(1), ask("b"), sender)).toEqual([]);
    gate.httpAnswered?.(millis(2), post?.id ?? "", granted(60));
    expect(inner.asked).toEqual(["a", "b"]);
    enter(3);
    gate.handle(millis(4), ask("c"), sender);
    expect(inner.asked).toEqual(["a", "b", "c"]);
    const actions: HostAction[] = [];
    for (let at = gate.nextDeadline?.()?.at; at !== undefined && at <= 60_000; at = gate.nextDeadline?.()?.at)
      actions.push(...(gate.handleTimeout?.(at) ?? []));
    expect(actions.filter((each) => each.type === "send").map((each) => each.stanza.attrs["type"])).toEqual([
      "unavailable",
    ]);
    expect(requests(actions).map((each) => `${each.request.method} ${each.request.url}`)).toEqual([
      "DELETE https://booking.example/conference/364758",
    ]);
  });

  test("a meeting that ends before its time is given back", () => {
    const { gate, enter, leave } = world();
    const [post] = requests(gate.handle(millis(0), ask("a"), sender));
    gate.httpAnswered?.(millis(2), post?.id ?? "", granted(3_600));
    enter(3);
    gate.handleTimeout?.(millis(10_002));
    leave(11_000);
    expect(requests(gate.handleTimeout?.(millis(20_002)) ?? []).map((each) => each.request.method)).toEqual(["DELETE"]);
  });

  test("refused, expired, unreachable: the focus's error with the code; a conflict is looked up", () => {
    const { gate, inner } = world();
    const answer = (status: number, body: string) => {
      const [http] = requests(gate.handle(millis(0), ask("a"), sender));
      return gate.httpAnswered?.(millis(100_000), http?.id ?? "", { status, body }) ?? [];
    };
    const refused = answer(403, '{"message":"not today"}')[0];
    const stanza = refused?.type === "send" ? refused.stanza : undefined;
    expect(fault(stanza)).toBe("cancel/service-unavailable");
    expect(stanza?.getChild("error")?.getChildText("text")).toBe("not today");
    expect(stanza?.getChild("error")?.getChild("reservation-error")?.attrs["error-code"]).toBe("403");
    const code = (actions: readonly HostAction[]) =>
      actions[0]?.type === "send"
        ? actions[0].stanza.getChild("error")?.getChild("reservation-error")?.attrs["error-code"]
        : undefined;
    expect(code(answer(0, ""))).toBe("0");
    expect(code(answer(200, granted(60).body))).toBe("419");
    expect(code(answer(200, "garbage"))).toBe("500");
    const [lookup] = requests(answer(409, '{"conflict_id":7}'));
    expect(lookup?.request).toMatchObject({ method: "GET", url: "https://booking.example/conference/7" });
    expect(inner.asked).toEqual([]);
  });
});

test("questions about rooms: sizes without the focus, participants, the census; unknown rooms are none", () => {
  let ids = 0;
  const services = createMeetingServices({
    domains: DOMAINS,
    limits: { rooms: 100, occupantsPerRoom: 50, roomsPerUser: 10 },
    focusAccount: "focus@auth.meet.test",
    newId: () => `id${++ids}`,
    toEpoch: (now) => (EPOCH + now) as EpochMillis,
  });
  const house = new House({}, services.hosts);
  const { room } = house.meeting("standup");
  const ana = house.guest(ANA);
  ana.join(room, ANA, "", `${named("Ana")}<email>a@x.example</email>`);
  const { census } = services;
  expect(census.size({ room: "Standup", domain: "meet.test" })).toEqual({ participants: 1 });
  expect(census.participants({ room: "standup", domain: "meet.test" })).toEqual([
    { jid: ana.jid, email: "a@x.example", display_name: "Ana" },
  ]);
  expect(census.size({ room: "other", domain: "meet.test" })).toBeUndefined();
  expect(census.size({ room: "standup", domain: "elsewhere.test" })).toBeUndefined();
  expect(census.size({ room: "standup", domain: "meet.test", subdomain: "acme" })).toBeUndefined();
  const page = (path: string, query: Record<string, string>) =>
    house.host(DOMAINS.muc)?.httpGet?.(house.now, path, new Map(Object.entries(query)));
  expect(page("/room-size", { room: "standup", domain: "meet.test" })).toEqual({
    status: 200,
    type: "application/json; charset=utf-8",
    body: '{"participants":1}',
  });
  expect(page("/room", { room: "other", domain: "meet.test" })?.status).toBe(404);
  expect(page("/room", {})?.status).toBe(400);
  expect(page("/room-census", {})?.status).toBe(200);
  expect(page("/elsewhere", {})).toBeUndefined();
  expect(census.all()).toEqual({
    room_census: [{ room_name: room, participants: 1, created_time: EPOCH + 1_000, leaked: false }],
  });
});

describe("tenants", () => {
  const names = new TenantNames("muc.meet.test");

  test("names both ways", () => {
    expect(names.inward("standup@muc.acme.meet.test/x")).toBe("[acme]standup@muc.meet.test/x");
    expect(names.outward("[acme]standup@muc.meet.test/x")).toBe("standup@muc.acme.meet.test/x");
    expect(names.inward("standup@muc.meet.test/x")).toBe("standup@muc.meet.test/x");
    expect(names.outward('{"room":"[acme]a@muc.meet.test","actor":"[acme]a@muc.meet.test/b"}')).toBe(
      '{"room":"a@muc.acme.meet.test","actor":"a@muc.acme.meet.test/b"}',
    );
    expect(names.tenantOf("muc.acme.meet.test")).toBe("acme");
    for (const none of ["muc.meet.test", "muc..meet.test", "x.acme.meet.test", "muc.a.b.meet.test", "muc.acme.other"])
      expect(names.tenantOf(none)).toBeUndefined();
  });

  test("a client meets under its own names, the focus sees the inside ones, components speak the client's", () => {
    const house = new House({ tenants: true });
    const focus = house.focus();
    focus.join("[acme]standup@muc.meet.test", "focus");
    const ana = house.guest(ANA, { room: "[acme]standup" });
    const outer = "standup@muc.acme.meet.test";
    const got = ana.join(outer, ANA);
    expect(got.filter((each) => each.getName() === "presence").map((each) => each.attrs["from"])).toEqual([
      `${outer}/focus`,
      `${outer}/${ANA}`,
    ]);
    expect(
      got.find((each) => each.attrs["from"] === "metadata.meet.test")?.getChild("json-message")?.attrs["room"],
    ).toBe(outer);
    expect(focus.take().at(-1)?.attrs["from"]).toBe(`[acme]standup@muc.meet.test/${ANA}`);
    focus.send(
      `<iq type="set" id="o" to="[acme]standup@muc.meet.test"><query xmlns="http://jabber.org/protocol/muc#admin"><item affiliation="owner" jid="${ana.bare}"/></query></iq>`,
    );
    ana.take();
    ana.send('<message to="avmoderation.meet.test"><av_moderation enable="true" mediaType="audio"/></message>');
    expect(ana.take()[0]?.getChildText("json-message")).toContain(`"actor":"${outer}/${ANA}"`);
    const ben = house.guest(BEN, { room: "[acme]standup" });
    ben.join(outer, BEN);
    ben.take();
    ana.send(
      `<message to="avmoderation.meet.test"><av_moderation jidToWhitelist="${outer}/${BEN}" mediaType="audio"/></message>`,
    );
    expect(ben.take()[0]?.getChildText("json-message")).toContain('"approved":true');
    const services = createMeetingServices({
      domains: DOMAINS,
      limits: { rooms: 1, occupantsPerRoom: 1, roomsPerUser: 1 },
      focusAccount: "focus@auth.meet.test",
      newId: () => "id",
      toEpoch: (now) => (EPOCH + now) as EpochMillis,
      tenants: true,
    });
    const asked: string[] = [];
    const focusHost = services.focusHost({
      domain: DOMAINS.focus,
      handle(_now, stanza) {
        asked.push(stanza.getChild("conference")?.attrs["room"] ?? "");
        return [{ type: "send", stanza: iqResult(stanza, ...stanza.getChildElements()) }];
      },
    });
    const request = parse(
      `<iq xmlns="jabber:client" type="set" id="a" from="${ana.jid}" to="focus.meet.test"><conference xmlns="${NS.focus}" room="${outer}"/></iq>`,
    );
    const [answer] = request === undefined ? [] : focusHost.handle(house.now, request, ana.sender);
    expect(asked).toEqual(["[acme]standup@muc.meet.test"]);
    expect(answer?.type === "send" && answer.stanza.getChild("conference")?.attrs["room"]).toBe(outer);
    expect(fault(house.guest(CLEO).join("standup@muc.other.meet.test", CLEO)[0])).toBe("cancel/not-allowed");
  });
});
