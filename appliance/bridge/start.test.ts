/**
 * One bridge with real sockets: media peers of our own connect over loopback, are driven by colibri2, and must hear and see each other.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { loopbackBridge } from "../../tests/bridge-config.ts";
import { BridgeFocus } from "../../tests/bridge-focus.ts";
import { MediaPeer, type MediaPeerOptions, until } from "../../tests/media-peer.ts";
import { cameraEncodings } from "../../tests/media-peer-media.ts";
import { browserDataChannel } from "../../tests/media-peer-sctp.ts";
import { armGuard, disarmGuard, useRealTime } from "../../tests/real-time.ts";
import type { BridgeConfig } from "../config.ts";
import { silentLogger } from "../log.ts";
import { Metrics } from "../metrics.ts";
import type { RunningPart } from "../part.ts";
import { endpoint as plainEndpoint } from "../wire/colibri2.ts";
import { pinnedProvider } from "./media-loop/test-provider.ts";
import { startBridge } from "./start.ts";

useRealTime();

const config = loopbackBridge({ srtpProvider: pinnedProvider() });

let bridge: RunningPart;
beforeAll(async () => {
  bridge = await startBridge(config, { log: silentLogger, metrics: new Metrics() });
});
afterAll(async () => {
  disarmGuard(); // the guard's own hook comes before this one
  await bridge.stop(2_000);
  armGuard();
});

/** A camera of a fifth of the usual bitrates: several peers share this test's one thread. */
const small = (id: string, ssrc: number): MediaPeerOptions => ({ id, ssrc, encodings: cameraEncodings(ssrc + 1, 0.2) });

let meetings = 0;
async function meeting(work: (focus: BridgeFocus) => Promise<void>): Promise<void> {
  const focus = new BridgeFocus(bridge.ports, `meeting-${++meetings}`);
  try {
    await work(focus);
  } finally {
    await focus.stop();
  }
}

const everything = {
  colibriClass: "ReceiverVideoConstraints",
  lastN: -1,
  defaultConstraints: { maxHeight: 720 },
} as const;

