import { expect, test } from "bun:test";
import {
  conferenceModifiedElement,
  conferenceModifyElement,
  isColibriFault,
  mediaSources,
  readConferenceModified,
  readConferenceModify,
} from "./colibri2.ts";
import { child, parse, xml } from "./xml.ts";

const lines = (await Bun.file(new URL("fixtures/colibri2.txt", import.meta.url)).text()).trim().split("\n");
const elements = lines.flatMap((line) => {
  const iq = parse(line);
  return iq === undefined ? [] : [child(iq, "conference-modify") ?? child(iq, "conference-modified") ?? xml("none")];
});

test("all recorded requests and answers are there", () => expect(elements).toHaveLength(lines.length));

test.each(elements.map((each, index) => [index, each.getName(), each] as const))(
  "recorded element %i (%s) survives writing and reading",
  (_, name, element) => {
    if (name === "conference-modify") {
      const read = readConferenceModify(element);
      if (isColibriFault(read)) throw new Error(read.text);
      const again = parse(conferenceModifyElement(read).toString());
      expect(again && readConferenceModify(again)).toEqual(read);
    } else {
      const read = readConferenceModified(element);
      if (isColibriFault(read)) throw new Error(read.text);
      const again = parse(conferenceModifiedElement(read).toString());
      expect(again && readConferenceModified(again)).toEqual(read);
    }
  },
);

test("the first allocation is read whole", () => {
  const read = readConferenceModify(elements[0] ?? xml("none"));
  if (isColibriFault(read)) throw new Error(read.text);
  expect(read).toMatchObject({ create: true, rtcstatsEnabled: false, name: "recbridge@muc.meet.test" });
  expect(read.endpoints[0]).toMatchObject({ create: true, statsId: "Miracle-Zma", capabilities: ["source-names"] });
  expect(read.endpoints[0]?.transport).toMatchObject({ iceControlling: true, iceRestart: false });
  expect(read.endpoints[0]?.sources).toEqual([]);
});

test("flat sources are grouped by name, groups with them", () => {
  const read = readConferenceModify(elements[1] ?? xml("none"));
  if (isColibriFault(read)) throw new Error(read.text);
  const sources = read.endpoints[0]?.sources ?? [];
  const flat = {
    sources: sources.flatMap((each) => each.sources.sources),
    groups: sources.flatMap((each) => each.sources.groups),
  };
  expect(mediaSources(flat)).toEqual([...sources]);
});

test.each([
  ["no meeting-id", "<conference-modify xmlns='jitsi:colibri2'/>"],
  ["a blank meeting-id", "<conference-modify xmlns='jitsi:colibri2' meeting-id=' '/>"],
  [
    "an endpoint without id",
    "<conference-modify xmlns='jitsi:colibri2' meeting-id='m'><endpoint/></conference-modify>",
  ],
  [
    "an odd media type",
    "<conference-modify xmlns='jitsi:colibri2' meeting-id='m'><endpoint id='a'><media type='smell'/></endpoint></conference-modify>",
  ],
])("%s is a fault", (_, source) => {
  const read = readConferenceModify(parse(source) ?? xml("none"));
  expect(isColibriFault(read)).toBe(true);
});

test("a Jitsi Videobridge's side of a relay, as recorded with our focus", () => {
  const answer = elements.find((each) => child(each, "relay") !== undefined);
  const read = readConferenceModified(answer ?? xml("none"));
  if (isColibriFault(read)) throw new Error(read.text);
  const [relay] = read.relays;
  expect(relay).toMatchObject({ id: "jvb", transport: { ice: { ufrag: "epd5k1k8hr9nr4", rtcpMux: true } } });
  expect(relay?.transport?.ice?.webSockets).toEqual([
    "ws://192.0.2.1:9090/colibri-relay-ws/orig1/b2a375368e874c63/jvb?pwd=5WAot0f2Ti3zDHR6DXDtuDE3",
  ]);
  expect(relay?.transport?.ice?.fingerprints.map((each) => each.setup)).toEqual(["actpass"]);
  expect(relay?.transport?.ice?.candidates.map((each) => each.ip)).toEqual(["192.0.2.1", "192.0.2.2"]);
});
