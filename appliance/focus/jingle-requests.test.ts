/**
 * Dialogues: what clients ask of their session, signaling.md 4.6–4.10, and the focus's answers.
 */
import { describe, expect, test } from "bun:test";
import { NS } from "../wire/namespaces.ts";
import { attr, child, descend, xml } from "../wire/xml.ts";
import {
  conditionOf,
  type SimulatedClient,
  SimulatedWorld,
  STOCK_FEATURES,
  stockSources,
  testConfig,
} from "./simulated-world.ts";

const ROOM = "standup@muc.meet.test";
const meeting = (world = new SimulatedWorld().start()) => ({
  world,
  ana: world.join(ROOM, "aaaaaaaa"),
  ben: world.join(ROOM, "bbbbbbbb"),
});
const ssrcs = (client: SimulatedClient, owner: string): number[] => [...(client.remote.get(owner) ?? [])];

describe("sources", () => {
  test("a screen share is announced to the others, stripped, and taken away again", () => {
    const { world, ana, ben } = meeting();
    const share = stockSources("aaaaaaaa", "v1");
    expect(conditionOf(world.jingle(ana, { action: "source-add", sources: new Map([["", share]]) }))).toBeUndefined();
    expect(ssrcs(ben, "aaaaaaaa")).toHaveLength(5);
    expect(
      world.bridges
        .get("jvb1")
        ?.requests.at(-1)
        ?.endpoints[0]?.sources?.map((each) => each.id),
    ).toEqual(["aaaaaaaa-a0", "aaaaaaaa-v0", "aaaaaaaa-v1"]);
    expect(
      conditionOf(world.jingle(ana, { action: "source-remove", sources: new Map([["", share]]) })),
    ).toBeUndefined();
    expect(ssrcs(ben, "aaaaaaaa")).toHaveLength(3);
    expect(ana.remote.has("aaaaaaaa")).toBe(false);
  });

  test("a bad announcement changes nothing at all", () => {
    const { world, ana, ben } = meeting();
    const [bens] = world.focus.conferences.get(ROOM)?.sources.of("bbbbbbbb").sources ?? [];
    const share = stockSources("aaaaaaaa", "v1");
    const stolen = { ...share, sources: [...share.sources, { ssrc: bens?.ssrc ?? 0, mediaType: "audio" as const }] };
    const before = world.bridges.get("jvb1")?.requests.length;
    expect(conditionOf(world.jingle(ana, { action: "source-add", sources: new Map([["", stolen]]) }))).toBe(
      "bad-request",
    );
    expect(ssrcs(ben, "aaaaaaaa")).toHaveLength(3);
    expect(world.bridges.get("jvb1")?.requests.length).toBe(before);
  });

  test("an accept with bad sources is refused; a good one may follow", () => {
    const world = new SimulatedWorld().start();
    world.join(ROOM, "aaaaaaaa");
    const ben = world.join(ROOM, "bbbbbbbb", { accepts: undefined });
    const good = stockSources("bbbbbbbb");
    const bad = { ...good, groups: [{ mediaType: "video" as const, semantics: "FID" as const, ssrcs: [1, 2] }] };
    expect(conditionOf(world.accept(ben, bad))).toBe("bad-request");
    ben.accepted = false;
    expect(conditionOf(world.accept(ben, good))).toBeUndefined();
    expect(conditionOf(world.accept(ben, good))).toBe("unexpected-request");
  });

  test("what happens between offer and accept is told right after the accept", () => {
    const world = new SimulatedWorld().start();
    const ana = world.join(ROOM, "aaaaaaaa");
    const ben = world.join(ROOM, "bbbbbbbb");
    const eve = world.join(ROOM, "eeeeeeee", { accepts: undefined });
    expect([...eve.remote.keys()].sort()).toEqual(["aaaaaaaa", "bbbbbbbb"]);
    world.jingle(ana, { action: "source-add", sources: new Map([["", stockSources("aaaaaaaa", "v1")]]) });
    world.leave(ben);
    const answer = world.accept(eve, stockSources("eeeeeeee"));
    expect(conditionOf(answer)).toBeUndefined();
    expect(ssrcs(eve, "aaaaaaaa")).toHaveLength(5);
    expect(eve.remote.has("bbbbbbbb")).toBe(false);
    const ids = world.sent.map(String);
    expect(ids.indexOf(String(answer))).toBeLessThan(
      ids.findIndex((each) => each.includes("source-add") && each.includes("/eeeeeeee")),
    );
  });

  test("sender limits: who sends nothing yet may not start, presence says so", () => {
    const world = new SimulatedWorld(testConfig({ options: { maxVideoSenders: 1 } })).start();
    const sending = xml("SourceInfo", {}, '{"aaaaaaaa-v0":{"muted":false}}');
    const ana = world.join(ROOM, "aaaaaaaa", { accepts: () => ({ sources: [], groups: [] }), presence: [sending] });
    const ben = world.join(ROOM, "bbbbbbbb", { accepts: () => ({ sources: [], groups: [] }) });
    const add = (client: SimulatedClient) =>
      conditionOf(world.jingle(client, { action: "source-add", sources: new Map([["", stockSources(client.nick)]]) }));
    expect(add(ben)).toBe("resource-constraint");
    expect(add(ana)).toBeUndefined();
    expect(String(world.sent)).toContain('key="video-limit-reached" value="true"');
  });

  test("50 participants and more hear of changes in one batch after 500 ms", () => {
    const world = new SimulatedWorld().start();
    const clients = Array.from({ length: 52 }, (_, index) => world.join(ROOM, `n${index}`));
    world.advance(1_000);
    const [ana, ben, eve] = clients;
    if (ana === undefined || ben === undefined || eve === undefined) throw new Error("no clients");
    const before = eve.jingle.length;
    world.jingle(ana, { action: "source-add", sources: new Map([["", stockSources("n0", "v1")]]) });
    world.jingle(ben, { action: "source-add", sources: new Map([["", stockSources("n1", "v1")]]) });
    expect(eve.jingle.length).toBe(before);
    world.advance(600);
    expect(eve.jingle.length).toBe(before + 1);
    expect(ssrcs(eve, "n0").length + ssrcs(eve, "n1").length).toBe(10);
  });
});

