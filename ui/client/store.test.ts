import { expect, test } from "bun:test";
import { effect } from "@preact/signals";
import { useStore } from "./components/context.ts";
import { DEFAULT_PREFERENCES, initialState, type UserAction } from "./state.ts";
import { Store } from "./store.ts";

const START = initialState({
  room: { id: "r", title: "R", subject: "", appName: "" },
  preferences: DEFAULT_PREFERENCES,
  requireName: false,
  startMicrophoneMuted: false,
  startCameraMuted: false,
});
const WORLD = {
  track: () => undefined,
  ownTrack: () => undefined,
  watchLevel: () => () => undefined,
  speaker: () => undefined,
  soundBlocked: () => undefined,
};

test("texts come in the language of the browser, English where there is none", () => {
  const store = new Store(START, WORLD, () => undefined, ["xx", "en-GB"]);
  expect(store.language.value).toBe("en");
  expect(store.t("bar.leave")).toBe("Leave");
  expect(store.tell({ id: "toast.unplugged", args: ["Jabra"] })).toBe("Jabra was unplugged.");
});

test("whoever reads the state hears of the next one; a peek does not listen", () => {
  const store = new Store(START, WORLD, () => undefined, []);
  const seen: string[] = [];
  const stop = effect(() => {
    seen.push(store.state.page);
  });
  store.set({ ...START, page: "meeting" });
  stop();
  store.set({ ...START, page: "end" });
  expect(seen).toEqual(["prejoin", "meeting"]);
  expect(store.peek().page).toBe("end");
});

test("what people do goes out as it is", () => {
  const done: UserAction[] = [];
  new Store(START, WORLD, (action) => done.push(action), []).dispatch({ kind: "hand" });
  expect(done).toEqual([{ kind: "hand" }]);
});

test("components know no store outside of the page", () => expect(() => useStore()).toThrow());