describe("a meeting of three", () => {
  test(
    "everybody hears and sees everybody, in the asked for quality, without a gap",
    () =>
      meeting(async (focus) => {
        const ids = ["aaaaaaaa", "bbbbbbbb", "cccccccc"];
        const peers = await Promise.all([
          focus.join(small("aaaaaaaa", 1000)),
          new Promise((resolve) => setTimeout(resolve, 50)).then(() => focus.join(small("bbbbbbbb", 2000))),
          new Promise((resolve) => setTimeout(resolve, 100)).then(() => focus.join(small("cccccccc", 3000))),
        ]);
        for (const peer of peers) {
          expect(peer.messages[0]).toEqual({ colibriClass: "ServerHello" });
          peer.say(everything);
          peer.startMedia({ audioLevel: 20 });
        }
        const [a, b, c] = peers;
        if (a === undefined || b === undefined || c === undefined) throw new Error("no peers");
        for (const peer of peers)
          for (const other of peers) {
            if (other === peer) continue;
            await until(`${peer.id} hears ${other.id}`, () => (peer.reception(other.audioSsrc)?.packets ?? 0) > 100);
            const primary = other.encodings[0]?.ssrc ?? 0;
            await until(`${peer.id} sees ${other.id} at 720`, () => peer.reception(primary)?.height === 720);
            const video = peer.reception(primary);
            expect(peer.reception(other.audioSsrc)?.lost).toBe(0);
            expect(video?.lost).toBe(0);
            expect(video?.duplicates).toBe(0);
            expect(video?.pictureGaps).toBe(0);
          }
        for (const peer of peers) {
          expect(peer.last("SenderSourceConstraints")).toMatchObject({ sourceName: `${peer.id}-v0`, maxHeight: 720 });
          expect([...(peer.last("ForwardedSources")?.forwardedSources ?? [])].sort()).toEqual(
            ids.filter((id) => id !== peer.id).map((id) => `${id}-v0`),
          );
          // Nobody hears or sees himself.
          expect(peer.reception(peer.audioSsrc)).toBeUndefined();
        }

        // Smaller: the stream goes on under the same SSRC without a gap.
        const primary = b.encodings[0]?.ssrc ?? 0;
        const before = a.reception(primary)?.frames ?? 0;
        a.say({ ...everything, defaultConstraints: { maxHeight: 180 } });
        c.say({ ...everything, defaultConstraints: { maxHeight: 180 } });
        await until("a sees b at 180", () => a.reception(primary)?.height === 180);
        await until("and goes on", () => (a.reception(primary)?.frames ?? 0) > before + 30);
        expect(a.reception(primary)).toMatchObject({ lost: 0, pictureGaps: 0 });
        await until("b is told", () => b.last("SenderSourceConstraints")?.maxHeight === 180);

        // Nothing any more: b is told to stop.
        a.say({ ...everything, lastN: 0 });
        c.say({ ...everything, lastN: 0 });
        await until("b may stop", () => b.last("SenderSourceConstraints")?.maxHeight === 0);
        expect(a.last("ForwardedSources")?.forwardedSources).toEqual([]);
      }),
    30_000,
  );

  test(
    "the dominant speaker, mutes and messages",
    () =>
      meeting(async (focus) => {
        const a = await focus.join(small("aaaaaaaa", 1000));
        const b = await focus.join(small("bbbbbbbb", 2000));
        for (const peer of [a, b]) peer.startMedia({ audioLevel: 15, video: false });
        await until("somebody is dominant", () => a.last("DominantSpeakerEndpointChangeEvent") !== undefined);
        for (const speaker of [a, b]) {
          speaker.setAudioLevel(110);
          await until(
            `${speaker.id} is dominant`,
            () => b.last("DominantSpeakerEndpointChangeEvent")?.dominantSpeakerEndpoint === speaker.id,
          );
          speaker.setAudioLevel(15);
        }
        a.say({
          colibriClass: "EndpointMessage",
          to: "",
          msgPayload: { hello: 1 },
          raw: { colibriClass: "EndpointMessage", to: "", from: "forged", msgPayload: { hello: 1 } },
        });
        await until("the message", () => b.last("EndpointMessage") !== undefined);
        expect(b.last("EndpointMessage")).toMatchObject({ from: "aaaaaaaa", msgPayload: { hello: 1 } });

        await focus.modify({
          endpoints: [
            {
              id: "aaaaaaaa",
              create: false,
              expire: false,
              media: [],
              capabilities: [],
              forceMute: { audio: true, video: false },
            },
          ],
        });
        await until("b hears nothing more", () => {
          const last = b.reception(1000)?.lastAtMs ?? 0;
          return performance.now() - last > 300;
        });
        b.say({ colibriClass: "ReceiverAudioSubscription", all: true, include: [], exclude: [] });
        await focus.modify({
          endpoints: [
            {
              id: "aaaaaaaa",
              create: false,
              expire: false,
              media: [],
              capabilities: [],
              forceMute: { audio: false, video: false },
            },
          ],
        });
        await until("and hears again", () => performance.now() - (b.reception(1000)?.lastAtMs ?? 0) < 100);
        b.say({ colibriClass: "ReceiverAudioSubscription", all: false, include: [], exclude: [] });
        await until("b wants to hear nobody", () => performance.now() - (b.reception(1000)?.lastAtMs ?? 0) > 300);
      }),
    30_000,
  );

  test(
    "loss both ways is mended",
    () =>
      meeting(async (focus) => {
        const a = await focus.join(small("aaaaaaaa", 1000));
        const b = await focus.join(small("bbbbbbbb", 2000));
        for (const peer of [a, b]) {
          peer.say({ ...everything, defaultConstraints: { maxHeight: 360 } });
          peer.startMedia();
        }
        await until("video", () => (b.reception(1001)?.frames ?? 0) > 30);
        a.lossOut = 0.15;
        b.lossIn = 0.15;
        const before = b.reception(1001)?.frames ?? 0;
        await until("two seconds with loss", () => (b.reception(1001)?.frames ?? 0) > before + 60, 15_000);
        a.lossOut = 0;
        b.lossIn = 0;
        await until("all gaps are closed", () => (b.reception(1001)?.lost ?? 1) <= 1, 5_000);
        expect(b.reception(1001)?.recovered).toBeGreaterThan(0);
        expect(a.video.reduce((sum, each) => sum + each.retransmissions, 0)).toBeGreaterThan(0);
      }),
    30_000,
  );

  test(
    "a visitor hears and sees, and is neither heard nor seen",
    () =>
      meeting(async (focus) => {
        const a = await focus.join(small("aaaaaaaa", 1000));
        const v = await focus.join({ ...small("dddddddd", 4000), mucRole: "visitor" });
        for (const peer of [a, v]) {
          peer.say(everything);
          peer.startMedia({ audioLevel: 50 });
        }
        await until("the visitor sees", () => (v.reception(1001)?.frames ?? 0) > 10);
        await until("the visitor hears", () => (v.reception(1000)?.packets ?? 0) > 50);
        expect([...a.received.keys()]).toEqual([]);
      }),
    30_000,
  );

  test(
    "SSRC rewriting: the map comes before the first packet, and packets come under the mapped SSRCs only",
    () =>
      meeting(async (focus) => {
        const a = await focus.join(small("aaaaaaaa", 1000));
        const r = await focus.join({ ...small("eeeeeeee", 5000), capabilities: ["source-names", "ssrc-rewriting"] });
        const mapped = new Map<number, string>();
        r.onMessage = (message) => {
          if (message.colibriClass !== "VideoSourcesMap" && message.colibriClass !== "AudioSourcesMap") return;
          for (const each of message.mappedSources) {
            expect(r.received.has(each.ssrc)).toBe(false);
            mapped.set(each.ssrc, each.source);
            if ("rtx" in each) r.rtxOf.set(each.rtx, each.ssrc);
          }
        };
        r.say(everything);
        a.say(everything);
        a.startMedia({ audioLevel: 60 });
        await until("audio and video mapped", () => mapped.size === 2);
        const ssrcOf = (name: string): number => [...mapped].find(([, source]) => source === name)?.[0] ?? 0;
        await until("video", () => r.reception(ssrcOf("aaaaaaaa-v0"))?.height === 720);
        await until("audio", () => (r.reception(ssrcOf("aaaaaaaa-a0"))?.packets ?? 0) > 50);
        for (const ssrc of r.received.keys()) expect(mapped.has(ssrc)).toBe(true);
        expect(r.reception(ssrcOf("aaaaaaaa-v0"))).toMatchObject({ lost: 0, pictureGaps: 0 });
      }),
    30_000,
  );
});

