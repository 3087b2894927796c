/**
 * One conference over two bridges (bridge.md 7.1): two cores, the focus between them, their message channel joined by hand.
 */
import { describe, expect, test } from "bun:test";
import { attr, child, descend, type Element } from "../wire/xml.ts";
import { parseChannelPath } from "./channel-path.ts";
import type { BridgeAction } from "./context.ts";
import { mediaOf, TestBridge, textsTo } from "./test-bridge.ts";

const SSMA = "xmlns='urn:xmpp:jingle:apps:rtp:ssma:0'";
const RTP = "xmlns='urn:xmpp:jingle:apps:rtp:1'";
const MEDIA = `<media type='audio'><payload-type ${RTP} id='111' name='opus' clockrate='48000'/></media><media type='video'><payload-type ${RTP} id='100' name='VP8' clockrate='90000'/></media>`;
const modify = (inner: string, attributes = ""): string =>
  `<conference-modify xmlns='jitsi:colibri2' meeting-id='m1'${attributes}>${inner}</conference-modify>`;
const sources = (id: string, base: number): string =>
  `<sources><media-source type='audio' id='${id}-a0'><source ${SSMA} ssrc='${base}' name='${id}-a0'/></media-source><media-source type='video' id='${id}-v0'><source ${SSMA} ssrc='${base + 1}' name='${id}-v0'/></media-source></sources>`;

interface Side {
  readonly bridge: TestBridge;
  /** Channel number of the endpoint here, and of the relay. */
  endpointChannel: number;
  relayChannel: number;
}

/** Bridges `box-1` (with endpoint a) and `box-2` (with endpoint b), joined; box-1 is the initiator. */
class TwoBridges {
  readonly one: Side;
  readonly two: Side;

  constructor() {
    this.one = this.#side("box-1", "a", 100, 1);
    this.two = this.#side("box-2", "b", 200, 2);
    const offered = this.#relay(this.one, "box-2", "ice-controlling='true' use-unique-port='true'");
    const answered = this.#relay(this.two, "box-1", "");
    this.#finish(this.two, "box-1", offered, "active", false, "a", 100);
    this.#finish(this.one, "box-2", answered, "passive", true, "b", 200);
  }

  #side(serverId: string, id: string, base: number, seed: number): Side {
    const bridge = new TestBridge({ serverId }, seed).join();
    bridge.ask(
      modify(
        `<endpoint id='${id}' create='true'><capability name='source-names'/>${MEDIA}<transport/></endpoint>`,
        " create='true'",
      ),
    );
    bridge.ask(modify(`<endpoint id='${id}'>${sources(id, base)}</endpoint>`));
    const [conference] = bridge.bridge.conferences;
    const path = parseChannelPath(
      `/colibri-ws/${serverId}/${conference?.id ?? ""}/${id}`,
      `pwd=${conference?.endpoints.get(id)?.channelSecret ?? ""}`,
    );
    const channel = bridge.bridge.context.newChannel();
    if (path !== undefined) bridge.bridge.channelOpened(bridge.now, channel, path);
    bridge.take();
    return { bridge, endpointChannel: channel, relayChannel: -1 };
  }

  #relay(side: Side, id: string, transport: string): Element {
    const { reply } = side.bridge.ask(
      modify(`<relay id='${id}' create='true' mesh-id='m0'>${MEDIA}<transport ${transport}/></relay>`),
    );
    const ice = descend(reply, "conference-modified", "relay", "transport", "transport");
    if (ice === undefined) throw new Error(String(reply));
    return ice;
  }

  /** What the focus does with the other side's answer. The WebSocket's address goes to the initiator only. */
  #finish(side: Side, id: string, ice: Element, setup: string, initiator: boolean, far: string, base: number): void {
    const url = attr(child(ice, "web-socket") as Element, "url") ?? "";
    const print = child(ice, "fingerprint") as Element;
    print.attrs.setup = setup;
    if (!initiator) ice.remove(child(ice, "web-socket") as Element);
    const { actions } = side.bridge.ask(
      modify(
        `<relay id='${id}'><transport>${String(ice)}</transport><endpoints><endpoint id='${far}'>${sources(far, base)}</endpoint></endpoints></relay>`,
      ),
    );
    const dial = actions.find((action) => action.type === "channel-dial");
    expect(dial === undefined).toBe(!initiator);
    if (dial?.type !== "channel-dial") return;
    expect(dial.url).toBe(url.replaceAll("&amp;", "&"));
    const { pathname, search } = new URL(dial.url);
    const path = parseChannelPath(pathname, search.slice(1));
    if (path === undefined) throw new Error(url);
    this.one.relayChannel = dial.channel;
    this.two.relayChannel = this.two.bridge.bridge.context.newChannel();
    expect(this.two.bridge.bridge.channelRefusal(path)).toBeUndefined();
    this.two.bridge.bridge.channelOpened(this.two.bridge.now, this.two.relayChannel, path);
    this.one.bridge.bridge.channelDialled(this.one.bridge.now, dial.channel);
    this.exchange();
  }

  /** Carries what the bridges say to each other until neither has more to say; answers all that was done on either side. */
  exchange(): { readonly one: BridgeAction[]; readonly two: BridgeAction[] } {
    const done = { one: [] as BridgeAction[], two: [] as BridgeAction[] };
    for (let quiet = false; !quiet; ) {
      quiet = true;
      for (const [name, from, to] of [
        ["one", this.one, this.two],
        ["two", this.two, this.one],
      ] as const)
        for (const action of from.bridge.take()) {
          done[name].push(action);
          if (action.type !== "channel-text" || action.channel !== from.relayChannel) continue;
          quiet = false;
          to.bridge.bridge.channelText(to.bridge.now, to.relayChannel, action.text);
        }
    }
    return done;
  }

  say(side: Side, message: object): { readonly one: BridgeAction[]; readonly two: BridgeAction[] } {
    side.bridge.bridge.channelText(side.bridge.now, side.endpointChannel, JSON.stringify(message));
    return this.exchange();
  }
}

