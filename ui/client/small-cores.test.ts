import { describe, expect, test } from "bun:test";
import { millis } from "../session/time.ts";
import { cleanLabel, deviceChanges, faultOf, pick, sortDevices } from "./devices.ts";
import { linkParts } from "./links.ts";
import { Silence, SpeechHint } from "./listening.ts";
import { readPreferences } from "./preferences.ts";
import { commandOf, type Focus, type Key, letterOf, shortcutOf } from "./shortcuts.ts";
import { DEFAULT_PREFERENCES } from "./state.ts";

const key = (name: string, change: Partial<Key> = {}): Key => ({
  key: name,
  code: /^[a-z]$/i.test(name) ? `Key${name.toUpperCase()}` : "",
  ctrl: false,
  alt: false,
  meta: false,
  shift: false,
  ...change,
});
const FREE: Focus = { typing: false, control: false, selection: false };

describe("shortcuts", () => {
  test.each([
    ["m", "microphone"],
    ["v", "camera"],
    ["c", "chat"],
    ["d", "share"],
    ["p", "people"],
    ["r", "hand"],
    ["w", "view"],
    ["s", "full-screen"],
    ["a", "audio-only"],
    ["?", "list"],
    ["x", undefined],
    ["Enter", undefined],
  ] as const)("%p: %p", (name, shortcut) => expect(shortcutOf(key(name), FREE)).toBe(shortcut as never));

  test("digits pin", () => expect(shortcutOf(key("3"), FREE)).toEqual({ pin: 3 }));

  test("not while typing, on a control, or with Ctrl or Meta; not C while text is selected", () => {
    expect(shortcutOf(key("m"), { ...FREE, typing: true })).toBeUndefined();
    expect(shortcutOf(key("m"), { ...FREE, control: true })).toBeUndefined();
    expect(shortcutOf(key("m", { ctrl: true }), FREE)).toBeUndefined();
    expect(shortcutOf(key("m", { meta: true }), FREE)).toBeUndefined();
    expect(shortcutOf(key("M", { shift: true }), FREE)).toBeUndefined();
    expect(shortcutOf(key("c"), { ...FREE, selection: true })).toBeUndefined();
  });

  test("Alt reacts", () => {
    expect(shortcutOf(key("t", { alt: true }), FREE)).toBe("like");
    expect(shortcutOf(key("†", { alt: true, code: "KeyT" }), FREE)).toBe("like"); // macOS
  });

  test("other scripts go by the place of the key, Dvorak by its letter", () => {
    expect(letterOf(key("ь", { code: "KeyM" }))).toBe("m");
    expect(letterOf(key("μ", { code: "KeyM" }))).toBe("m");
    expect(letterOf(key("m", { code: "KeyM" }))).toBe("m");
    expect(letterOf(key("d", { code: "KeyH" }))).toBe("d");
    expect(letterOf(key(";", { code: "KeyZ" }))).toBeUndefined();
  });

  test("Ctrl or Cmd with D and E, F2", () => {
    expect(commandOf(key("d", { ctrl: true }))).toBe("microphone");
    expect(commandOf(key("e", { meta: true }))).toBe("camera");
    expect(commandOf(key("d", { ctrl: true, shift: true }))).toBeUndefined();
    expect(commandOf(key("F2", { code: "F2" }))).toBe("toolbar");
    expect(commandOf(key("d"))).toBeUndefined();
  });
});

