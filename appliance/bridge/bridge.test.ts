import { describe, expect, test } from "bun:test";
import type { EpochMillis, Millis } from "../time.ts";
import { parseChannelPath } from "./channel-path.ts";
import type { MediaEvent } from "./media-commands.ts";
import { FOCUS, mediaOf, seededBytes, TestBridge, textsTo, WALL } from "./test-bridge.ts";
import { Call, MEDIA, modify, sources } from "./test-call.ts";

describe("lifetimes (bridge.md 1.12)", () => {
  const left = (call: Call): string[] => [...call.bridge.conferences].flatMap((each) => [...each.endpoints.keys()]);

  test("never connected: two minutes, seen at the next sweep", () => {
    const call = new Call("a");
    call.advance(119_000);
    expect(left(call)).toEqual(["a"]);
    call.advance(62_000);
    expect(left(call)).toEqual([]);
  });

  test("silent for a minute; whoever is heard stays", () => {
    const call = new Call("a", "b");
    for (let second = 0; second < 130; second++) {
      call.alive("a", ...(second < 5 ? ["b"] : []));
      call.advance(1_000);
    }
    expect(left(call)).toEqual(["a"]);
  });

  test("failed ICE: next sweep, and the conference follows after 20 s", () => {
    const call = new Call("a");
    call.transports[0]?.happen({ type: "failed", reason: "ice-timeout" }, { type: "closed" });
    const actions = call.advance(60_000);
    expect(left(call)).toEqual([]);
    expect(actions).toContainEqual({
      type: "channel-close",
      channel: call.channel("a"),
      code: 1001,
      reason: "endpoint closed",
    });
    expect([...call.bridge.conferences]).toHaveLength(1);
    call.advance(20_001);
    expect([...call.bridge.conferences]).toHaveLength(0);
    expect(call.bridge.stats(WALL).get("endpoints_ice_failed")).toBe(1);
    expect(call.bridge.stats(WALL).get("total_conferences_completed")).toBe(1);
  });

  test("no channel after 30 s is counted, once", () => {
    const bridge = new TestBridge().join();
    bridge.ask(
      modify(
        "<endpoint id='a' create='true'><capability name='source-names'/><transport/></endpoint>",
        " create='true'",
      ),
    );
    bridge.advance(40_000);
    expect(bridge.bridge.stats(WALL).get("num_eps_no_msg_transport_after_delay")).toBe(1);
  });

  test("an idle bridge wakes up for its presence and its report only", () => {
    const call = new Call("a");
    call.ask(modify("", " expire='true'"));
    const before = call.now;
    let wakes = 0;
    for (
      let deadline = call.bridge.nextDeadline();
      deadline !== undefined && deadline.at < before + 60_000;
      deadline = call.bridge.nextDeadline()
    ) {
      call.now = deadline.at;
      call.bridge.handleTimeout(call.now, WALL);
      wakes++;
    }
    expect(wakes).toBeLessThanOrEqual(26);
  });
});

test("while people speak, what can wait goes along with their levels", () => {
  const call = new Call("a", "b");
  call.alive("a", "b");
  const channel = call.channel("b");
  let wakes = 0;
  let dominant = 0;
  const begin = call.now;
  for (let round = 1; round <= 30; round++) {
    const until = (begin + round * 310) as Millis;
    for (
      let deadline = call.bridge.nextDeadline();
      deadline !== undefined && deadline.at <= until;
      deadline = call.bridge.nextDeadline()
    ) {
      // The brewery's presence has its time.
      if (deadline.why !== "brewery presence") wakes++;
      call.now = deadline.at;
      call.bridge.handleTimeout(call.now, WALL);
    }
    call.now = until;
    call.alive("b");
    call.events({ type: "levels", levels: [{ endpoint: 0, levels: Array.from({ length: 15 }, () => 90) }] });
    call.bridge.handleTimeout(call.now, WALL);
    const told = textsTo(call.take(), channel);
    if (told.some((each) => each["colibriClass"] === "DominantSpeakerEndpointChangeEvent")) dominant = round;
  }
  expect(wakes).toBe(0);
  // The first levels begin it, the second ones decide.
  expect(dominant).toBe(2);
});

