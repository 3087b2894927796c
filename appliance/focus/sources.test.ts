import { describe, expect, test } from "bun:test";
import type { EndpointSources, Source } from "../wire/sources.ts";
import { ConferenceSources, difference, isRefusal, stripSimulcast } from "./sources.ts";

const LIMITS = { ssrcs: 20, groups: 20 };
const video = (ssrc: number, msid: string | undefined = "a-video track"): Source => ({
  ssrc,
  mediaType: "video",
  name: "a-v0",
  ...(msid !== undefined ? { msid } : {}),
});
const audio = (ssrc: number, msid = "a-audio track"): Source => ({ ssrc, mediaType: "audio", name: "a-a0", msid });
const sim = (...ssrcs: number[]) => ({ mediaType: "video" as const, semantics: "SIM" as const, ssrcs });
const fid = (...ssrcs: number[]) => ({ mediaType: "video" as const, semantics: "FID" as const, ssrcs });

const camera: EndpointSources = {
  sources: [1, 2, 3, 11, 12, 13].map((ssrc) => video(ssrc)),
  groups: [fid(1, 11), sim(1, 2, 3), fid(2, 12), fid(3, 13)],
};

describe("what is refused, all or nothing (signaling.md 4.4)", () => {
  const many = (count: number): EndpointSources => ({
    sources: Array.from({ length: count }, (_, i) => audio(i + 1, `s${i} t`)),
    groups: [],
  });
  const cases: readonly [string, EndpointSources, boolean][] = [
    ["a simulcast camera", camera, true],
    ["nothing", { sources: [], groups: [] }, true],
    ["audio and video", { sources: [audio(1), video(2)], groups: [] }, true],
    ["20 SSRCs", many(20), true],
    ["21 SSRCs", many(21), false],
    ["the same SSRC twice", { sources: [audio(1), audio(1, "b t")], groups: [] }, false],
    ["a group of unknown SSRCs", { sources: [video(1)], groups: [fid(1, 2)] }, false],
    ["a FID of one", { sources: [video(1)], groups: [fid(1)] }, false],
    ["a FID of three", { sources: [video(1), video(2), video(3)], groups: [fid(1, 2, 3)] }, false],
    [
      "a group without msid",
      {
        sources: [
          { ssrc: 1, mediaType: "video" },
          { ssrc: 2, mediaType: "video" },
        ],
        groups: [fid(1, 2)],
      },
      false,
    ],
    ["two msids in a group", { sources: [video(1, "x t"), video(2, "y t")], groups: [fid(1, 2)] }, false],
    ["one msid for two sources", { sources: [video(1), video(2)], groups: [] }, false],
    ["a group across media", { sources: [audio(1), audio(2)], groups: [fid(1, 2)] }, false],
    ["somebody else's source name", { sources: [{ ssrc: 1, mediaType: "audio", name: "b-a0" }], groups: [] }, false],
    ["no source name", { sources: [{ ssrc: 1, mediaType: "audio" }], groups: [] }, true],
  ];
  test.each(cases)("%s", (_, sources, accepted) => {
    const conference = new ConferenceSources(LIMITS);
    const before = conference.of("a");
    expect(isRefusal(conference.add("a", sources))).toBe(!accepted);
    if (!accepted) expect(conference.of("a")).toBe(before);
  });

  test("SSRCs and msids of others", () => {
    const conference = new ConferenceSources(LIMITS);
    conference.add("a", { sources: [audio(1)], groups: [] });
    const other = (ssrc: number, msid: string): EndpointSources => ({
      sources: [{ ssrc, mediaType: "audio", name: "b-a0", msid }],
      groups: [],
    });
    expect(isRefusal(conference.add("b", other(1, "b t")))).toBe(true);
    expect(isRefusal(conference.add("b", other(2, "a-audio track")))).toBe(true);
    expect(isRefusal(conference.add("b", other(2, "b t")))).toBe(false);
    conference.removeAll("a");
    expect(
      isRefusal(conference.add("c", { sources: [{ ssrc: 1, mediaType: "audio", msid: "a-audio track" }], groups: [] })),
    ).toBe(false);
  });

  test("removing what is not there", () => {
    const conference = new ConferenceSources(LIMITS);
    conference.add("a", camera);
    expect(isRefusal(conference.remove("a", { sources: [audio(99)], groups: [] }))).toBe(true);
    expect(isRefusal(conference.remove("a", { sources: [], groups: [fid(2, 11)] }))).toBe(true);
    expect(isRefusal(conference.remove("b", { sources: [video(1)], groups: [] }))).toBe(true);
    expect(conference.of("a").sources).toHaveLength(6);
  });

  test("groups go with their members", () => {
    const conference = new ConferenceSources(LIMITS);
    conference.add("a", camera);
    const left = conference.remove("a", { sources: [video(3), video(13)], groups: [] });
    expect(left).toMatchObject({ sources: { length: 4 }, groups: [fid(1, 11), fid(2, 12)] });
  });
});

test("simulcast is stripped to the first SSRC and its RTX", () => {
  expect(stripSimulcast(camera)).toEqual({ sources: [video(1), video(11)], groups: [fid(1, 11)] });
  const plain = { sources: [video(1), video(11)], groups: [fid(1, 11)] };
  expect(stripSimulcast(plain)).toBe(plain);
});

test("difference is by SSRC and group", () => {
  expect(difference(camera, { sources: [video(1), video(11)], groups: [fid(1, 11)] })).toEqual({
    sources: [video(2), video(3), video(12), video(13)],
    groups: [sim(1, 2, 3), fid(2, 12), fid(3, 13)],
  });
});
