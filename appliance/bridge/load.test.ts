/** A loaded bridge as its clients and its brewery see it: smaller pictures, then fewer; statistics; all of it back. */
import { expect, test } from "bun:test";
import type { Millis } from "../time.ts";
import { parseChannelPath } from "./channel-path.ts";
import type { MediaStatistics } from "./media-commands.ts";
import { NO_STATISTICS, TestBridge, textsTo, WALL } from "./test-bridge.ts";

const RTP = "xmlns='urn:xmpp:jingle:apps:rtp:1'";
const SSMA = "xmlns='urn:xmpp:jingle:apps:rtp:ssma:0'";
const MEDIA = `<media type='video'><payload-type ${RTP} id='100' name='VP8' clockrate='90000'/></media>`;

const statistics = (load: number, packetsSent: number): MediaStatistics => ({ ...NO_STATISTICS, packetsSent, load });

/** Three people with cameras who want each other in 720 lines, channels open. */
function meeting(settings: ConstructorParameters<typeof TestBridge>[0] = {}) {
  const bridge = new TestBridge(settings).join();
  const ids = ["a", "b", "c"];
  const channels = new Map<string, number>();
  for (const [at, id] of ids.entries()) {
    const modify = (inner: string, attributes = ""): string =>
      `<conference-modify xmlns='jitsi:colibri2' meeting-id='m1'${attributes}>${inner}</conference-modify>`;
    const create = at === 0 ? " create='true'" : "";
    bridge.ask(
      modify(
        `<endpoint id='${id}' create='true'><capability name='source-names'/>${MEDIA}<transport/></endpoint>`,
        create,
      ),
    );
    bridge.ask(
      modify(
        `<endpoint id='${id}'><sources><media-source type='video' id='${id}-v0'><source ${SSMA} ssrc='${at + 1}' name='${id}-v0'/></media-source></sources></endpoint>`,
      ),
    );
    const [conference] = bridge.bridge.conferences;
    const secret = conference?.endpoints.get(id)?.channelSecret ?? "";
    const path = parseChannelPath(`/colibri-ws/jvb1/${conference?.id ?? ""}/${id}`, `pwd=${secret}`);
    if (path === undefined) throw new Error("no channel path");
    const channel = bridge.bridge.context.newChannel();
    channels.set(id, channel);
    bridge.bridge.channelOpened(bridge.now, channel, path);
  }
  for (const channel of channels.values())
    bridge.bridge.channelText(
      bridge.now,
      channel,
      JSON.stringify({ colibriClass: "ReceiverVideoConstraints", lastN: -1, defaultConstraints: { maxHeight: 720 } }),
    );
  bridge.take();
  let sent = 0;
  /** Reports of so many seconds, one in five; what the client `a` is told meanwhile. */
  const run = (seconds: number, load: number): Record<string, unknown>[] => {
    const told: Record<string, unknown>[] = [];
    for (let second = 0; second < seconds; second += 5) {
      bridge.now = (bridge.now + 5_000) as Millis;
      sent += 50_000;
      const actions = bridge.events(
        { type: "activity", idleMs: [0, 1, 2].map((index) => [index, 0] as const) },
        { type: "statistics", statistics: statistics(load, sent) },
      );
      told.push(...textsTo(actions, channels.get("a") ?? 0));
    }
    return told;
  };
  const heights = (told: readonly Record<string, unknown>[]): unknown[] =>
    told.filter((each) => each["colibriClass"] === "SenderSourceConstraints").map((each) => each["maxHeight"]);
  const forwarded = (told: readonly Record<string, unknown>[]): unknown =>
    told.findLast((each) => each["colibriClass"] === "ForwardedSources")?.["forwardedSources"];
  const stat = (name: string) => bridge.bridge.stats(WALL).get(name);
  return { bridge, run, heights, forwarded, stat };
}

test("senders are told smaller heights step by step, receivers lose pictures last, and all comes back", () => {
  const { run, heights, forwarded, stat } = meeting();
  expect(stat("parley_cameras")).toBe(6);
  expect(heights(run(60, 0.5))).toEqual([]);
  const smaller = run(60, 0.75); // of a thread: 0.83 of what the bridge calls full
  expect(heights(smaller)).toEqual([360, 180]);
  expect(forwarded(smaller)).toBeUndefined();
  expect(stat("parley_quality_step")).toBe(2);
  const fewer = run(120, 0.95);
  expect(forwarded(fewer)).toHaveLength(1);
  expect(stat("parley_cameras")).toBe(3);
  expect(stat("stress_level")).toBeCloseTo(0.95 / 0.9);
  const back = run(200, 0.1);
  expect(heights(back)).toEqual([360, 720]);
  expect(forwarded(back)).toHaveLength(2);
  expect(stat("parley_quality_step")).toBe(0);
});

test("a pinned number of cameras is the stress, and the room that is left is published", () => {
  const { stat } = meeting({ maxCameras: 8 });
  expect(stat("stress_level")).toBe(0.75);
  expect(stat("parley_max_cameras")).toBe(8);
  expect(stat("parley_camera_room")).toBe(2);
});

test("what was measured at start is published: who encrypts, and what the machine carries; no room before it is known", () => {
  const { stat } = meeting({
    microsPerPacket: 6,
    srtp: {
      AEAD_AES_128_GCM: { name: "libcrypto", microsPerPacket: 0.512 },
      AES128_CM_HMAC_SHA1_80: { name: "scalar", microsPerPacket: 9.018 },
    },
  });
  expect(stat("parley_srtp_aead_aes_128_gcm")).toBe("libcrypto");
  expect(stat("parley_srtp_aead_aes_128_gcm_micros")).toBe(0.51);
  expect(stat("parley_srtp_aes128_cm_hmac_sha1_80")).toBe("scalar");
  expect(stat("parley_max_cameras")).toBe(1_000);
  expect(stat("parley_camera_room")).toBeUndefined();
});
