import { describe, expect, test } from "bun:test";
import {
  addSendLine,
  addSources,
  isOfferFault,
  lineOf,
  type MediaPlan,
  planOffer,
  receivedSources,
  remoteSdp,
  removeSendLine,
  removeSources,
  withRestartedIce,
} from "./media-plan.ts";
import type { RemoteSource } from "./remote-sources.ts";
import { readSdp } from "./sdp.ts";
import { testOffer } from "./test-offer.ts";

const plan = (data = false): MediaPlan => {
  const made = planOffer(testOffer({ data }), ["VP8", "H264"]);
  if (isOfferFault(made)) throw new Error(made.fault);
  return made;
};
const video = (owner: string, ssrc: number): RemoteSource => ({
  name: `${owner}-v0`,
  owner,
  kind: "video",
  videoType: "camera",
  ssrcs: [ssrc, ssrc + 1],
  groups: [{ mediaType: "video", semantics: "FID", ssrcs: [ssrc, ssrc + 1] }],
});
const sdp = (of: MediaPlan) => remoteSdp(of, { version: 2, rids: false });

describe("the plan of an offer", () => {
  test("own lines first, then one per source of others", () => {
    expect(plan().lines.map((line) => [line.mid, line.media, line.use.kind])).toEqual([
      ["0", "audio", "own"],
      ["1", "video", "own"],
      ["2", "video", "receive"],
      ["3", "audio", "receive"],
    ]);
  });

  test("a data content gets the line after the own ones", () => {
    const made = plan(true);
    expect(made.lines[2]).toEqual({ mid: "2", media: "application", use: { kind: "channel" } });
    expect(made.sctpPort).toBe(5000);
    expect(sdp(made)).toContain("m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n");
    expect(sdp(made)).toContain("a=sctp-port:5000\r\n");
  });

  test("an offer without video, or without transport, is a fault and no throw", () => {
    const offer = testOffer();
    expect(planOffer({ ...offer, contents: offer.contents.slice(0, 1) }, [])).toEqual({ fault: "no-media" });
    const bare = offer.contents.map(({ transport: _, ...rest }) => rest);
    expect(planOffer({ ...offer, contents: bare }, [])).toEqual({ fault: "no-transport" });
  });

  test("lines are used again and never removed", () => {
    let made = plan();
    made = removeSources(made, new Set(["b04f9a61-v0", "b04f9a61-a0"]));
    expect(made.lines.map((line) => line.use.kind)).toEqual(["own", "own", "free", "free"]);
    made = addSources(made, [video("aaaa0001", 10), video("aaaa0002", 20)]);
    expect(made.lines.map((line) => line.use.kind)).toEqual(["own", "own", "receive", "free", "receive"]);
    expect(lineOf(made, "aaaa0001-v0")?.mid).toBe("2");
    expect(receivedSources(made).map((each) => each.name)).toEqual(["aaaa0001-v0", "aaaa0002-v0"]);
  });

  test("a source that is announced again keeps its line, with its new SSRCs", () => {
    const made = addSources(addSources(plan(), [video("aaaa0001", 10)]), [video("aaaa0001", 30)]);
    expect(made.lines.filter((line) => line.use.kind === "receive")).toHaveLength(3);
    expect(sdp(made)).toContain("a=ssrc:30 cname:aaaa0001");
    expect(sdp(made)).not.toContain("a=ssrc:10 ");
  });

  test("a hundred people coming and going leave no more lines than were in use at once", () => {
    let made = plan();
    for (let i = 0; i < 100; i += 1) {
      made = addSources(made, [video(`p${i}`, 1000 + 2 * i)]);
      made = removeSources(made, new Set([`p${i}-v0`]));
    }
    expect(made.lines).toHaveLength(5);
  });

  test("the screen has a line of its own, used again the next time", () => {
    const { plan: sharing, mid } = addSendLine(plan());
    expect(mid).toBe("4");
    expect(readSdp(sdp(sharing)).find((each) => each.mid === "4")?.direction).toBe("recvonly");
    const stopped = removeSendLine(sharing, mid);
    expect(readSdp(sdp(stopped)).find((each) => each.mid === "4")?.direction).toBe("inactive");
    expect(addSendLine(stopped).mid).toBe("4");
  });
});