describe("devices", () => {
  const raw = [
    { kind: "audioinput", deviceId: "default", label: "Default" },
    { kind: "audioinput", deviceId: "m1", label: "Jabra (0b0e:0420)" },
    { kind: "audioinput", deviceId: "m2", label: "" },
    { kind: "videoinput", deviceId: "", label: "" },
    { kind: "audiooutput", deviceId: "s1", label: "Speakers" },
  ];
  test("sorted, named, without doubles", () => {
    expect(sortDevices(raw, (kind, n) => `${kind} ${n}`)).toEqual({
      microphones: [
        { id: "m1", label: "Jabra" },
        { id: "m2", label: "audioinput 2" },
      ],
      cameras: [],
      speakers: [{ id: "s1", label: "Speakers" }],
    });
    expect(cleanLabel("HD Cam (046d:0825)")).toBe("HD Cam");
  });
  test("wanted if it is there", () => {
    const list = [{ id: "a", label: "A" }];
    expect(pick(list, "a")).toBe("a");
    expect(pick(list, "b")).toBeUndefined();
    expect(pick(list, undefined)).toBeUndefined();
  });
  test("what came and went; nothing from an empty beginning", () => {
    const a = { id: "a", label: "A" };
    const b = { id: "b", label: "B" };
    expect(deviceChanges([a], [b])).toEqual({ added: [b], removed: [a] });
    expect(deviceChanges([], [b])).toEqual({ added: [], removed: [] });
  });
  test.each([
    ["NotAllowedError", "Permission denied", "denied"],
    ["NotAllowedError", "Permission denied by system", "system"],
    ["NotFoundError", "", "missing"],
    ["NotReadableError", "", "busy"],
    ["TypeError", "", "other"],
  ] as const)("%p %p: %p", (name, message, fault) => expect(faultOf(name, message)).toBe(fault));
});

describe("listening", () => {
  test("ten seconds of exact silence, told once; a sound takes it back", () => {
    const core = new Silence();
    const said: (boolean | undefined)[] = [];
    for (let t = 0; t <= 12_000; t += 1000) said.push(core.heard(millis(t), true, true));
    expect(said.filter((each) => each !== undefined)).toEqual([true]);
    expect(said[10]).toBe(true);
    expect(core.heard(millis(13_000), true, false)).toBe(false);
    expect(core.heard(millis(14_000), true, false)).toBeUndefined();
  });
  test("a muted microphone may be silent", () => {
    const core = new Silence();
    for (let t = 0; t <= 30_000; t += 1000) expect(core.heard(millis(t), false, true)).toBeUndefined();
  });
  test("a second of speech while muted, at most every 30 s; a cough is nothing", () => {
    const core = new SpeechHint();
    let told = 0;
    for (let t = 0; t < 60_000; t += 50) if (core.heard(millis(t), true, 0.5)) told += 1;
    expect(told).toBe(2);
    const coughing = new SpeechHint();
    let coughs = 0;
    for (let t = 0; t < 60_000; t += 50) if (coughing.heard(millis(t), true, t % 2000 < 300 ? 0.9 : 0)) coughs += 1;
    expect(coughs).toBe(0);
    expect(new SpeechHint().heard(millis(0), false, 1)).toBe(false);
  });
});

describe("links in chat", () => {
  test.each([
    ["see https://a.b/c.", ["see ", "https://a.b/c", "."]],
    ["(https://a.b/x(y))", ["(", "https://a.b/x(y)", ")"]],
    ["javascript:alert(1)", ["javascript:alert(1)"]],
    ["no link", ["no link"]],
    ["", []],
    ["http://", ["http://"]],
  ])("%p", (text, parts) => expect(linkParts(text).map((each) => each.text)).toEqual(parts));
  test("only http and https become links, and nothing is lost", () => {
    const text = "a https://x.y b ftp://z http://q?a=1&b=2, end";
    const parts = linkParts(text);
    expect(parts.map((each) => each.text).join("")).toBe(text);
    for (const { href } of parts) expect(href === undefined || /^https?:/.test(href)).toBe(true);
  });
});

describe("preferences", () => {
  test("member by member, whatever is stored", () => {
    for (const source of [undefined, "", "x", "null", "[]", "3"])
      expect(readPreferences(source)).toEqual(DEFAULT_PREFERENCES);
    expect(
      readPreferences(JSON.stringify({ name: "A", camera: 3, theme: "pink", microphoneOn: false, view: "speaker" })),
    ).toEqual({
      ...DEFAULT_PREFERENCES,
      name: "A",
      microphoneOn: false,
      view: "speaker",
    });
    expect(readPreferences(JSON.stringify(DEFAULT_PREFERENCES))).toEqual(DEFAULT_PREFERENCES);
  });
});
