import { describe, expect, test } from "bun:test";
import { acceptOf, ownSources, sourceChanges } from "./own-sources.ts";
import { readSdp } from "./sdp.ts";
import { activeLayers, withSimulcast } from "./simulcast.ts";

/** What Chromium answers, shortened. */
const ANSWER = [
  "v=0",
  "o=- 5 2 IN IP4 127.0.0.1",
  "s=-",
  "t=0 0",
  "a=group:BUNDLE 0 1",
  "m=audio 9 UDP/TLS/RTP/SAVPF 111",
  "c=IN IP4 0.0.0.0",
  "a=ice-ufrag:aX3d",
  "a=ice-pwd:pwpwpwpwpwpwpwpwpwpwpw",
  "a=fingerprint:sha-256 15:a9:64",
  "a=setup:active",
  "a=mid:0",
  "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
  "a=sendrecv",
  "a=rtcp-mux",
  "a=rtpmap:111 opus/48000/2",
  "a=rtcp-fb:111 transport-cc",
  "a=fmtp:111 minptime=10;useinbandfec=1",
  "a=ssrc:900 cname:abc",
  "m=video 9 UDP/TLS/RTP/SAVPF 100 96",
  "c=IN IP4 0.0.0.0",
  "a=ice-ufrag:aX3d",
  "a=ice-pwd:pwpwpwpwpwpwpwpwpwpwpw",
  "a=fingerprint:sha-256 15:a9:64",
  "a=setup:active",
  "a=mid:1",
  "a=sendrecv",
  "a=rtcp-mux",
  "a=rtpmap:100 VP8/90000",
  "a=rtcp-fb:100 nack pli",
  "a=rtpmap:96 rtx/90000",
  "a=fmtp:96 apt=100",
  "a=ssrc-group:FID 111 112",
  "a=ssrc:111 cname:abc",
  "a=ssrc:112 cname:abc",
  "",
].join("\r\n");

const counter = (from: number) => {
  let next = from;
  return () => next++;
};
const EVERYTHING = { microphone: true, camera: true, screen: undefined };

describe("simulcast in an answer", () => {
  test("two layers and their RTX are added to the camera's line", () => {
    const video = readSdp(withSimulcast(ANSWER, "1", counter(500)))[1];
    expect(video?.groups).toEqual([
      { semantics: "SIM", ssrcs: [111, 500, 501] },
      { semantics: "FID", ssrcs: [111, 112] },
      { semantics: "FID", ssrcs: [500, 502] },
      { semantics: "FID", ssrcs: [501, 503] },
    ]);
    expect(video?.ssrcs).toEqual([111, 112, 500, 502, 501, 503]);
    expect(video?.cname).toBe("abc");
  });

  test("new SSRCs avoid those in use", () => {
    const video = readSdp(withSimulcast(ANSWER, "1", counter(111)))[1];
    expect(new Set(video?.ssrcs).size).toBe(6);
  });

  test("done once: a line that has its group stays as it is", () => {
    const once = withSimulcast(ANSWER, "1", counter(500));
    expect(withSimulcast(once, "1", counter(900))).toBe(once);
  });

  test("a line that does not send stays as it is", () => {
    const idle = ANSWER.replace("a=mid:1\r\na=sendrecv", "a=mid:1\r\na=recvonly");
    expect(withSimulcast(idle, "1", counter(500))).toBe(idle);
  });

  test.each([
    [3, 720, -1, [true, true, true]],
    [3, 720, 0, [false, false, false]],
    [3, 720, 180, [true, false, false]],
    [3, 720, 181, [true, true, false]],
    [3, 720, 360, [true, true, false]],
    [3, 720, 720, [true, true, true]],
    [3, 720, 2160, [true, true, true]],
    [3, 1080, 270, [true, false, false]],
    [1, 720, 180, [true]],
    [1, 720, 0, [false]],
  ] as const)("%p layers of %p px, wanted %p: %p", (count, height, wanted, active) => {
    expect(activeLayers(count, height, wanted)).toEqual(active);
  });
});

