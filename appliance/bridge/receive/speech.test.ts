import { expect, test } from "bun:test";
import type { Millis } from "../../time.ts";
import { Speech } from "./speech.ts";

const LOUD = [105, 112, 108, 110, 106];
const QUIET = [30, 28, 31, 29, 30];

class Room {
  readonly speech = new Speech();
  now = 0 as Millis;
  readonly changes: string[] = [];
  orders = 0;

  constructor(...ids: readonly string[]) {
    for (const id of ids) this.speech.add(id);
  }

  /** A batch every 100 ms, five packets each. */
  run(ms: number, levels: Readonly<Record<string, readonly number[]>>): this {
    for (let end = this.now + ms; this.now < end; ) {
      this.now = (this.now + 100) as Millis;
      for (const [id, each] of Object.entries(levels)) this.speech.heard(this.now, id, each);
      while ((this.speech.nextDeadline()?.at ?? Number.POSITIVE_INFINITY) <= this.now) {
        const { dominantChanged, orderChanged } = this.speech.handleTimeout(this.now);
        if (dominantChanged) this.changes.push(this.speech.dominant?.id ?? "");
        if (orderChanged) this.orders++;
      }
    }
    return this;
  }
}

test("whoever is heard first is dominant, even when quiet", () => {
  expect(new Room("a", "b").run(500, { a: QUIET }).changes).toEqual(["a"]);
});

test("the louder one takes over within two seconds, and only after a moment", () => {
  const room = new Room("a", "b").run(2_000, { a: QUIET, b: QUIET });
  room.run(100, { a: QUIET, b: LOUD });
  expect(room.changes).toEqual(["a"]);
  room.run(1_700, { a: QUIET, b: LOUD });
  expect(room.changes).toEqual(["a", "b"]);
  expect(room.speech.dominant).toEqual({ id: "b", previous: ["a"] });
});

test("a cough does not make a speaker", () => {
  const room = new Room("a", "b").run(500, { a: QUIET, b: QUIET }).run(3_000, { a: LOUD, b: QUIET });
  for (let i = 0; i < 20; i++) room.run(60, { a: LOUD, b: LOUD }).run(900, { a: LOUD, b: QUIET });
  expect(room.changes).toEqual(["a"]);
});

test("a steady noise becomes floor and is no speech", () => {
  const room = new Room("fan", "person").run(1_000, { fan: [85, 86, 85, 84, 85] });
  room.run(20_000, { fan: [85, 86, 85, 84, 85], person: QUIET });
  room.run(2_000, { fan: [85, 86, 85, 84, 85], person: LOUD });
  expect(room.speech.dominant?.id).toBe("person");
});

test("silence: the next one needs no more than to be heard over it", () => {
  const room = new Room("a", "b").run(500, { a: QUIET, b: QUIET }).run(3_000, { a: LOUD, b: QUIET });
  room.run(3_000, { b: LOUD });
  expect(room.speech.dominant?.id).toBe("b");
});

test("taking turns: previous speakers, latest first, at most ten, nobody twice", () => {
  const ids = Array.from({ length: 14 }, (_, i) => `p${i}`);
  const room = new Room(...ids);
  // Everybody's floor is known before the talk begins.
  room.run(1_000, Object.fromEntries(ids.map((id) => [id, QUIET])));
  for (const id of ids) room.run(3_000, { [id]: LOUD });
  expect(room.speech.dominant?.id).toBe("p13");
  expect(room.speech.dominant?.previous).toEqual(["p12", "p11", "p10", "p9", "p8", "p7", "p6", "p5", "p4", "p3"]);
  room.run(3_000, { p5: LOUD });
  expect(room.speech.dominant?.previous.slice(0, 2)).toEqual(["p13", "p12"]);
  expect(room.speech.dominant?.previous).not.toContain("p5");
});

test("the order that last-N follows moves at most every 3 s", () => {
  const room = new Room("a", "b", "c").run(1_000, { a: QUIET, b: QUIET, c: QUIET });
  expect(room.speech.order).toEqual(["a", "b", "c"]);
  room.run(2_000, { b: LOUD });
  expect(room.speech.order).toEqual(["b", "a", "c"]);
  room.run(2_000, { c: LOUD });
  const changes = room.changes.length;
  expect(room.speech.currentOrder[0]).toBe("c");
  room.run(3_000, { c: LOUD });
  expect(room.changes.length).toBe(changes);
  expect(room.speech.order).toEqual(["c", "b", "a"]);
});

test("who leaves is forgotten; strangers are not listened to; nothing runs when nobody speaks", () => {
  const room = new Room("a", "b").run(1_000, { a: LOUD, b: QUIET });
  room.speech.remove("a");
  expect(room.speech.dominant).toBeUndefined();
  room.run(1_000, { b: QUIET, stranger: LOUD });
  expect(room.speech.dominant?.id).toBe("b");
  room.run(20_000, {});
  expect(room.speech.nextDeadline()).toBeUndefined();
});
