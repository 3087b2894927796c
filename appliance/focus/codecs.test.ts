import { describe, expect, test } from "bun:test";
import { DEFAULT_CODECS, FEATURE, offeredDescription } from "./codecs.ts";

const all = new Set<string>([FEATURE.rtx, FEATURE.transportCc, FEATURE.remb, FEATURE.red]);
const ids = (media: "audio" | "video", features: ReadonlySet<string>, change = {}): string =>
  offeredDescription(media, features, { ...DEFAULT_CODECS, ...change })
    .payloadTypes.map((each) => `${each.id}:${each.name}`)
    .join(" ");

describe("payload types (signaling.md 4.2)", () => {
  test.each([
    ["audio", all, {}, "111:opus 126:telephone-event"],
    ["audio", all, { audioRed: true }, "112:red 111:opus 126:telephone-event"],
    ["audio", new Set<string>(), { audioRed: true }, "111:opus 126:telephone-event"],
    ["video", all, {}, "41:AV1 100:VP8 107:H264 101:VP9 42:rtx 96:rtx 97:rtx 99:rtx"],
    ["video", new Set<string>(), {}, "41:AV1 100:VP8 107:H264 101:VP9"],
    ["video", all, { video: ["VP8"] }, "100:VP8 96:rtx"],
    ["video", all, { video: ["H264", "VP8"] }, "107:H264 100:VP8 96:rtx 99:rtx"],
  ] as const)("%s %p %p", (media, features, change, expected) => expect(ids(media, features, change)).toBe(expected));

  test("in-band FEC is left out beside RED", () => {
    const opus = (audioRed: boolean) =>
      offeredDescription("audio", all, { ...DEFAULT_CODECS, audioRed }).payloadTypes.find((each) => each.id === 111)
        ?.parameters;
    expect(opus(false)).toEqual([
      { name: "minptime", value: "10" },
      { name: "useinbandfec", value: "1" },
    ]);
    expect(opus(true)).toEqual([{ name: "minptime", value: "10" }]);
  });

  test("REMB only where there is no transport-wide feedback", () => {
    const feedback = (features: readonly string[]) =>
      offeredDescription("video", new Set(features), DEFAULT_CODECS).payloadTypes[0]?.feedback.map((each) => each.type);
    expect(feedback([FEATURE.transportCc, FEATURE.remb])).toEqual(["ccm", "nack", "nack", "transport-cc"]);
    expect(feedback([FEATURE.remb])).toEqual(["ccm", "nack", "nack", "goog-remb"]);
    expect(feedback([])).toEqual(["ccm", "nack", "nack"]);
  });

  test("header extensions", () => {
    const extensions = (media: "audio" | "video", features: ReadonlySet<string>, change = {}) =>
      offeredDescription(media, features, { ...DEFAULT_CODECS, ...change }).headerExtensions.map((each) => each.id);
    expect(extensions("audio", all)).toEqual([1, 5]);
    expect(extensions("video", all)).toEqual([11, 3, 5]);
    expect(extensions("video", new Set())).toEqual([11, 3]);
    expect(extensions("video", all, { mid: true, videoLayersAllocation: true })).toEqual([11, 10, 3, 5, 12]);
    expect(extensions("video", all, { video: ["VP8"] })).toEqual([3, 5]);
  });
});