describe("own sources", () => {
  test("named by endpoint, one msid per source, layers and repairs in groups", () => {
    const sources = ownSources(readSdp(withSimulcast(ANSWER, "1", counter(500))), "7c1e22d0", EVERYTHING);
    expect(sources.sources).toHaveLength(7);
    expect(sources.sources[0]).toEqual({
      ssrc: 900,
      mediaType: "audio",
      name: "7c1e22d0-a0",
      msid: "7c1e22d0-audio-0-1 7c1e22d0-a0-1",
    });
    expect(new Set(sources.sources.slice(1).map((each) => `${each.name} ${each.msid} ${each.videoType}`)).size).toBe(1);
    expect(sources.groups.map((each) => each.semantics)).toEqual(["SIM", "FID", "FID", "FID"]);
  });

  test("Firefox: the SIM group comes from the order of its rids", () => {
    const firefox = ANSWER.replace(
      "a=ssrc-group:FID 111 112\r\na=ssrc:111 cname:abc\r\na=ssrc:112 cname:abc\r\n",
      "a=rid:1 send\r\na=rid:2 send\r\na=rid:3 send\r\na=simulcast:send 1;2;3\r\n" +
        [11, 12, 21, 22, 31, 32].map((ssrc) => `a=ssrc:${ssrc} cname:{x}\r\n`).join("") +
        "a=ssrc-group:FID 11 12\r\na=ssrc-group:FID 21 22\r\na=ssrc-group:FID 31 32\r\n",
    );
    const sources = ownSources(readSdp(firefox), "7c1e22d0", { microphone: false, camera: true, screen: undefined });
    expect(sources.groups[0]).toEqual({ mediaType: "video", semantics: "SIM", ssrcs: [11, 21, 31] });
  });

  test("what is not announced, or not sent, is not named", () => {
    const sections = readSdp(ANSWER);
    expect(ownSources(sections, "e", { microphone: false, camera: false, screen: undefined }).sources).toEqual([]);
    expect(ownSources(sections, "e", { microphone: false, camera: false, screen: "7" }).sources).toEqual([]);
    const idle = readSdp(ANSWER.replace("a=mid:1\r\na=sendrecv", "a=mid:1\r\na=recvonly"));
    expect(ownSources(idle, "e", EVERYTHING).sources).toHaveLength(1);
  });

  test("the accept has both kinds, our transport without candidates, and names data in its bundle", () => {
    const sections = readSdp(ANSWER);
    const address = { sid: "s", initiator: "room@muc/focus", responder: "me@x/y" };
    const accept = acceptOf(sections, ownSources(sections, "e", EVERYTHING), address, undefined, 20);
    expect(accept.contents.map((each) => each.name)).toEqual(["audio", "video"]);
    expect(accept.contents[1]?.initialLastN).toBe(20);
    expect(accept.contents[0]?.transport).toMatchObject({
      ufrag: "aX3d",
      candidates: [],
      fingerprints: [{ hash: "sha-256", value: "15:A9:64", setup: "active" }],
    });
    expect(accept.contents[0]?.description?.payloadTypes[0]).toEqual({
      id: 111,
      name: "opus",
      clockrate: 48000,
      channels: 2,
      parameters: [
        { name: "minptime", value: "10" },
        { name: "useinbandfec", value: "1" },
      ],
      feedback: [{ type: "transport-cc" }],
    });
    expect(accept.bundle).toEqual(["audio", "video", "data"]);
    const withData = acceptOf(sections, { sources: [], groups: [] }, address, 5000, -1);
    expect(withData.contents[2]?.transport?.sctpMap?.port).toBe(5000);
    expect(withData.contents[1]?.initialLastN).toBeUndefined();
  });

  test("changes name only what came and what went", () => {
    const a = ownSources(readSdp(ANSWER), "e", { microphone: true, camera: false, screen: undefined });
    const b = ownSources(readSdp(ANSWER), "e", EVERYTHING);
    const { added, removed } = sourceChanges(a, b);
    expect(added.sources.map((each) => each.ssrc)).toEqual([111, 112]);
    expect(added.groups).toHaveLength(1);
    expect(removed.sources).toEqual([]);
    expect(sourceChanges(b, a).removed.sources.map((each) => each.ssrc)).toEqual([111, 112]);
  });
});

test("descriptions that are no descriptions give nothing and do not throw", () => {
  for (const text of [
    "",
    "x",
    "m=",
    "m=video",
    "m=audio 9 X\r\na=ssrc:abc\r\na=fingerprint:",
    "a=\r\nm=video 9 a 100\r\na=rtpmap:100 ",
  ])
    expect(() => readSdp(text)).not.toThrow();
});