describe("connectivity monitor (bridge.md 2.6)", () => {
  const changes = (actions: ReturnType<TestBridge["take"]>, channel: number): unknown[] =>
    textsTo(actions, channel)
      .filter((each) => each["colibriClass"] === "EndpointConnectivityStatusChangeEvent")
      .map((each) => [each["endpoint"], each["active"]]);

  test("8 s of silence, told to the others and to whoever comes later; back again", () => {
    const call = new Call("a", "b");
    call.alive("a", "b");
    for (let second = 0; second < 8; second++) {
      call.advance(1_000);
      call.alive("a");
    }
    const told = call.advance(1_000);
    expect(changes(told, call.channel("a"))).toEqual([["b", "false"]]);
    expect(changes(told, call.channel("b"))).toEqual([]);
    call.enter("c");
    const late = call.open("c");
    expect(changes(call.take(), late)).toEqual([["b", "false"]]);
    call.alive("a", "b", "c");
    expect(changes(call.advance(500), call.channel("a"))).toEqual([["b", "true"]]);
    expect(call.bridge.stats(WALL).get("endpoints_disconnected")).toBe(1);
    expect(call.bridge.stats(WALL).get("endpoints_reconnected")).toBe(1);
  });

  test("whoever never sent anything is inactive after 15 s; a visitor is never", () => {
    const call = new Call("a", "b");
    call.enter("v", " muc-role='visitor'");
    call.take();
    call.alive("a");
    const told: unknown[] = [];
    for (let half = 0; half < 32; half++) {
      call.alive("a");
      told.push(...changes(call.advance(500), call.channel("a")));
    }
    expect(told).toEqual([["b", "false"]]);
  });
});