test(
  "ICE restart from an unchanged address: new credentials, no packet lost",
  () =>
    meeting(async (focus) => {
      const a = await focus.join(small("aaaaaaaa", 1000));
      const b = await focus.join(small("bbbbbbbb", 2000));
      a.startMedia({ audioLevel: 50, video: false });
      await until("b hears a", () => (b.reception(1000)?.packets ?? 0) > 20);
      for (const generation of [1, 2]) {
        const selections = a.selections;
        const ice = await focus.allocate(
          plainEndpoint("aaaaaaaa", { transport: { iceControlling: false, useUniquePort: false, iceRestart: true } }),
        );
        expect(ice.iceGeneration).toBe(generation);
        const answer = a.restartIce(ice);
        await focus.modify({
          endpoints: [
            plainEndpoint("aaaaaaaa", {
              transport: { iceControlling: false, useUniquePort: false, iceRestart: false, ice: answer },
            }),
          ],
        });
        await until("the new pair", () => a.selections > selections);
        const packets = b.reception(1000)?.packets ?? 0;
        await until("media on it", () => (b.reception(1000)?.packets ?? 0) > packets + 25);
      }
      expect(b.reception(1000)?.lost).toBe(0);
    }),
  20_000,
);

test.each([
  ["WebSocket", false],
  ["SCTP", true],
])(
  "one conference over two bridges, linked by %s: heard and seen across, messages too",
  async (_, sctp) => {
    const start = (serverId: string) =>
      startBridge({ ...config, serverId, sctp }, { log: silentLogger, metrics: new Metrics() });
    const [first, second] = [await start("box-1"), await start("box-2")];
    const one = new BridgeFocus(first.ports, "over-two");
    const two = new BridgeFocus(second.ports, "over-two");
    try {
      const a = await one.join(small("aaaaaaaa", 1000));
      const b = await two.join(small("bbbbbbbb", 2000));
      const c = await two.join(small("cccccccc", 3000));
      await one.relayTo(two, { own: "box-1", other: "box-2" }, sctp);
      for (const peer of [a, b]) {
        peer.say(everything);
        peer.startMedia({ audioLevel: 15 });
      }
      for (const [receiver, sender] of [
        [a, b],
        [b, a],
      ] as const) {
        await until(`${receiver.id} hears`, () => (receiver.reception(sender.audioSsrc)?.packets ?? 0) > 50);
        await until(
          `${receiver.id} sees 720`,
          () => receiver.reception(sender.encodings[0]?.ssrc ?? 0)?.height === 720,
        );
        expect(receiver.reception(sender.audioSsrc)?.lost).toBe(0);
      }
      a.say({
        colibriClass: "EndpointMessage",
        to: "",
        msgPayload: { over: "there" },
        raw: { colibriClass: "EndpointMessage", to: "", msgPayload: { over: "there" } },
      });
      await until("the message crosses", () => b.last("EndpointMessage") !== undefined);
      expect(b.last("EndpointMessage")).toMatchObject({ from: "aaaaaaaa" });
      // Who speaks is heard on both sides.
      for (const speaker of [b, a]) {
        speaker.setAudioLevel(110);
        for (const listener of [a, c])
          await until(
            `${listener.id} learns that ${speaker.id} speaks`,
            () => listener.last("DominantSpeakerEndpointChangeEvent")?.dominantSpeakerEndpoint === speaker.id,
          );
        speaker.setAudioLevel(15);
      }

      // Simulcast travels whole: over there each takes the encoding that suits it.
      c.say(everything);
      b.say({ ...everything, defaultConstraints: { maxHeight: 180 } });
      await until("b sees 180", () => b.reception(1001)?.height === 180);
      await until("c sees 720", () => c.reception(1001)?.height === 720);
      expect(a.last("SenderSourceConstraints")?.maxHeight).toBe(720);
      c.say({ ...everything, lastN: 0 });
      await until("a is told what the other side wants", () => a.last("SenderSourceConstraints")?.maxHeight === 180);
      expect(b.reception(1001)?.lost).toBe(0);
    } finally {
      await one.stop();
      await two.stop();
      await Promise.all([first.stop(1_000), second.stop(1_000)]);
    }
  },
  30_000,
);

