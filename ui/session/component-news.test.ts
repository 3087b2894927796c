import { expect, test } from "bun:test";
import { componentNews } from "./component-news.ts";

test("muted from the start: before we are in the room it settles how our media begin, afterwards it is news only", () => {
  const payload = { type: "room_metadata", metadata: { startMuted: { audio: true, video: false } } };
  const kinds = (inRoom: boolean) => componentNews(payload, "", inRoom)?.events.map((each) => each.kind);
  expect(kinds(false)).toEqual(["metadata", "start-muted"]);
  expect(kinds(true)).toEqual(["metadata"]);
});

test("being moved to another room is no event, but the room to go to", () => {
  const news = componentNews(
    { type: "breakout_rooms", event: "features/breakout-rooms/move-to-room", roomJid: "a@breakout.meet.test" },
    "",
    true,
  );
  expect(news).toEqual({ events: [], moveTo: "a@breakout.meet.test" });
});

test.each([
  {},
  { type: "unknown" },
  { type: 5 },
  { type: "breakout_rooms", event: "features/breakout-rooms/move-to-room" },
])("nothing: %p", (payload) => {
  expect(componentNews(payload, "", true)).toBeUndefined();
});
