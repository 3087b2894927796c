import { expect, test } from "bun:test";
import { decodeBridgeMessage, decodeClientMessage, encodeChannelMessage } from "./channel-messages.ts";

const recorded = (await Bun.file(new URL("fixtures/channel.jsonl", import.meta.url)).text())
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line) as { dir: string; msg: { colibriClass: string; sendingTime?: unknown } });

test.each(recorded.map(({ dir, msg }) => [dir, msg.colibriClass, msg] as const))(
  "recorded %s %s is read, and written as it was",
  (dir, _, msg) => {
    const text = JSON.stringify(msg);
    const read = dir === "C>B" ? decodeClientMessage(text) : decodeBridgeMessage(text);
    if (read === undefined) throw new Error(`not read: ${text}`);
    expect(JSON.parse(encodeChannelMessage(read))).toEqual(msg);
  },
);

test.each([
  "",
  "null",
  "[]",
  "{}",
  '{"colibriClass":"Nonsense"}',
  '{"colibriClass":"LastNChangedEvent","lastN":"5"}',
  '{"colibriClass":"LastNChangedEvent","lastN":-2}',
  '{"colibriClass":"ReceiverVideoConstraints","constraints":{"a":{"maxHeight":"720"}}}',
  '{"colibriClass":"ReceiverVideoConstraints","selectedSources":[1]}',
  '{"colibriClass":"SourceVideoTypeMessage","sourceName":"a-v0","videoType":"film"}',
  '{"colibriClass":"EndpointMessage","to":"x"}',
])("%s is dropped", (text) => expect(decodeClientMessage(text)).toBeUndefined());

test("a source may be called __proto__ without harm", () => {
  const read = decodeClientMessage(
    '{"colibriClass":"ReceiverVideoConstraints","constraints":{"__proto__":{"maxHeight":180}}}',
  );
  expect(read?.colibriClass === "ReceiverVideoConstraints" && Object.keys(read.constraints ?? {})).toEqual([
    "__proto__",
  ]);
});

test("the legacy audio subscription is understood", () => {
  expect(decodeClientMessage('{"colibriClass":"ReceiverAudioSubscription","mode":"Exclude","list":["a-a0"]}')).toEqual({
    colibriClass: "ReceiverAudioSubscription",
    all: true,
    include: [],
    exclude: ["a-a0"],
  });
});