describe("a conference over two bridges", () => {
  test("what a receiver here wants of a sender there is forwarded there, and taken here", () => {
    const pair = new TwoBridges();
    const { one, two } = pair.say(pair.one, {
      colibriClass: "ReceiverVideoConstraints",
      defaultConstraints: { maxHeight: 360 },
    });
    // Here: b's camera is forwarded to a, and the wish is told.
    expect(textsTo(one, pair.one.endpointChannel)).toContainEqual({
      colibriClass: "ForwardedSources",
      forwardedSources: ["b-v0"],
    });
    expect(textsTo(one, pair.one.relayChannel)).toContainEqual({
      colibriClass: "AddReceiver",
      bridgeId: "box-1",
      sourceName: "b-v0",
      videoConstraints: { maxHeight: 360, maxFrameRate: -1 },
    });
    // There: b sends as much as is wanted, and its camera goes into the relay under its own SSRC.
    expect(textsTo(two, pair.two.endpointChannel)).toContainEqual({
      colibriClass: "SenderSourceConstraints",
      sourceName: "b-v0",
      maxHeight: 360,
    });
    const targets = mediaOf(two).flatMap((each) =>
      each.type === "video-targets" && each.receiver === 1 ? [...each.targets] : [],
    );
    expect(targets).toMatchObject([{ ssrc: 201 }]);
    // Nobody wants it any more.
    const off = pair.say(pair.one, { colibriClass: "ReceiverVideoConstraints", lastN: 0 });
    expect(textsTo(off.two, pair.two.endpointChannel)).toContainEqual({
      colibriClass: "SenderSourceConstraints",
      sourceName: "b-v0",
      maxHeight: 0,
    });
    expect(mediaOf(off.two).flatMap((each) => (each.type === "video-targets" ? [...each.targets] : []))).toMatchObject([
      { layer: -1 },
    ]);
  });

  test("microphones go over, those of this side only", () => {
    const pair = new TwoBridges();
    const { one } = pair.say(pair.one, { colibriClass: "ReceiverVideoConstraints", lastN: -1 });
    const [conference] = pair.one.bridge.bridge.conferences;
    const own = conference?.endpoints.get("a")?.sources.get("a-a0")?.index;
    expect(mediaOf(one).findLast((each) => each.type === "audio-subscription")).toMatchObject({
      receiver: 1,
      all: false,
      sources: [own],
    });
  });

  test("messages, statistics and video types cross once; nobody speaks for another", () => {
    const pair = new TwoBridges();
    const all = pair.say(pair.one, { colibriClass: "EndpointMessage", to: "", msgPayload: { x: 1 } });
    expect(textsTo(all.two, pair.two.endpointChannel)).toEqual([
      { colibriClass: "EndpointMessage", to: "", from: "a", msgPayload: { x: 1 } },
    ]);
    const one = pair.say(pair.two, { colibriClass: "EndpointMessage", to: "a", msgPayload: {} });
    expect(textsTo(one.one, pair.one.endpointChannel)).toHaveLength(1);
    const stats = pair.say(pair.two, { colibriClass: "EndpointStats", bitrate: 5 });
    expect(textsTo(stats.one, pair.one.endpointChannel)).toEqual([
      { colibriClass: "EndpointStats", bitrate: 5, from: "b" },
    ]);
    pair.say(pair.one, { colibriClass: "ReceiverVideoConstraints", defaultConstraints: { maxHeight: 720 } });
    const muted = pair.say(pair.two, { colibriClass: "SourceVideoTypeMessage", sourceName: "b-v0", videoType: "none" });
    expect(textsTo(muted.one, pair.one.endpointChannel)).toContainEqual({
      colibriClass: "ForwardedSources",
      forwardedSources: [],
    });
    pair.one.bridge.bridge.channelText(
      pair.one.bridge.now,
      pair.one.relayChannel,
      JSON.stringify({ colibriClass: "EndpointMessage", from: "a", to: "", msgPayload: {} }),
    );
    expect(textsTo(pair.exchange().one, pair.one.endpointChannel)).toEqual([]);
  });

  test("endpoints beyond the relay come and go; the relay's end takes them all", () => {
    const pair = new TwoBridges();
    pair.say(pair.one, { colibriClass: "ReceiverVideoConstraints", defaultConstraints: { maxHeight: 720 } });
    pair.one.bridge.ask(
      modify(`<relay id='box-2'><endpoints><endpoint id='c'>${sources("c", 300)}</endpoint></endpoints></relay>`),
    );
    const [conference] = pair.one.bridge.bridge.conferences;
    expect([...(conference?.sources() ?? [])].map((source) => source.name)).toEqual([
      "a-a0",
      "a-v0",
      "b-a0",
      "b-v0",
      "c-a0",
      "c-v0",
    ]);
    pair.one.bridge.ask(modify("<relay id='box-2'><endpoints><endpoint id='b' expire='true'/></endpoints></relay>"));
    expect([...(conference?.sources() ?? [])].map((source) => source.name)).toEqual(["a-a0", "a-v0", "c-a0", "c-v0"]);
    expect(pair.one.bridge.bridge.stats(0 as never).get("octo_endpoints")).toBe(1);
    const { reply, actions } = pair.one.bridge.ask(modify("<relay id='box-2' expire='true'/>"));
    expect(String(descend(reply, "conference-modified"))).toContain('<relay id="box-2" expire="true"/>');
    expect(actions).toContainEqual({
      type: "channel-close",
      channel: pair.one.relayChannel,
      code: 1001,
      reason: "relay_closed",
    });
    expect([...(conference?.sources() ?? [])].map((source) => source.name)).toEqual(["a-a0", "a-v0"]);
  });
});

test("the relay channel has an address of its own where one is configured", () => {
  const bridge = new TestBridge({ serverId: "box-1", relayUrl: "ws://192.0.2.10:9090" }).join();
  const { reply } = bridge.ask(
    modify(`<relay id='box-2' create='true' mesh-id='m0'>${MEDIA}<transport/></relay>`, " create='true'"),
  );
  const ice = descend(reply, "conference-modified", "relay", "transport", "transport");
  const socket = ice === undefined ? undefined : child(ice, "web-socket");
  expect(socket === undefined ? "" : attr(socket, "url")).toMatch(
    /^ws:\/\/192\.0\.2\.10:9090\/colibri-relay-ws\/box-1\/[0-9a-f]+\/box-2\?pwd=\w+$/,
  );
});