test("several conferences between the same two bridges do not meet on one address", async () => {
  const second = await startBridge({ ...config, serverId: "box-2" }, { log: silentLogger, metrics: new Metrics() });
  const stops: (() => Promise<void>)[] = [() => second.stop(1_000)];
  const listeners: MediaPeer[] = [];
  try {
    for (let round = 0; round < 3; round++) {
      const one = new BridgeFocus(bridge.ports, `shared-${round}`);
      const two = new BridgeFocus(second.ports, `shared-${round}`);
      stops.unshift(
        () => one.stop(),
        () => two.stop(),
      );
      const a = await one.join({ id: "aaaaaaaa", ssrc: 1000, encodings: [] });
      const b = await two.join({ id: "bbbbbbbb", ssrc: 2000, encodings: [] });
      await one.relayTo(two, { own: "box-1", other: "box-2" });
      a.startMedia({ audioLevel: 30 + round });
      await until(`round ${round}: b hears a`, () => (b.reception(1000)?.packets ?? 0) > 25);
      listeners.push(b);
    }
    // The earlier ones go on.
    const before = listeners.map((each) => each.reception(1000)?.packets ?? 0);
    await until("everybody is still heard", () =>
      listeners.every((each, i) => (each.reception(1000)?.packets ?? 0) > (before[i] ?? 0) + 25),
    );
  } finally {
    for (const stop of stops) await stop();
  }
}, 30_000);