describe("messages (bridge.md 2.4)", () => {
  test("EndpointMessage: from is forced, to is honoured, nothing comes back", () => {
    const call = new Call("a", "b", "c");
    const all = call.say("a", { colibriClass: "EndpointMessage", to: "", from: "b", extra: 7, msgPayload: { x: 1 } });
    expect(textsTo(all, call.channel("a"))).toEqual([]);
    for (const id of ["b", "c"])
      expect(textsTo(all, call.channel(id))).toEqual([
        { colibriClass: "EndpointMessage", to: "", from: "a", extra: 7, msgPayload: { x: 1 } },
      ]);
    const one = call.say("a", { colibriClass: "EndpointMessage", to: "c", msgPayload: {} });
    expect(textsTo(one, call.channel("b"))).toEqual([]);
    expect(textsTo(one, call.channel("c"))).toHaveLength(1);
    expect(call.say("a", { colibriClass: "EndpointMessage", to: "nobody", msgPayload: {} })).toEqual([]);
  });

  test("visitors may not speak", () => {
    const call = new Call("a");
    call.enter("v", " muc-role='visitor'");
    call.take();
    for (const message of [
      { colibriClass: "EndpointMessage", to: "", msgPayload: {} },
      { colibriClass: "EndpointStats", bitrate: {} },
      { colibriClass: "SourceVideoTypeMessage", sourceName: "v-v0", videoType: "camera" },
    ])
      expect(call.say("v", message)).toEqual([]);
    expect(call.bridge.context.counters.dropped.get("visitor-sends")).toBe(3);
  });

  test("EndpointStats in a large conference reach only those who look at the sender", () => {
    const ids = Array.from({ length: 22 }, (_, i) => `e${i}`);
    const call = new Call(...ids);
    const receivers = (): string[] => {
      const actions = call.say("e0", { colibriClass: "EndpointStats", x: 1 });
      return ids.filter((id) => textsTo(actions, call.channel(id)).length > 0);
    };
    expect(receivers()).toEqual([]);
    call.say("e3", {
      colibriClass: "ReceiverVideoConstraints",
      defaultConstraints: { maxHeight: 0 },
      selectedSources: ["e0-v0"],
    });
    call.say("e4", {
      colibriClass: "ReceiverVideoConstraints",
      constraints: { "e0-v0": { maxHeight: 180 } },
      defaultConstraints: { maxHeight: 0 },
    });
    expect(receivers()).toEqual(["e3", "e4"]);
  });

  test("audio subscriptions reach the loop by index, and follow sources that come later", () => {
    const call = new Call("a", "b");
    const command = (actions: ReturnType<TestBridge["take"]>) =>
      mediaOf(actions).find((each) => each.type === "audio-subscription" && each.receiver === call.index("b"));
    expect(
      command(
        call.say("b", {
          colibriClass: "ReceiverAudioSubscription",
          all: false,
          include: ["a-a0", "c-a0"],
          exclude: [],
        }),
      ),
    ).toMatchObject({ all: false, sources: [0] });
    call.enter("c");
    const [conference] = call.bridge.conferences;
    const later = conference?.endpoints.get("c")?.sources.get("c-a0")?.index;
    expect(
      command(
        call.say("b", {
          colibriClass: "ReceiverAudioSubscription",
          all: false,
          include: ["a-a0", "c-a0"],
          exclude: [],
        }),
      ),
    ).toMatchObject({ sources: [0, later] });
    expect(
      command(call.say("b", { colibriClass: "ReceiverAudioSubscription", mode: "Exclude", list: ["a-a0"] })),
    ).toMatchObject({ all: true, sources: [0] });
  });

  test("a flood is dropped, the channel stays", () => {
    const call = new Call("a", "b");
    let delivered = 0;
    for (let i = 0; i < 1_000; i++)
      delivered += textsTo(
        call.say("a", { colibriClass: "EndpointMessage", to: "b", msgPayload: { i } }),
        call.channel("b"),
      ).length;
    expect(delivered).toBe(300);
    expect(call.bridge.context.counters.dropped.get("channel-flood")).toBe(700);
    call.advance(1_000);
    expect(
      textsTo(call.say("a", { colibriClass: "EndpointMessage", to: "b", msgPayload: {} }), call.channel("b")),
    ).toHaveLength(1);
  });

  test("a flood of long texts is dropped before it is multiplied", () => {
    const call = new Call("a", "b");
    const msgPayload = "x".repeat(200_000);
    let delivered = 0;
    for (let i = 0; i < 50; i++)
      delivered += textsTo(
        call.say("a", { colibriClass: "EndpointMessage", to: "", msgPayload }),
        call.channel("b"),
      ).length;
    expect(delivered).toBe(5);
    call.advance(2_000);
    expect(
      textsTo(call.say("a", { colibriClass: "EndpointMessage", to: "", msgPayload }), call.channel("b")),
    ).toHaveLength(1);
  });

  test("a second socket replaces the first, whose late words are not heard", () => {
    const call = new Call("a", "b");
    const first = call.channel("a");
    call.open("a");
    expect(call.take()).toContainEqual({ type: "channel-close", channel: first, code: 1000, reason: "replaced" });
    call.bridge.channelText(call.now, first, JSON.stringify({ colibriClass: "ClientHello" }));
    expect(call.take()).toEqual([]);
    call.bridge.channelClosed(first);
    expect(textsTo(call.say("a", { colibriClass: "ClientHello" }), call.channel("a"))).toEqual([
      { colibriClass: "ServerHello" },
    ]);
  });

  test("with both channels the bridge answers on the one that was used last", () => {
    const call = new Call("a", "b");
    const transport = call.transports[0];
    transport?.happen({ type: "channel-open" });
    call.take();
    call.say("a", { colibriClass: "ClientHello" });
    expect(transport?.sent.some((text) => text.includes("ServerHello"))).toBe(false);
    transport?.happen({ type: "channel-message", text: '{"colibriClass":"ClientHello"}' });
    call.take();
    expect(transport?.sent.at(-1)).toContain("ServerHello");
  });

  test("refusals: 404 for another server, 403 for what is not there or not right", () => {
    const call = new Call("a");
    const path = call.path("a");
    expect(call.bridge.channelRefusal(path)).toBeUndefined();
    expect(call.bridge.channelRefusal({ ...path, serverId: "jvb2" })).toBe(404);
    for (const wrong of [
      { conference: "0" },
      { peer: "b" },
      { query: "pwd=x" },
      { query: `${path.query}&a=b` },
      { query: "" },
      { kind: "relay" as const },
    ])
      expect(call.bridge.channelRefusal({ ...path, ...wrong })).toBe(403);
    for (const [pathname, known] of [
      ["/colibri-ws/a/b/c", true],
      ["/colibri-relay-ws/a/b/c", true],
      ["/colibri-ws/a/b", false],
      ["/colibri-ws/a/b/c/d", false],
      ["/other", false],
    ] as const)
      expect(parseChannelPath(pathname, "") !== undefined).toBe(known);
  });
});

