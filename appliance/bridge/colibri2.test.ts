import { describe, expect, test } from "bun:test";
import { readError } from "../wire/stanza.ts";
import { attr, child, descend } from "../wire/xml.ts";
import type { BridgeSettings } from "./context.ts";
import { FOCUS, mediaOf, TestBridge } from "./test-bridge.ts";

const MODIFY = "conference-modify xmlns='jitsi:colibri2' meeting-id='m1'";
const AUDIO =
  "<media type='audio'><payload-type xmlns='urn:xmpp:jingle:apps:rtp:1' id='111' name='opus' clockrate='48000' channels='2'/></media>";
const CAPABLE = "<capability name='source-names'/>";
const create = (id: string, inner = `${CAPABLE}${AUDIO}<transport ice-controlling='true'/>`): string =>
  `<endpoint id='${id}' create='true' stats-id='Ada'>${inner}</endpoint>`;
const allocate = (id: string, first = false): string =>
  `<${MODIFY}${first ? " create='true' name='room@muc.meet.test'" : ""}>${create(id)}</conference-modify>`;
const modify = (inner: string): string => `<${MODIFY}>${inner}</conference-modify>`;

const withTwo = (settings: Partial<BridgeSettings> = {}): TestBridge => {
  const bridge = new TestBridge(settings).join();
  bridge.ask(allocate("aaaaaaaa", true));
  bridge.ask(allocate("bbbbbbbb"));
  return bridge;
};

describe("errors of bridge.md 1.7", () => {
  const table: [string, string, string, string | undefined][] = [
    [
      "unknown conference",
      `<conference-modify xmlns='jitsi:colibri2' meeting-id='no'>${create("c")}</conference-modify>`,
      "item-not-found",
      "conference_not_found",
    ],
    ["conference exists", allocate("cccccccc", true), "conflict", "conference_already_exists"],
    ["unknown endpoint", modify("<endpoint id='deadbeef'><sources/></endpoint>"), "item-not-found", "unknown_endpoint"],
    ["endpoint exists", allocate("aaaaaaaa"), "conflict", undefined],
    [
      "endpoints and a relay",
      modify(`${create("c")}<relay id='r' create='true'><transport/></relay>`),
      "feature-not-implemented",
      "feature_not_implemented",
    ],
    ["two creates", modify(create("c") + create("d")), "feature-not-implemented", "feature_not_implemented"],
    [
      "two relays",
      modify("<relay id='r' expire='true'/><relay id='s' expire='true'/>"),
      "feature-not-implemented",
      "feature_not_implemented",
    ],
    ["no transport", modify(create("c", CAPABLE)), "bad-request", undefined],
    ["no source-names", modify(create("c", "<transport/>")), "bad-request", undefined],
    [
      "SCTP without SCTP",
      modify(create("c", `${CAPABLE}<transport><sctp/></transport>`)),
      "feature-not-implemented",
      "feature_not_implemented",
    ],
    ["no meeting-id", "<conference-modify xmlns='jitsi:colibri2'/>", "bad-request", undefined],
    ["blank meeting-id", "<conference-modify xmlns='jitsi:colibri2' meeting-id='  '/>", "bad-request", undefined],
    [
      "bad name",
      "<conference-modify xmlns='jitsi:colibri2' meeting-id='n' create='true' name='a@@b'/>",
      "bad-request",
      undefined,
    ],
    ["endpoint without id", modify("<endpoint create='true'/>"), "bad-request", undefined],
    ["unknown relay", modify("<relay id='r'><transport/></relay>"), "bad-request", undefined],
    [
      "bad SSRC",
      modify(
        "<endpoint id='aaaaaaaa'><sources><media-source type='audio' id='x'><source xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' ssrc='0'/></media-source></sources></endpoint>",
      ),
      "bad-request",
      undefined,
    ],
    [
      "visitor with sources",
      modify(
        "<endpoint id='v' create='true' muc-role='visitor'><capability name='source-names'/><transport/><sources><media-source type='audio' id='v-a0'><source xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' ssrc='7'/></media-source></sources></endpoint>",
      ),
      "bad-request",
      undefined,
    ],
    [
      "video export",
      modify(
        "<connects><connect id='1' create='true' url='wss://x' type='recorder' protocol='mediajson' video='true'/></connects>",
      ),
      "feature-not-implemented",
      "feature_not_implemented",
    ],
    ...[
      "<connect create='true' url='wss://x' type='recorder' protocol='mediajson'/>",
      "<connect id='1' create='true' url='http://x' type='recorder' protocol='mediajson'/>",
      "<connect id='1' create='true' url='wss://x' type='spy' protocol='mediajson'/>",
      "<connect id='1' create='true' url='wss://x' type='recorder' protocol='rtp'/>",
      "<connect id='1' create='true' url='wss://x' type='recorder' protocol='mediajson'><http-header name='a b' value='x'/></connect>",
      "<connect id='1' expire='true'/><connect id='1' expire='true'/>",
      "<connect id='nosuch'/>",
    ].map((inner): [string, string, string, undefined] => [
      `connect ${inner}`,
      modify(`<connects>${inner}</connects>`),
      "bad-request",
      undefined,
    ]),
  ];
  test.each(table)("%s", (_name, request, condition, reason) => {
    const { reply } = withTwo().ask(request);
    const error = readError(reply);
    expect(attr(reply, "type")).toBe("error");
    expect(error?.condition as string).toBe(condition);
    const marker = error?.extra?.find((each) => each.getName() === "error");
    expect(marker === undefined ? undefined : attr(marker, "reason")).toBe(reason as string);
    const named = error?.extra?.find((each) => each.getName() === "endpoint");
    expect(named === undefined ? undefined : attr(named, "id")).toBe(
      reason === "unknown_endpoint" ? "deadbeef" : undefined,
    );
  });

  test("graceful shutdown refuses conferences, and serves those that are there", () => {
    const bridge = withTwo();
    bridge.bridge.beginShutdown(bridge.now, 0 as never, true);
    bridge.take();
    const { reply } = bridge.ask("<conference-modify xmlns='jitsi:colibri2' meeting-id='m2' create='true'/>");
    expect(readError(reply)?.condition).toBe("service-unavailable");
    expect(String(reply)).toContain("graceful_shutdown");
    expect(attr(bridge.ask(allocate("cccccccc")).reply, "type")).toBe("result");
  });

  test("tables that are full", () => {
    const bridge = new TestBridge({ maxEndpoints: 1, maxConferences: 1 }).join();
    bridge.ask(allocate("aaaaaaaa", true));
    expect(readError(bridge.ask(allocate("bbbbbbbb")).reply)?.condition).toBe("resource-constraint");
    const other = "<conference-modify xmlns='jitsi:colibri2' meeting-id='m2' create='true'/>";
    expect(readError(bridge.ask(other).reply)?.condition).toBe("resource-constraint");
    bridge.ask(modify("<endpoint id='aaaaaaaa' expire='true'/>"));
    // The slot is free again only when the loop has let go of it.
    expect(readError(bridge.ask(allocate("bbbbbbbb", true)).reply)?.condition).toBe("resource-constraint");
    bridge.events({ type: "endpoint-removed", endpoint: 0 });
    expect(attr(bridge.ask(allocate("bbbbbbbb", true)).reply, "type")).toBe("result");
  });
});