test(
  "an export hears the conference: header, start, media, pings, and the end",
  () =>
    meeting(async (focus) => {
      const heard: Record<string, unknown>[] = [];
      let authorization: string | null = null;
      const recorder = Bun.serve({
        hostname: "127.0.0.1",
        port: 0,
        fetch(request, server) {
          authorization = request.headers.get("authorization");
          return server.upgrade(request) ? undefined : new Response("", { status: 400 });
        },
        websocket: {
          message(socket, message) {
            const event = JSON.parse(String(message)) as Record<string, unknown>;
            heard.push(event);
            if (event["event"] === "ping") socket.send(JSON.stringify({ event: "pong", id: event["id"] }));
          },
        },
      });
      try {
        const a = await focus.join({ id: "aaaaaaaa", ssrc: 1000, encodings: [] });
        const b = await focus.join({ id: "bbbbbbbb", ssrc: 2000, encodings: [] });
        const connect = {
          id: "rec1",
          create: true,
          url: `ws://127.0.0.1:${recorder.port}/meet`,
          protocol: "mediajson",
          type: "recorder",
          audio: true,
          headers: { Authorization: "Bearer x" },
          ping: { interval: 1000, timeout: 500 },
        };
        expect(await focus.connects(connect)).toBe(200);
        expect(await focus.connects(connect)).toBe(400);
        for (const peer of [a, b]) peer.startMedia({ audioLevel: 60 });
        const of = (event: string, tag: string): Record<string, unknown>[] =>
          heard.filter((each) => each["event"] === event && (each[event] as { tag?: string } | undefined)?.tag === tag);
        for (const tag of ["aaaaaaaa-a0", "bbbbbbbb-a0"]) {
          await until(`media of ${tag}`, () => of("media", tag).length > 30);
          expect(of("start", tag)).toMatchObject([
            {
              start: {
                mediaFormat: { encoding: "opus", sampleRate: 48_000, channels: 2 },
                customParameters: { endpointId: tag.slice(0, 8) },
              },
            },
          ]);
          const media = of("media", tag)[1]?.["media"] as Record<string, string> | undefined;
          expect(media).toMatchObject({ chunk: "2" });
          expect(Buffer.from(media?.["payload"] ?? "", "base64").every((byte) => byte === 0x5a)).toBe(true);
        }
        expect(authorization as string | null).toBe("Bearer x");
        await until("a ping", () => heard.some((each) => each["event"] === "ping"));
        expect(heard.map((each) => Number(each["sequenceNumber"]))).toEqual(heard.map((_, i) => i + 1));
        // One microphone only, from now on.
        expect(await focus.connects({ id: "rec1", exports: ["bbbbbbbb-a0"] })).toBe(200);
        await until("a is heard no more", () => {
          const before = of("media", "bbbbbbbb-a0").length;
          return (
            heard.slice(-20).every((each) => (each["media"] as { tag?: string } | undefined)?.tag !== "aaaaaaaa-a0") &&
            before > 0
          );
        });
        expect(await focus.connects({ id: "rec1", expire: true })).toBe(200);
        await until("the end", () => heard.at(-1)?.["event"] === "session-end");
      } finally {
        await recorder.stop(true);
      }
    }),
  20_000,
);

