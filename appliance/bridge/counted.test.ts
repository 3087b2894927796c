import { expect, test } from "bun:test";
import { mediaOf, NO_STATISTICS, TestBridge, textsTo, WALL } from "./test-bridge.ts";
import { Call, MEDIA, modify } from "./test-call.ts";

test("a media loop that does not answer for 15 s is a fault, until it does", () => {
  const { bridge } = new TestBridge().join();
  const test = new TestBridge().join();
  const report = (): void => {
    test.events({
      type: "statistics",
      statistics: {
        ...NO_STATISTICS,
        unmatchedFeedback: 4,
        spuriousRembEndpoints: 2,
      },
    });
  };
  expect(bridge.health()).toBeUndefined();
  for (let turn = 0; turn < 12; turn++) {
    test.advance(5_000);
    report();
  }
  expect(test.bridge.health()).toBeUndefined();
  const stats = test.bridge.stats(WALL);
  expect([stats.get("tcc_unmatched_feedback"), stats.get("endpoints_with_spurious_remb")]).toEqual([4, 2]);
  test.advance(21_000);
  expect(test.bridge.health()).toBe("the media loop does not answer");
  expect(test.bridge.stats(WALL).get("healthy")).toBe(false);
  report();
  expect(test.bridge.health()).toBeUndefined();
});

test("ICE through a peer's TURN server is counted as such; so is what becomes of restarts", () => {
  const call = new Call("a", "b");
  const relayed = (type: string): string =>
    `<transport><transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='u' pwd='p'><candidate component='1' foundation='1' generation='0' id='c' network='0' priority='1' protocol='udp' type='${type}' ip='203.0.113.9' port='4000'/></transport></transport>`;
  call.ask(modify(`<endpoint id='a'>${relayed("relay")}</endpoint>`));
  call.ask(modify(`<endpoint id='b'>${relayed("host")}</endpoint>`));
  const path = { socket: 0, address: "203.0.113.9", port: 4000 };
  for (const transport of call.transports) transport.happen({ type: "select-path", path }, { type: "ice-connected" });
  call.take();
  const stats = call.bridge.stats(WALL);
  expect([stats.get("total_ice_succeeded"), stats.get("total_ice_succeeded_relayed")]).toEqual([2, 1]);

  const restart = (): void => {
    call.ask(modify("<endpoint id='a'><transport ice-restart='true'/></endpoint>"));
  };
  const [transport] = call.transports;
  if (transport === undefined) throw new Error("no transport");
  transport.state = "connected";
  const { counters } = call.bridge.context;
  const counted = (): number[] => [
    counters.iceRestarts,
    counters.iceRestartsSuperseded,
    counters.iceRestartsSucceeded,
    counters.iceRestartsFailed,
  ];
  restart();
  restart();
  expect(counted()).toEqual([2, 1, 0, 0]);
  const [conference] = call.bridge.conferences;
  const localUfrag = conference?.endpoints.get("a")?.link.description([]).ufrag ?? "";
  transport.happen({ type: "ice-credentials", localUfrag, localPwd: "p", remoteUfrag: "r" });
  call.take();
  expect(counted()).toEqual([2, 1, 1, 0]);
  restart();
  transport.happen({ type: "ice-restart-failed", generation: 3 });
  call.take();
  expect(counted()).toEqual([3, 1, 1, 1]);
});

test("slots of a receiver that tells them apart by their mid have one each, in the maps and for the loop (bridge.md 4.6)", () => {
  const call = new Call("aa", "bb");
  const open = (id: string, capabilities: string): void => {
    call.ask(
      modify(
        `<endpoint id='${id}' create='true'><capability name='source-names'/>${capabilities}${MEDIA}<transport/></endpoint>`,
      ),
    );
    call.open(id);
  };
  open("cc", "<capability name='ssrc-rewriting'/><capability name='rtp-mid-demux'/>");
  open("dd", "<capability name='rtp-mid-demux'/>"); // of no effect without rewriting
  const say = (id: string): ReturnType<TestBridge["take"]> =>
    call.say(id, { colibriClass: "ReceiverVideoConstraints", defaultConstraints: { maxHeight: 180 } });
  const told = say("cc");
  const maps = textsTo(told, call.channel("cc")).find((each) => each["colibriClass"] === "VideoSourcesMap");
  expect(maps).toMatchObject({
    mappedSources: [
      { source: "aa-v0", mid: "v0" },
      { source: "bb-v0", mid: "v1" },
    ],
  });
  const targets = mediaOf(told).flatMap((each) => (each.type === "video-targets" ? each.targets : []));
  expect(targets.map(({ mid }) => mid)).toEqual(["v0", "v1"]);
  const [conference] = call.bridge.conferences;
  const microphone = conference?.endpoints.get("bb")?.sources.get("bb-a0");
  const heard = call.events({ type: "audio-heard", source: microphone?.index ?? -1 });
  expect(mediaOf(heard)).toMatchObject([{ type: "audio-ssrc", mid: "a0" }]);
  expect(textsTo(heard, call.channel("cc"))).toMatchObject([{ mappedSources: [{ source: "bb-a0", mid: "a0" }] }]);
  call.say("dd", { colibriClass: "ReceiverVideoConstraints", defaultConstraints: { maxHeight: 180 } });
  expect(
    mediaOf(say("dd")).some(
      (each) => each.type === "video-targets" && each.targets.some(({ mid }) => mid !== undefined),
    ),
  ).toBe(false);
});