describe("restart", () => {
  test("a new sid, the same bridge session, the sources of before taken away and announced again", () => {
    const { world, ana, ben } = meeting();
    const [sid, session] = [ben.sid, ben.bridgeSession];
    const old = ssrcs(ana, "bbbbbbbb");
    expect(conditionOf(world.restart(ben))).toBeUndefined();
    expect(ben.sid).not.toBe(sid);
    expect(ben.bridgeSession).toBe(session);
    expect(ana.jingle.filter((each) => each.action === "source-remove")).toHaveLength(1);
    expect(ssrcs(ana, "bbbbbbbb")).toHaveLength(3);
    expect(ssrcs(ana, "bbbbbbbb")).not.toEqual(old);
    const requests = world.bridges.get("jvb1")?.requests ?? [];
    expect(requests.some((each) => each.endpoints.some((one) => one.id === "bbbbbbbb" && one.expire))).toBe(true);
  });

  test("an id that is not ours is not found", () => {
    const { world, ben } = meeting();
    const { length } = ben.jingle;
    expect(conditionOf(world.restart(ben, "other"))).toBe("item-not-found");
    expect(ben.jingle).toHaveLength(length);
  });

  test("less than 5 s apart: the session ends, no new one, rate-limited", () => {
    const { world, ben } = meeting();
    world.restart(ben);
    const offers = ben.jingle.length;
    world.advance(4_000);
    const answer = world.restart(ben);
    expect(conditionOf(answer)).toBe("resource-constraint");
    expect(attr(descend(answer ?? xml("x"), "error") ?? xml("x"), "type")).toBe("wait");
    expect(String(answer)).toContain("rate-limited");
    expect(ben.jingle.length).toBe(offers);
  });

  test("at most five a minute", () => {
    const { world, ben } = meeting();
    for (let i = 0; i < 5; i++) {
      expect(conditionOf(world.restart(ben))).toBeUndefined();
      world.advance(6_000);
    }
    expect(conditionOf(world.restart(ben))).toBe("resource-constraint");
  });

  test("without restart the participant stays without a session", () => {
    const { world, ana, ben } = meeting();
    expect(conditionOf(world.jingle(ben, { action: "session-terminate" }))).toBeUndefined();
    const { length } = ben.jingle;
    world.advance(30_000);
    expect(ben.jingle.length).toBe(length);
    expect(ana.remote.size).toBe(0);
  });
});

