import { expect, test } from "bun:test";
import { epochMillis } from "../session/time.ts";
import { counted, NO_SPEECH, type Speech, speaks, speechLines } from "./speech.ts";

const at = epochMillis;
const names = (...pairs: readonly (readonly [string, string])[]) => new Map(pairs);
const brief = (speech: Speech, here: ReadonlyMap<string, string>, now: number) =>
  speechLines(speech, here, at(now)).map(({ name, ms }) => `${name} ${ms}`);

test("time goes to whoever speaks, until the next one does", () => {
  const here = names(["a", "Ana"], ["b", "Ben"], ["c", "Cleo"]);
  let speech = speaks(NO_SPEECH, "a", "Ana", at(1000));
  speech = speaks(speech, "b", "Ben", at(4000));
  speech = speaks(speech, "a", "Ana", at(5000));
  expect(brief(speech, here, 6000)).toEqual(["Ana 4000", "Ben 1000", "Cleo 0"]);
  expect(speechLines(speech, here, at(6000)).map((each) => each.share)).toEqual([0.8, 0.2, 0]);
  expect(speechLines(speech, here, at(6000)).map((each) => each.speaking)).toEqual([true, false, false]);
});

test("silence counts for nobody", () => {
  let speech = speaks(NO_SPEECH, "a", "Ana", at(0));
  speech = speaks(speech, undefined, "", at(2000));
  expect(brief(speech, names(["a", "Ana"]), 60_000)).toEqual(["Ana 2000"]);
});

test("what the server counted before we came is added to", () => {
  let speech = counted(NO_SPEECH, new Map([["b", { name: "Ben", ms: 42_000 }]]));
  speech = speaks(speech, "b", "", at(1000));
  speech = speaks(speech, "a", "Ana", at(2000));
  expect(brief(speech, names(["a", "Ana"], ["b", "Ben"]), 2000)).toEqual(["Ben 43000", "Ana 0"]);
});

test("the server's count never takes away what was heard", () => {
  let speech = speaks(NO_SPEECH, "a", "Ana", at(0));
  speech = speaks(speech, "b", "Ben", at(9000));
  expect(brief(counted(speech, new Map([["a", { name: "Ana", ms: 10 }]])), names(["a", "Ana"]), 9000)[0]).toBe(
    "Ana 9000",
  );
});

test("those who spoke and left stay in the list, silent ones who left do not", () => {
  let speech = speaks(NO_SPEECH, "a", "Ana", at(0));
  speech = speaks(speech, "b", "Ben", at(3000));
  speech = counted(speech, new Map([["z", { name: "Zoe", ms: 0 }]]));
  expect(brief(speech, names(["b", "Ben"]), 4000)).toEqual(["Ana 3000", "Ben 1000"]);
});

test("a clock that goes back takes no time away", () => {
  const speech = speaks(speaks(NO_SPEECH, "a", "Ana", at(5000)), "b", "Ben", at(1000));
  expect(brief(speech, names(["a", "Ana"], ["b", "Ben"]), 0)).toEqual(["Ana 0", "Ben 0"]);
});

test("a flood of names is bounded; who spoke longest is kept", () => {
  const told = new Map(Array.from({ length: 2000 }, (_, i) => [`e${i}`, { name: `n${i}`, ms: i }] as const));
  const speech = counted(NO_SPEECH, told);
  expect(speech.spoken.size).toBe(500);
  expect(speech.spoken.has("e1999")).toBe(true);
});