describe("leniency", () => {
  const table: [string, string, string][] = [
    ["expire of an unknown id", "<endpoint id='nosuchep' expire='true'/>", '<endpoint id="nosuchep" expire="true"/>'],
    [
      "initial-last-n of an unknown id",
      "<endpoint id='nosuchep'><initial-last-n value='3'/></endpoint>",
      '<endpoint id="nosuchep"/>',
    ],
    [
      "force-mute, one known, one unknown",
      "<endpoint id='nosuchep'><force-mute audio='true'/></endpoint><endpoint id='aaaaaaaa'><force-mute audio='true'/></endpoint>",
      '<endpoint id="nosuchep"/><endpoint id="aaaaaaaa"/>',
    ],
    [
      "several expires",
      "<endpoint id='aaaaaaaa' expire='true'/><endpoint id='nosuchep' expire='true'/>",
      '<endpoint id="aaaaaaaa" expire="true"/><endpoint id="nosuchep" expire="true"/>',
    ],
  ];
  test.each(table)("%s", (_name, inner, answer) => {
    const { reply } = withTwo().ask(modify(inner));
    expect(attr(reply, "type")).toBe("result");
    expect(descend(reply, "conference-modified")?.children.map(String).join("")).toBe(answer);
  });
});

describe("SCTP of a relay (bridge.md 7.1)", () => {
  const relay = (sctp: string): string =>
    modify(
      `<relay id='box-2' create='true' mesh-id='m0'><transport ice-controlling='true'>${sctp}</transport></relay>`,
    );
  test.each([
    ["<sctp role='client'/>", "server"],
    ["<sctp role='server'/>", "client"],
    ["<sctp/>", "client"],
  ])("%s: the answer tells the other's side, %s", (sctp, told) => {
    const { reply } = withTwo({ sctp: true }).ask(relay(sctp));
    const answer = descend(reply, "conference-modified", "relay", "transport", "sctp");
    expect([attr(answer as never, "port"), attr(answer as never, "role")]).toEqual(["5000", told]);
  });
  test.each<[string, boolean, "bad-request" | "feature-not-implemented"]>([
    ["<sctp role='peer'/>", true, "bad-request"],
    ["<sctp role='client' port='5001'/>", true, "bad-request"],
    ["<sctp role='client'/>", false, "feature-not-implemented"],
  ])("%s, SCTP %p: %s", (sctp, on, condition) => {
    const bridge = withTwo({ sctp: on });
    expect(readError(bridge.ask(relay(sctp)).reply)?.condition).toBe(condition);
    expect(attr(bridge.ask(relay("")).reply, "type")).toBe("result");
  });
});