test(
  "a recorder of our own gets pictures too: from a key frame on, in order, with the wall clock of sound and picture, as high as it asked for",
  () =>
    meeting(async (focus) => {
      const heard: Record<string, Record<string, unknown>>[] = [];
      const recorder = Bun.serve({
        hostname: "127.0.0.1",
        port: 0,
        fetch: (request, server) => (server.upgrade(request) ? undefined : new Response("", { status: 400 })),
        websocket: { message: (_, message) => void heard.push(JSON.parse(String(message))) },
      });
      const of = (event: string, tag: string): Record<string, unknown>[] =>
        heard.flatMap((each) => (each[event]?.["tag"] === tag ? [each[event]] : []));
      try {
        const a = await focus.join({ id: "aaaaaaaa", ssrc: 1000 });
        a.startMedia({ audioLevel: 60 });
        expect(
          await focus.connects({
            id: "rec1",
            create: true,
            url: `ws://127.0.0.1:${recorder.port}/`,
            protocol: "mediajson",
            type: "recorder",
            audio: true,
            parley_video: true,
            parley_max_height: 180,
          }),
        ).toBe(200);
        await until("pictures", () => of("media", "aaaaaaaa-v0").length > 60);
        // Nobody else watches: the recorder's wish is the sender's limit.
        await until("the sender's limit", () =>
          a.messages.some((each) => each.colibriClass === "SenderSourceConstraints" && each.maxHeight === 180),
        );
        expect(of("start", "aaaaaaaa-v0")).toMatchObject([
          {
            mediaFormat: { encoding: "vp8", sampleRate: 90_000 },
            customParameters: { endpointId: "aaaaaaaa", parley_video_type: "camera" },
          },
        ]);
        const media = of("media", "aaaaaaaa-v0") as Record<string, string>[];
        const numbers = media.map((each) => Number(each["parley_sequence"]));
        expect(numbers.every((each, i) => i === 0 || ((each - (numbers[i - 1] ?? 0)) & 0xffff) === 1)).toBe(true);
        expect(media.some((each) => String(each["parley_marker"]) === "true")).toBe(true);
        // VP8 (RFC 7741 §4.2, §4.3): descriptor with S set, then the payload header whose lowest bit is 0 in a key frame.
        const first = Buffer.from(media[0]?.["payload"] ?? "", "base64");
        expect([(first[0] ?? 0) & 0x10, keyFrameBit(first)]).toEqual([0x10, 0]);
        await until(
          "both clocks",
          () => of("parley_clock", "aaaaaaaa-v0").length > 0 && of("parley_clock", "aaaaaaaa-a0").length > 0,
        );
        for (const tag of ["aaaaaaaa-v0", "aaaaaaaa-a0"])
          expect(Math.abs(Number(of("parley_clock", tag)[0]?.["epochMs"]) - Date.now())).toBeLessThan(60_000);
        // A source that is taken away ends.
        await focus.modify({ endpoints: [plainEndpoint("aaaaaaaa", { sources: [] })] });
        await until("the end of it", () => of("stop", "aaaaaaaa-v0").length > 0);
      } finally {
        await recorder.stop(true);
      }
    }),
  30_000,
);

/** The inverse key frame flag behind a VP8 payload descriptor with extension, picture id, TL0PICIDX and layer byte as they come. */
function keyFrameBit(payload: Buffer): number {
  let at = 1;
  const extended = ((payload[0] ?? 0) & 0x80) !== 0;
  if (extended) {
    const flags = payload[1] ?? 0;
    at = 2;
    if ((flags & 0x80) !== 0) at += ((payload[at] ?? 0) & 0x80) !== 0 ? 2 : 1;
    if ((flags & 0x40) !== 0) at += 1;
    if ((flags & 0x30) !== 0) at += 1;
  }
  return (payload[at] ?? 0) & 1;
}

test("the channel over SCTP: the same messages, without a greeting", async () => {
  const second = await startBridge({ ...config, sctp: true }, { log: silentLogger, metrics: new Metrics() });
  const focus = new BridgeFocus(second.ports, "sctp");
  try {
    const a = await focus.join({ ...small("aaaaaaaa", 1000), dataChannel: browserDataChannel });
    const b = await focus.join(small("bbbbbbbb", 2000));
    for (const peer of [a, b]) {
      peer.say(everything);
      peer.startMedia({ audioLevel: 50 });
    }
    await until("a sees b", () => a.reception(2001)?.height === 720);
    await until("a may send", () => a.last("SenderSourceConstraints")?.maxHeight === 720);
    expect(a.messages.some((each) => each.colibriClass === "ServerHello")).toBe(false);
    const payload = { text: "x".repeat(20_000) };
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      from.say({
        colibriClass: "EndpointMessage",
        to: to.id,
        msgPayload: payload,
        raw: { colibriClass: "EndpointMessage", to: to.id, msgPayload: payload },
      });
      await until("a long message", () => to.last("EndpointMessage") !== undefined);
      expect(to.last("EndpointMessage")).toMatchObject({ from: from.id, msgPayload: payload });
    }
    expect(await focus.get("/colibri/stats")).toMatchObject({ dtls_failed_endpoints: 0 });
  } finally {
    await focus.stop();
    await second.stop(1_000);
  }
}, 20_000);