describe("the remote description", () => {
  test("bundles every line and has candidates in the first", () => {
    const text = sdp(plan());
    expect(text).toContain("a=group:BUNDLE 0 1 2 3\r\n");
    expect(text.match(/a=candidate:/g)).toHaveLength(1);
    expect(text).toContain("a=candidate:1 1 udp 2130706431 192.168.50.1 10000 typ host generation 0\r\n");
    expect(text.match(/a=setup:actpass/g)).toHaveLength(4);
    expect(text.endsWith("\r\n")).toBe(true);
  });

  test("preferred codec first, its RTX after it, mid extension left out", () => {
    const sections = readSdp(sdp(plan()));
    expect(sections[1]?.payloadTypes.map((each) => each.id)).toEqual([100, 96, 107, 41, 42]);
    expect(sections[0]?.headerExtensions.map((each) => each.id)).toEqual([1]);
  });

  test("H.264 parameters in one value lose their trailing semicolon", () => {
    expect(sdp(plan())).toContain(
      "a=fmtp:107 profile-level-id=42e01f;level-asymmetry-allowed=1;packetization-mode=1\r\n",
    );
  });

  test("microphone and camera of one person share a stream; a screen has its own", () => {
    const screen: RemoteSource = { ...video("b04f9a61", 50), name: "b04f9a61-v1", videoType: "desktop" };
    const text = sdp(addSources(plan(), [screen]));
    expect(text).toContain("a=msid:b04f9a61 b04f9a61-v0\r\n");
    expect(text).toContain("a=msid:b04f9a61 b04f9a61-a0\r\n");
    expect(text).toContain("a=msid:b04f9a61-screen b04f9a61-v1\r\n");
  });

  test("an ICE restart changes credentials and candidates and nothing else", () => {
    const before = plan();
    const news = {
      ...before.transport,
      ufrag: "new1",
      pwd: "newpwd",
      iceGeneration: 1,
      fingerprints: [],
      webSockets: [],
      candidates: before.transport.candidates.map((each) => ({ ...each, port: 10_001 })),
    };
    const transport = withRestartedIce(before.transport, news);
    if (transport === undefined) throw new Error("refused");
    const lines = (each: MediaPlan): string[] => remoteSdp(each, { version: 3, rids: false }).split("\r\n");
    const after = lines({ ...before, transport });
    expect(after.filter((line) => !lines(before).includes(line)).map((line) => line.split(/[: ]/)[0])).toEqual(
      expect.arrayContaining(["a=ice-ufrag", "a=ice-pwd", "a=candidate"]),
    );
    expect(after.filter((line) => line.startsWith("a=fingerprint"))).toEqual(
      lines(before).filter((line) => line.startsWith("a=fingerprint")),
    );
    expect(withRestartedIce(before.transport, { ...news, pwd: undefined } as unknown as typeof news)).toBeUndefined();
  });

  test("names from the network cannot add lines", () => {
    const evil: RemoteSource = { ...video("x", 70), name: "x\r\na=evil:1", owner: "o w\nner" };
    const text = sdp(addSources(plan(), [evil]));
    expect(text).not.toContain("a=evil");
    expect(text).toContain("a=msid:o_w_ner x__a_evil_1\r\n");
  });

  test("Firefox is asked for three layers by rids, on the camera's line only", () => {
    const text = remoteSdp(plan(), { version: 3, rids: true });
    expect(text.match(/a=simulcast:recv 1;2;3/g)).toHaveLength(1);
    expect(text.indexOf("a=simulcast")).toBeLessThan(text.indexOf("a=mid:2"));
  });
});