test("allocation: transport, candidates, channel URL, feedback sources", () => {
  const bridge = new TestBridge().join();
  const { reply, actions } = bridge.ask(allocate("aaaaaaaa", true));
  const answer = descend(reply, "conference-modified");
  const ice = descend(reply, "conference-modified", "endpoint", "transport", "transport");
  if (answer === undefined || ice === undefined) throw new Error(String(reply));
  expect(String(child(answer, "sources"))).toContain('id="jvb-a0"');
  expect(attr(child(ice, "fingerprint") as never, "setup")).toBe("actpass");
  expect(
    ice.getChildren("candidate").map((each) => [attr(each, "ip"), attr(each, "port"), attr(each, "priority")]),
  ).toEqual([
    ["192.0.2.2", "21010", "2130706431"],
    ["127.0.0.1", "21010", "2130706175"],
  ]);
  expect(attr(child(ice, "web-socket") as never, "url")).toMatch(
    /^wss:\/\/localhost:8444\/colibri-ws\/jvb1\/[0-9a-f]{16}\/aaaaaaaa\?pwd=[A-Za-z0-9]{24}$/,
  );
  expect(mediaOf(actions).map((each) => each.type)).toEqual(["conference", "add-endpoint", "payload-types"]);
});

test("an update is answered without a transport, and its sources reach the loop with their simulcast", () => {
  const bridge = withTwo();
  const source = (ssrc: number): string =>
    `<source xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' ssrc='${ssrc}' name='aaaaaaaa-v0' videoType='camera'/>`;
  const group = (semantics: string, ...ssrcs: number[]): string =>
    `<ssrc-group xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' semantics='${semantics}'>${ssrcs.map((ssrc) => `<source ssrc='${ssrc}'/>`).join("")}</ssrc-group>`;
  const sources = `<media-source type='video' id='aaaaaaaa-v0'>${[1, 2, 3, 11, 12, 13].map(source).join("")}${group("FID", 1, 11)}${group("SIM", 1, 2, 3)}${group("FID", 2, 12)}${group("FID", 3, 13)}${group("FID", 9)}</media-source>`;
  const { reply, actions } = bridge.ask(
    modify(
      `<endpoint id='aaaaaaaa'><transport><transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='Yx3T' pwd='0LzLqPZrN5cJmQwEo9i2bT1s'/></transport><sources>${sources}</sources></endpoint>`,
    ),
  );
  expect(descend(reply, "conference-modified")?.children.map(String)).toEqual(['<endpoint id="aaaaaaaa"/>']);
  expect(bridge.transports[0]?.remotes[0]).toMatchObject({ ufrag: "Yx3T", pwd: "0LzLqPZrN5cJmQwEo9i2bT1s" });
  const command = mediaOf(actions).find((each) => each.type === "sources");
  expect(command).toMatchObject({
    endpoint: 0,
    sources: [
      {
        name: "aaaaaaaa-v0",
        kind: "video",
        encodings: [
          { ssrc: 1, rtxSsrc: 11 },
          { ssrc: 2, rtxSsrc: 12 },
          { ssrc: 3, rtxSsrc: 13 },
        ],
      },
    ],
  });
  // Present sources replace the whole set; absent ones leave it.
  expect(mediaOf(bridge.ask(modify("<endpoint id='aaaaaaaa'/>")).actions)).toEqual([]);
  const emptied = mediaOf(bridge.ask(modify("<endpoint id='aaaaaaaa'><sources/></endpoint>")).actions);
  expect(emptied.find((each) => each.type === "sources")).toMatchObject({ sources: [] });
});