test("a taken port is a clear refusal, and leaves nothing open", async () => {
  const environment = { log: silentLogger, metrics: new Metrics() };
  const at = (port: number | undefined) => ({ host: "127.0.0.1", port: port ?? 0 });
  const attempts: BridgeConfig[] = [
    { ...config, colibri: at(bridge.ports["colibri"]) },
    { ...config, http: at(bridge.ports["bridgeHttp"]) },
    { ...config, mediaPort: bridge.ports["media"] ?? 0 },
  ];
  for (const attempt of attempts)
    await expect(startBridge(attempt, environment)).rejects.toThrow(/in use|taken|EADDRINUSE/i);
  // Whoever was refused holds no port: a free one is still to be had.
  const other = await startBridge(config, environment);
  await other.stop(500);
}, 20_000);

describe("the channel", () => {
  test("refusals, replacement, end", () =>
    meeting(async (focus) => {
      const a = await focus.join(small("aaaaaaaa", 1000));
      const conference = Object.keys((await focus.get("/debug"))["conferences"] as object)[0] ?? "";
      const base = `http://127.0.0.1:${bridge.ports["colibri"] ?? 0}`;
      const upgrade = {
        connection: "Upgrade",
        upgrade: "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
      };
      const status = async (path: string): Promise<number> => (await fetch(base + path, { headers: upgrade })).status;
      expect(await status("/")).toBe(404);
      expect(await status(`/colibri-ws/box-1/${conference}`)).toBe(404);
      expect(await status(`/colibri-ws/box-2/${conference}/aaaaaaaa?pwd=x`)).toBe(404);
      expect(await status(`/colibri-ws/box-1/${conference}/aaaaaaaa?pwd=wrong`)).toBe(403);
      expect(await status(`/colibri-ws/box-1/${conference}/aaaaaaaa`)).toBe(403);
      expect(await status(`/colibri-ws/box-1/${conference}/nosuch?pwd=x`)).toBe(403);
      expect(await status(`/colibri-ws/box-1/0000/aaaaaaaa?pwd=x`)).toBe(403);

      a.sayText("not json");
      a.sayText('{"colibriClass":"NoSuchClass"}');
      a.sayText('{"colibriClass":"ReceiverVideoConstraints","lastN":"many"}');
      a.say({ colibriClass: "ClientHello" });
      await until(
        "a second hello",
        () => a.messages.filter((each) => each.colibriClass === "ServerHello").length === 2,
      );

      await focus.expire("aaaaaaaa");
      await until("goodbye", () => a.closed.length === 1);
      expect(a.closed[0]).toEqual({ code: 1001, reason: "endpoint closed" });
    }));
});

test("garbage on the media port is dropped, counted, and changes nothing", () =>
  meeting(async (focus) => {
    const a = await focus.join(small("aaaaaaaa", 1000));
    const b = await focus.join(small("bbbbbbbb", 2000));
    a.startMedia({ audioLevel: 40, video: false });
    const stranger = await MediaPeer.open({ id: "x", ssrc: 9000 });
    const port = bridge.ports["media"] ?? 0;
    const socket = await Bun.udpSocket({ socket: { error() {} } });
    let seed = 42;
    const next = (): number => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      return seed >>> 24;
    };
    for (let i = 0; i < 2_000; i++) {
      const bytes = Uint8Array.from({ length: 8 + (next() % 200) }, next);
      if (i % 3 === 0) bytes.set([0x00, 0x01, 0x00, 0x08, 0x21, 0x12, 0xa4, 0x42]);
      socket.send(bytes, port, "127.0.0.1");
      if (i % 4 === 0) a.sendRaw(bytes);
    }
    await until("b hears a all the same", () => (b.reception(1000)?.packets ?? 0) > 50);
    const dump = await focus.get("/debug?full=true");
    const dropped = dump["parley_dropped"] as Record<string, number>;
    expect(Object.values(dropped).reduce((sum, each) => sum + each, 0)).toBeGreaterThan(0);
    expect(bridge.health()).toContain("127.0.0.1:1");
    socket.close();
    stranger.close();
  }));
