import { expect, test } from "bun:test";
import { iceTransportElement } from "./ice-transport.ts";
import { isJingleFault, type Jingle, jingleChild, jingleElement, readJingle } from "./jingle.ts";
import { parameter } from "./rtp-description.ts";
import { encodeJsonSources } from "./sources.ts";
import { parse, xml } from "./xml.ts";

const load = async (file: string): Promise<Jingle[]> =>
  (await Bun.file(new URL(`fixtures/${file}`, import.meta.url)).text())
    .trim()
    .split("\n")
    .map((line) => {
      const iq = parse(line);
      const jingle = iq && jingleChild(iq);
      if (jingle === undefined) throw new Error(`no jingle in ${line.slice(0, 80)}`);
      const read = readJingle(jingle);
      if (isJingleFault(read)) throw new Error(read.text);
      return read;
    });
const recorded = await load("jingle.txt");
const [offer, accept] = recorded;

test("the recorded offer is read whole", () => {
  expect(offer?.action).toBe("session-initiate");
  expect(offer?.contents.map(({ name, media, senders }) => [name, media, senders])).toEqual([
    ["audio", "audio", "both"],
    ["video", "video", "both"],
  ]);
  expect(offer?.bundle).toEqual(["audio", "video"]);
  expect(offer?.bridgeSession?.id).toBe("4ede4165-2b74-4a96-b26d-c77af2399ff9");
  const video = offer?.contents[1]?.description;
  expect(video?.payloadTypes.map(({ id, name }) => `${id} ${name}`)).toEqual([
    "41 AV1",
    "100 VP8",
    "107 H264",
    "101 VP9",
    "42 rtx",
    "96 rtx",
    "97 rtx",
    "99 rtx",
  ]);
  expect(video?.payloadTypes[4] && parameter(video.payloadTypes[4], "apt")).toBe("41");
  expect(video?.headerExtensions.map(({ id }) => id)).toEqual([11, 10, 3, 5]);
  const transport = offer?.contents[0]?.transport;
  expect(transport?.candidates[0]).toMatchObject({ ip: "127.0.0.1", port: 21010, priority: 2130706431, type: "host" });
  expect(transport?.fingerprints[0]).toMatchObject({ hash: "sha-256", setup: "actpass" });
  expect(transport?.webSockets).toHaveLength(1);
  expect(offer?.sources.get("jvb")?.sources.map(({ ssrc, name, mediaType }) => [ssrc, name, mediaType])).toEqual([
    [3330718622, "jvb-v0", "video"],
    [2763818066, "jvb-a0", "audio"],
  ]);
});

test("the recorded answer's sources and groups are read under the empty owner", () => {
  const own = accept?.sources.get("");
  expect(own?.sources).toHaveLength(7);
  expect(own?.groups.map(({ semantics, ssrcs }) => [semantics, ssrcs.length])).toEqual([
    ["FID", 2],
    ["SIM", 3],
    ["FID", 2],
    ["FID", 2],
  ]);
  expect(accept?.contents[1]?.media).toBe("video");
});

test.each(recorded.map((each, index) => [index, each.action, each] as const))(
  "recorded stanza %i (%s) survives writing and reading",
  (_, __, jingle) => {
    const json = jingle.sources.has("") || jingle.sources.size === 0 ? undefined : encodeJsonSources(jingle.sources);
    const again = parse(jingleElement(jingle, json).toString());
    const read = again && readJingle(again);
    expect(read).toEqual(jingle);
  },
);

test("sources survive as JSON as well", () => {
  if (accept === undefined) throw new Error("no accept");
  const own = accept.sources.get("");
  if (own === undefined) throw new Error("no sources");
  const json = encodeJsonSources(new Map([["e7ad17fe", own]]));
  const element = jingleElement({ ...accept, contents: [], sources: new Map() }, json);
  const read = readJingle(parse(element.toString()) ?? element);
  if (isJingleFault(read)) throw new Error(read.text);
  expect(read.sources.get("e7ad17fe")?.groups).toEqual(own.groups);
  expect(
    read.sources
      .get("e7ad17fe")
      ?.sources.map(({ ssrc }) => ssrc)
      .sort(),
  ).toEqual(own.sources.map(({ ssrc }) => ssrc).sort());
});

test("an offer with a data content keeps its sctpmap", async () => {
  const [sctp] = await load("jingle-sctp.txt");
  expect(sctp?.contents.map(({ name, media }) => [name, media])).toEqual([
    ["audio", "audio"],
    ["video", "video"],
    ["data", "application"],
  ]);
  expect(sctp?.contents[2]?.transport?.sctpMap).toMatchObject({ port: 5000, protocol: "webrtc-datachannel" });
  const transport = sctp?.contents[2]?.transport;
  expect(transport && iceTransportElement(transport).toString()).toContain("<sctpmap");
});

test.each([
  ["no sid", xml("jingle", { action: "session-info" }), "no-sid"],
  ["an unknown action", xml("jingle", { action: "dance", sid: "1" }), "unknown-action"],
  [
    "JSON that is none",
    xml("jingle", { action: "source-add", sid: "1" }, xml("json-message", { xmlns: "http://jitsi.org/jitmeet" }, "{")),
    "bad-sources",
  ],
  [
    "an SSRC of 0",
    parse(
      "<jingle action='source-add' sid='1'><content name='audio'><description media='audio'><source xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' ssrc='0'/></description></content></jingle>",
    ) ?? xml("x"),
    "bad-sources",
  ],
])("%s is a fault", (_, element, fault) => {
  const read = readJingle(element);
  expect(isJingleFault(read) && read.fault).toBe(fault as never);
});
