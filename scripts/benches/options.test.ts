import { expect, test } from "bun:test";
import { DEFAULTS, helpText, loadName, parseLoad, parseOptions } from "./options.ts";

const SECTIONS = ["bridge", "box"];

test("nothing given: the defaults", () => {
  expect(parseOptions([], SECTIONS)).toEqual({ type: "run", options: DEFAULTS });
});

test("each option, with its value behind it or behind an equals sign", () => {
  const words =
    "--only bridge --only=box --loads 1x3,2x10,1x100:5 --runs 7 --seconds=0.5 --profile cm --provider scalar --peers janus --json out.json --record --compare last";
  expect(parseOptions(words.split(" "), SECTIONS)).toEqual({
    type: "run",
    options: {
      only: ["bridge", "box"],
      loads: [
        { rooms: 1, people: 3 },
        { rooms: 2, people: 10 },
        { rooms: 1, people: 100, lastN: 5 },
      ],
      runs: 7,
      seconds: 0.5,
      profile: "AES128_CM_HMAC_SHA1_80",
      provider: "scalar",
      peers: ["janus"],
      json: "out.json",
      record: true,
      compare: "last",
    },
  });
});

test.each([
  ["--fast", "--fast"],
  ["only", "only"],
  ["--toString x", "--toString"],
  ["--only nothing", "bridge, box"],
  ["--runs 0", "1 to 99"],
  ["--runs 1.5", "1 to 99"],
  ["--seconds forever", "0.5 to 600"],
  ["--profile des", "gcm or cm"],
  ["--provider toString", "auto"],
  ["--peers jvb", "janus"],
  ["--compare HEAD", "commit"],
  ["--record=yes", "no value"],
  ["--json", "needs a value"],
  ["--loads 1x1", "ROOMSxPEOPLE"],
])("%s is a fault that says what may be", (words, said) => {
  const parsed = parseOptions(words.split(" "), SECTIONS);
  expect(parsed.type).toBe("fault");
  if (parsed.type === "fault") expect(parsed.message).toContain(said);
});

test("loads: bounds, and their names read back", () => {
  for (const text of ["1x2", "50x10", "1x100:5"])
    expect(loadName(parseLoad(text) ?? { rooms: 0, people: 0 })).toBe(text);
  for (const text of ["", "0x5", "1x1", "51x10", "1x10:10", "1x10:0", "1x10:", "-1x5", "1X5"])
    expect(parseLoad(text)).toBeUndefined();
});

test("help names every option and section, and how long all takes", () => {
  expect(parseOptions(["--runs", "2", "--help"], SECTIONS)).toEqual({ type: "help" });
  const text = helpText([
    { name: "bridge", title: "packets", seconds: 300, unasked: true },
    { name: "box", title: "memory", seconds: 60, unasked: true },
    { name: "long", title: "a long one", seconds: 6_000, unasked: false },
  ]);
  for (const word of ["--only NAMES", "--loads", "--compare COMMIT", "--record ", "bridge", "[long]", "about 6 min"])
    expect(text).toContain(word);
});