describe("targets for the loop", () => {
  const targets = (actions: ReturnType<TestBridge["take"]>, receiver: number) =>
    mediaOf(actions).flatMap((each) =>
      each.type === "video-targets" && each.receiver === receiver ? [...each.targets] : [],
    );

  test("only what changes is said; a source that is muted, or force-muted, stops", () => {
    const call = new Call("a", "b");
    const want = { colibriClass: "ReceiverVideoConstraints", defaultConstraints: { maxHeight: 720 } };
    expect(targets(call.say("b", want), call.index("b"))).toEqual([{ source: 1, layer: 2, ssrc: 101, rtxSsrc: 102 }]);
    expect(targets(call.say("b", want), call.index("b"))).toEqual([]);
    expect(
      targets(
        call.say("a", { colibriClass: "SourceVideoTypeMessage", sourceName: "a-v0", videoType: "none" }),
        call.index("b"),
      ),
    ).toMatchObject([{ source: 1, layer: -1 }]);
    call.say("a", { colibriClass: "VideoTypeMessage", videoType: "camera" });
    const muted = call.ask(modify("<endpoint id='a'><force-mute video='true'/></endpoint>")).actions;
    expect(targets(muted, call.index("b"))).toMatchObject([{ source: 1, layer: -1 }]);
    expect(mediaOf(muted)).toContainEqual({ type: "force-mute", endpoint: call.index("a"), audio: false, video: true });
  });

  test("layers that appear are used; an estimate limits", () => {
    const call = new Call("a", "b");
    call.say("b", { colibriClass: "ReceiverVideoConstraints", defaultConstraints: { maxHeight: 720 } });
    const layers: MediaEvent = {
      type: "layers",
      source: 1,
      layers: [
        { layer: 0, height: 720, frameRate: 7.5, bitrateBps: 300_000 },
        { layer: 1, height: 720, frameRate: 15, bitrateBps: 600_000 },
        { layer: 2, height: 720, frameRate: 30, bitrateBps: 1_000_000 },
      ],
    };
    expect(targets(call.events(layers), call.index("b"))).toEqual([]);
    const low = call.events({ type: "estimate", endpoint: call.index("b"), bandwidthBps: 700_000 });
    expect(targets(low, call.index("b"))).toMatchObject([{ layer: 1 }]);
    expect(
      targets(call.events({ type: "estimate", endpoint: call.index("b"), bandwidthBps: 750_000 }), call.index("b")),
    ).toEqual([]);
    const stats = textsTo(call.advance(10_000), call.channel("b")).find(
      (each) => each["colibriClass"] === "ConnectionStats",
    );
    expect(stats).toEqual({ colibriClass: "ConnectionStats", estimatedDownlinkBandwidth: 750_000 });
  });
});

