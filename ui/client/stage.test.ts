import { describe, expect, test } from "bun:test";
import { allTiles, speakerStage, tilePages } from "./stage.ts";
import { DEFAULT_PREFERENCES, initialState, type MeetingState, type Person } from "./state.ts";

const START = initialState({
  room: { id: "r", title: "R", subject: "", appName: "" },
  preferences: DEFAULT_PREFERENCES,
  requireName: false,
  startMicrophoneMuted: false,
  startCameraMuted: false,
});

function meeting(
  names: readonly string[],
  change: Partial<MeetingState> = {},
  sharing: readonly string[] = [],
): MeetingState {
  const people = new Map(
    names.map((endpoint, i): [string, Person] => [
      endpoint,
      {
        endpoint,
        name: endpoint,
        role: "participant",
        microphoneMuted: false,
        cameraMuted: false,
        handAt: undefined,
        companion: false,
        lost: false,
        realJid: undefined,
        heardAt: i,
      },
    ]),
  );
  return {
    ...START,
    page: "meeting",
    self: { endpoint: "me", role: "participant", realJid: undefined },
    people,
    order: ["me", ...names],
    sources: names.flatMap((owner) => [
      { name: `${owner}-v0`, owner, kind: "video" as const, videoType: "camera" as const },
      ...(sharing.includes(owner)
        ? [{ name: `${owner}-v1`, owner, kind: "video" as const, videoType: "desktop" as const }]
        : []),
    ]),
    ...change,
  };
}
const keys = (tiles: readonly { readonly key: string }[] | undefined) => tiles?.map((tile) => tile.key);

describe("tiles", () => {
  test("a person each, a screen before its person", () => {
    expect(keys(allTiles(meeting(["a", "b"], {}, ["b"])))).toEqual(["me", "a", "b:screen", "b"]);
    expect(allTiles(meeting(["a"]))[1]?.source?.name).toBe("a-v0");
  });
  test("screens first; our own screen is not shown to us", () => {
    const state = meeting(["a", "b"], { local: { ...START.local, sharing: true } }, ["b"]);
    expect(keys(tilePages(state, 25).shown)).toEqual(["b:screen", "me", "a", "b"]);
  });
  test("pages; a page that no longer is there gives the last", () => {
    const names = Array.from({ length: 9 }, (_, i) => `p${i}`);
    const first = tilePages(meeting(names, { tilePage: 0 }), 4);
    expect(first.pages).toBe(3);
    expect(keys(first.shown)).toContain("me");
    expect(tilePages(meeting(names, { tilePage: 99 }), 4).page).toBe(2);
  });
});

describe("the big picture", () => {
  test("pinned, else a screen, else who speaks, else who spoke last, else ourselves", () => {
    const names = ["a", "b", "c"];
    expect(speakerStage(meeting(names, { pinned: "a", speaker: "b" }, ["c"]), 6)?.big.key).toBe("a");
    expect(speakerStage(meeting(names, { speaker: "b" }, ["a", "c"]), 6)?.big.key).toBe("c:screen");
    expect(speakerStage(meeting(names, { speaker: "b" }), 6)?.big.key).toBe("b");
    expect(speakerStage(meeting(names, { speaker: "me" }), 6)?.big.key).toBe("c");
    expect(speakerStage(meeting([]), 6)?.big.key).toBe("me");
    expect(speakerStage({ ...meeting([]), order: [] }, 6)).toBeUndefined();
  });
  test("a pin that left falls back", () => {
    expect(speakerStage(meeting(["a"], { pinned: "gone" }), 6)?.big.key).toBe("a");
  });
  test("the strip holds its limit, ourselves and the speaker in it", () => {
    const names = Array.from({ length: 9 }, (_, i) => `p${i}`);
    const stage = speakerStage(meeting(names, { pinned: "p0", speaker: "p8" }), 3);
    expect(stage?.strip).toHaveLength(3);
    expect(keys(stage?.strip)).toContain("me");
    expect(keys(stage?.strip)).toContain("p8");
    expect(stage?.more).toBe(6);
  });
});