test("ICE restart: refused before anything is connected, then new credentials with a generation", () => {
  const bridge = withTwo();
  const restart = modify("<endpoint id='aaaaaaaa'><transport ice-restart='true'/></endpoint>");
  expect(descend(bridge.ask(restart).reply, "conference-modified", "endpoint", "transport")).toBeUndefined();
  const transport = bridge.transports[0];
  if (transport === undefined) throw new Error("no transport");
  transport.state = "connected";
  const first = descend(bridge.ask(restart).reply, "conference-modified", "endpoint", "transport", "transport");
  expect(first && attr(first, "ice-generation")).toBe("1");
  expect(first && attr(child(first, "fingerprint") as never, "setup")).toBe("passive");
  const second = descend(bridge.ask(restart).reply, "conference-modified", "endpoint", "transport", "transport");
  expect(second && attr(second, "ice-generation")).toBe("2");
  expect(second && attr(second, "ufrag")).not.toBe(first && attr(first, "ufrag"));
});

test("the last endpoint's end is the conference's, and expire ends it at once", () => {
  const bridge = withTwo();
  bridge.ask(modify("<endpoint id='aaaaaaaa' expire='true'/><endpoint id='bbbbbbbb' expire='true'/>"));
  expect(readError(bridge.ask(modify("<endpoint id='aaaaaaaa' expire='true'/>")).reply)?.condition).toBe(
    "item-not-found",
  );
  const other = withTwo();
  const { reply, actions } = other.ask("<conference-modify xmlns='jitsi:colibri2' meeting-id='m1' expire='true'/>");
  expect(String(descend(reply, "conference-modified"))).toBe('<conference-modified xmlns="jitsi:colibri2"/>');
  expect(mediaOf(actions).map((each) => each.type)).toEqual([
    "remove-endpoint",
    "remove-endpoint",
    "remove-conference",
  ]);
});

test("a conference that never had anybody ends after 20 s", () => {
  const bridge = new TestBridge().join();
  bridge.ask("<conference-modify xmlns='jitsi:colibri2' meeting-id='m1' create='true'/>");
  bridge.advance(19_999);
  expect([...bridge.bridge.conferences]).toHaveLength(1);
  bridge.advance(2);
  expect([...bridge.bridge.conferences]).toHaveLength(0);
});

test("IQs: health check, version, disco; strangers are forbidden; shutdown IQs and the unknown are unavailable", () => {
  const bridge = new TestBridge().join();
  expect(bridge.ask("<healthcheck xmlns='http://jitsi.org/protocol/healthcheck'/>").reply.children).toEqual([]);
  expect(String(bridge.ask("<query xmlns='jabber:iq:version'/>").reply)).toContain("<name>JVB</name>");
  const disco = String(bridge.ask("<query xmlns='http://jabber.org/protocol/disco#info'/>").reply);
  for (const feature of [
    "http://jitsi.org/protocol/healthcheck",
    "urn:xmpp:jingle:apps:dtls:0",
    "urn:xmpp:jingle:transports:ice-udp:1",
    "jabber:iq:version",
  ])
    expect(disco).toContain(feature);
  const stranger = bridge.ask("<healthcheck xmlns='http://jitsi.org/protocol/healthcheck'/>", "eve@meet.test/x").reply;
  expect(readError(stranger)?.condition).toBe("forbidden");
  expect(
    readError(
      bridge.ask(
        "<conference-modify xmlns='jitsi:colibri2' meeting-id='x' create='true'/>",
        "other@internal.auth.meet.test/focus",
      ).reply,
    )?.condition,
  ).toBe("forbidden");
  expect(readError(bridge.ask("<force-shutdown xmlns='http://jitsi.org/protocol/colibri'/>").reply)?.condition).toBe(
    "service-unavailable",
  );
  bridge.bridge.mediaFault("the media loop died");
  bridge.take();
  const sick = readError(bridge.ask("<healthcheck xmlns='http://jitsi.org/protocol/healthcheck'/>", FOCUS).reply);
  expect(sick).toMatchObject({ condition: "internal-server-error", text: "the media loop died" });
});