test("what the network, the focus and clients say in any order: nothing throws, nothing is left behind", () => {
  for (const seed of [1, 2, 3, 4, 5]) {
    const call = new Call("a", "b", "c");
    const bytes = seededBytes(seed);
    const pick = <T>(list: readonly T[]): T => list[(bytes(1)[0] ?? 0) % list.length] as T;
    const ids = ["a", "b", "c", "d", "e", "nosuch"];
    const messages = [
      { colibriClass: "ReceiverVideoConstraints", lastN: 1 },
      {
        colibriClass: "ReceiverVideoConstraints",
        defaultConstraints: { maxHeight: 720 },
        onStageSources: ["a-v0", "b-v0"],
      },
      { colibriClass: "ReceiverVideoConstraints", constraints: { __proto__x: { maxHeight: 1 } } },
      { colibriClass: "LastNChangedEvent", lastN: -1 },
      { colibriClass: "SourceVideoTypeMessage", sourceName: "a-v0", videoType: "none" },
      { colibriClass: "EndpointMessage", to: "b", msgPayload: 5 },
      { colibriClass: "AddReceiver", bridgeId: "x", sourceName: "y", videoConstraints: { maxHeight: 7 } },
      [],
      "{",
      { colibriClass: 5 },
    ];
    const steps: (() => void)[] = [
      () => call.say(pick(ids), pick(messages) as object | string),
      () =>
        call.ask(
          modify(
            `<endpoint id='${pick(ids)}' create='true'><capability name='source-names'/><capability name='ssrc-rewriting'/>${MEDIA}<transport/></endpoint>`,
          ),
        ),
      () => call.ask(modify(`<endpoint id='${pick(ids)}' expire='true'/>`)),
      () => call.ask(modify(`<endpoint id='${pick(ids)}'>${sources(pick(ids), 50 + (bytes(1)[0] ?? 0))}</endpoint>`)),
      () => call.ask(modify(`<endpoint id='${pick(ids)}'><sources/></endpoint>`)),
      () =>
        call.ask(
          modify(`<endpoint id='${pick(ids)}'><force-mute audio='true'/><initial-last-n value='2'/></endpoint>`),
        ),
      () => call.ask(modify(`<endpoint id='${pick(ids)}'><transport ice-restart='true'/></endpoint>`)),
      () =>
        call.ask(
          modify(
            `<relay id='r1' create='true'><transport ice-controlling='true'/><endpoints><endpoint id='far'>${sources("far", 7_000)}</endpoint></endpoints></relay>`,
          ),
        ),
      () => call.ask(modify("<relay id='r1' expire='true'/>")),
      () => call.ask(modify("", " create='true'")),
      () => call.events({ type: "levels", levels: [{ endpoint: (bytes(1)[0] ?? 0) % 8, levels: [0, 127, 90] }] }),
      () =>
        call.events({
          type: "layers",
          source: (bytes(1)[0] ?? 0) % 16,
          layers: [{ layer: 64, height: 360, frameRate: 30, bitrateBps: 5 }],
        }),
      () => call.events({ type: "audio-heard", source: (bytes(1)[0] ?? 0) % 16 }),
      () => call.events({ type: "estimate", endpoint: (bytes(1)[0] ?? 0) % 8, bandwidthBps: 1e5 * (bytes(1)[0] ?? 0) }),
      () =>
        call.events({
          type: "datagram",
          endpoint: ((bytes(1)[0] ?? 0) % 8) - 1,
          path: { socket: 0, address: "198.51.100.7", port: 9 },
          bytes: bytes(40),
        }),
      () =>
        call.transports
          .at(-1)
          ?.happen(
            pick([
              { type: "connected" },
              { type: "channel-open" },
              { type: "channel-closed" },
              { type: "failed", reason: "dtls-alert" },
              { type: "closed" },
            ] as const),
          ),
      () =>
        call.stanza(
          `<iq xmlns='jabber:client' type='get' id='x' from='${FOCUS}'><conference-modify xmlns='jitsi:colibri2'/></iq>`,
        ),
      () => call.advance((bytes(1)[0] ?? 0) * 40),
    ];
    for (let i = 0; i < 1_500; i++) {
      pick(steps)();
      // The loop lets go of what it was told to.
      for (const command of mediaOf(call.take()))
        if (command.type === "remove-endpoint") call.events({ type: "endpoint-removed", endpoint: command.endpoint });
    }
    const [conference] = call.bridge.conferences;
    if (conference !== undefined) call.ask(modify("", " expire='true'"));
    expect([...call.bridge.conferences]).toHaveLength(0);
    for (const link of call.bridge.context.links.keys()) call.events({ type: "endpoint-removed", endpoint: link });
    expect(call.bridge.context.links.size).toBe(0);
    expect(call.bridge.stats((WALL + 1) as EpochMillis).get("endpoints")).toBe(0);
  }
}, 30_000);

test("shutdown: graceful waits for the last one, then a minute; forced ends at once", () => {
  const call = new Call("a");
  call.bridge.beginShutdown(call.now, WALL, true);
  const presence = call.take().flatMap((action) => (action.type === "stanza" ? [String(action.stanza)] : []));
  expect(presence.at(-1)).toContain('name="graceful_shutdown" value="true"');
  expect(call.bridge.shutdown.state).toBe("GRACEFUL_SHUTDOWN");
  call.ask(modify("<endpoint id='a' expire='true'/>"));
  call.advance(5_000);
  expect(call.bridge.shutdown.state).toBe("SHUTTING_DOWN");
  const actions = call.advance(60_000);
  expect(actions).toContainEqual({ type: "shutdown" });
  const forced = new TestBridge().join();
  forced.bridge.beginShutdown(forced.now, WALL, false);
  expect(forced.take()).toContainEqual({ type: "shutdown" });
});

test("drain is told at once", () => {
  const bridge = new TestBridge().join();
  bridge.bridge.setDrain(bridge.now as Millis, WALL, true);
  const [action] = bridge.take();
  expect(action?.type === "stanza" && String(action.stanza)).toContain('name="drain" value="true"');
});