describe("ICE restart in place", () => {
  test("session-info, result, transport-info with the bridge's generation, the client's answer to the bridge", () => {
    const { world, ben } = meeting();
    const answer = world.jingle(ben, {
      action: "session-info",
      bridgeSession: { id: ben.bridgeSession ?? "", iceRestart: true },
    });
    expect(attr(answer ?? xml("x"), "type")).toBe("result");
    const info = ben.jingle.at(-1);
    expect(info?.action).toBe("transport-info");
    expect(info?.contents[0]).toMatchObject({
      name: "audio",
      creator: "initiator",
      transport: { iceGeneration: 1, fingerprints: [{ setup: "passive" }] },
    });
    const transport = {
      ufrag: "new",
      pwd: "p",
      iceGeneration: 1,
      rtcpMux: false,
      fingerprints: [],
      candidates: [],
      webSockets: [],
    };
    expect(
      conditionOf(
        world.jingle(ben, { action: "transport-info", contents: [{ name: "audio", creator: "responder", transport }] }),
      ),
    ).toBeUndefined();
    expect(world.bridges.get("jvb1")?.requests.at(-1)?.endpoints[0]?.transport?.ice).toMatchObject({
      ufrag: "new",
      iceGeneration: 1,
    });
  });

  test("a bridge that refuses: the client is told, and falls back by itself", () => {
    const { world, ben } = meeting();
    const bridge = world.bridges.get("jvb1");
    if (bridge === undefined) throw new Error("no bridge");
    bridge.behaviour = (modify) =>
      modify.endpoints.some((each) => each.transport?.iceRestart === true)
        ? xml("conference-modified", { xmlns: NS.colibri2 }, xml("endpoint", { id: ben.nick }))
        : undefined;
    const answer = world.jingle(ben, {
      action: "session-info",
      bridgeSession: { id: ben.bridgeSession ?? "", iceRestart: true },
    });
    expect(conditionOf(answer)).toBe("feature-not-implemented");
  });
});

