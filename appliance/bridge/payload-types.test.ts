import { expect, test } from "bun:test";
import type { ColibriMedia } from "../wire/colibri2.ts";
import { EXTENSION_URI, type PayloadType } from "../wire/rtp-description.ts";
import { PayloadTypes } from "./payload-types.ts";

const type = (id: number, name: string, rest: Partial<PayloadType> = {}): PayloadType => ({
  id,
  name,
  clockrate: 90_000,
  parameters: [],
  feedback: [],
  ...rest,
});
const media = (
  kind: "audio" | "video",
  payloadTypes: PayloadType[],
  uris: Record<number, string> = {},
  mixed = false,
): ColibriMedia => ({
  type: kind,
  description: {
    payloadTypes,
    headerExtensions: Object.entries(uris).map(([id, uri]) => ({ id: Number(id), uri })),
    extmapAllowMixed: mixed,
  },
});

test("codecs whatever their case, feedback, RTX only with what it repeats, the unknown as other", () => {
  const types = new PayloadTypes();
  expect(
    types.add([
      media("video", [
        type(100, "VP8", {
          feedback: [
            { type: "nack" },
            { type: "nack", subtype: "pli" },
            { type: "ccm", subtype: "fir" },
            { type: "transport-cc" },
          ],
        }),
        type(96, "rtx", { parameters: [{ name: "apt", value: "100" }] }),
        type(97, "rtx"),
        type(98, "rtx", { parameters: [{ name: "apt", value: "1e3" }] }),
        type(45, "H265"),
      ]),
    ]),
  ).toBe(true);
  expect(types.entries).toEqual([
    {
      payloadType: 100,
      kind: "video",
      codec: "vp8",
      clockRate: 90_000,
      nack: true,
      pli: true,
      fir: true,
      transportCc: true,
    },
    {
      payloadType: 96,
      kind: "video",
      codec: "rtx",
      clockRate: 90_000,
      apt: 100,
      nack: false,
      pli: false,
      fir: false,
      transportCc: false,
    },
    {
      payloadType: 45,
      kind: "video",
      codec: "other",
      clockRate: 90_000,
      nack: false,
      pli: false,
      fir: false,
      transportCc: false,
    },
  ]);
  expect(types.hasRtx).toBe(true);
  expect([types.accepts("video"), types.accepts("audio")]).toEqual([true, false]);
});

test("entries are added, never removed; the last media decides on mixed extensions; unknown URIs are passed over", () => {
  const types = new PayloadTypes();
  types.add([media("audio", [type(111, "opus")], { 1: EXTENSION_URI.audioLevel, 9: "urn:unknown" }, true)]);
  types.add([media("video", [type(101, "VP9")], { 5: EXTENSION_URI.transportCc }, false)]);
  expect(types.add([])).toBe(false);
  expect(types.entries.map((each) => each.payloadType)).toEqual([111, 101]);
  expect(types.extensions).toEqual({ audioLevel: 1, transportCc: 5 });
  expect(types.allowMixed).toBe(false);
});