describe("refusals", () => {
  test("an unknown sid is bad, the jingle element comes back", () => {
    const { world, ben } = meeting();
    const answer = world.jingle(ben, { action: "source-add", sid: "nosuchsid" });
    expect(conditionOf(answer)).toBe("bad-request");
    expect(attr(child(answer ?? xml("x"), "jingle", NS.jingle) ?? xml("x"), "sid")).toBe("nosuchsid");
  });

  test("a session that is over: accept is gone, sources are not found", () => {
    const { world, ben } = meeting();
    const old = ben.sid ?? "";
    world.jingle(ben, { action: "session-terminate", bridgeSession: { id: ben.bridgeSession ?? "", restart: true } });
    expect(conditionOf(world.jingle(ben, { action: "session-accept", sid: old }))).toBe("gone");
    expect(conditionOf(world.jingle(ben, { action: "source-add", sid: old }))).toBe("item-not-found");
  });

  test.each(["content-add", "description-info", "content-modify"] as const)("%s is not implemented", (action) => {
    const { world, ben } = meeting();
    expect(conditionOf(world.jingle(ben, { action }))).toBe("feature-not-implemented");
  });

  test("somebody who is not in the room is not found", () => {
    const { world } = meeting();
    const stranger = { ...world.join("other@muc.meet.test", "ssssssss"), room: ROOM };
    world.jingle(stranger, { action: "session-accept", sid: "x" });
    expect(
      world.sent.some((each) => conditionOf(each) === "item-not-found" && attr(each, "to") === `${ROOM}/ssssssss`),
    ).toBe(true);
  });

  test.each([
    ["a mute", xml("mute", { xmlns: NS.jitmeetAudio, jid: `${ROOM}/ana12345` }, "true"), "internal-server-error"],
    ["a recording", xml("jibri", { xmlns: NS.jibri, action: "start", recording_mode: "file" }), "forbidden"],
    ["a call", xml("dial", { xmlns: "urn:xmpp:rayo:1", to: "+15550100" }), "forbidden"],
  ])(
    "%s asked for by somebody who is not in the room is refused (signaling.md 5.2, 5.5, 5.6)",
    (_, payload, condition) => {
      const { world } = meeting();
      const stranger = { ...world.join("other@muc.meet.test", "ssssssss"), room: ROOM };
      world.request(stranger, payload);
      expect(world.sent.filter((each) => attr(each, "to") === `${ROOM}/ssssssss`).map(conditionOf)).toEqual([
        condition,
      ]);
    },
  );

  test("garbage in a jingle element never throws", () => {
    const { world, ben } = meeting();
    for (const payload of [
      xml("jingle", { xmlns: NS.jingle }),
      xml("jingle", { xmlns: NS.jingle, action: "no-such", sid: ben.sid }),
      xml(
        "jingle",
        { xmlns: NS.jingle, action: "source-add", sid: ben.sid },
        xml("json-message", { xmlns: NS.jitmeet }, "{"),
      ),
      xml(
        "jingle",
        { xmlns: NS.jingle, action: "source-add", sid: ben.sid },
        xml(
          "content",
          { name: "audio" },
          xml(
            "description",
            { xmlns: NS.jingleRtp, media: "audio" },
            xml("source", { xmlns: NS.jingleSsma, ssrc: "-1" }),
          ),
        ),
      ),
    ])
      expect(conditionOf(world.request(ben, payload))).toBe("bad-request");
  });

  test("a client that refuses its offer is asked again, three times in all", () => {
    const world = new SimulatedWorld().start();
    world.join(ROOM, "aaaaaaaa");
    const ben = world.join(ROOM, "bbbbbbbb", { accepts: undefined });
    ben.refuses = true;
    world.jingle(ben, { action: "session-terminate", bridgeSession: { id: ben.bridgeSession ?? "", restart: true } });
    world.advance(30_000);
    expect(ben.jingle.filter((each) => each.action === "session-initiate")).toHaveLength(4);
  });
});

test("a data content is offered by configuration only, with an SCTP port of the bridge", () => {
  const offered = (sctp: "off" | "on" | "fallback", features: readonly string[]): string | undefined => {
    const world = new SimulatedWorld(testConfig({ sctp })).start();
    const ana = world.join(ROOM, "aaaaaaaa", { features });
    world.join(ROOM, "bbbbbbbb");
    return ana.jingle.find((each) => each.action === "session-initiate")?.bundle?.join();
  };
  const cannot = [...STOCK_FEATURES, "urn:parley:no-websocket"];
  expect(offered("off", cannot)).toBe("audio,video");
  expect(offered("on", STOCK_FEATURES)).toBe("audio,video,data");
  expect(offered("on", ["urn:xmpp:jingle:apps:rtp:audio"])).toBe("audio,video");
  expect(offered("fallback", STOCK_FEATURES)).toBe("audio,video");
  expect(offered("fallback", cannot)).toBe("audio,video,data");
});
