import { expect, test } from "bun:test";
import { Losses } from "./losses.ts";

test("loss that lasts two looks shows, one that does not is forgiven", () => {
  const core = new Losses();
  core.count("a", 1, 0, 0);
  expect([...core.links()]).toEqual([]);
  core.count("a", 1, 90, 10);
  expect([...core.links()]).toEqual([]);
  core.count("a", 1, 180, 20);
  expect([...core.links()]).toEqual([["a", "medium"]]);
  core.count("a", 1, 260, 40);
  core.links();
  core.count("a", 1, 340, 60);
  expect([...core.links()]).toEqual([["a", "poor"]]);
  core.count("a", 1, 440, 60);
  expect([...core.links()]).toEqual([]);
});

test("sums over a person's sources; few packets say nothing; the sender's own report counts", () => {
  const core = new Losses();
  for (let look = 0; look < 4; look += 1) {
    core.count("a", 1, look * 5, look * 5);
    core.fraction("me", 0.2);
    core.fraction("me", 0);
    core.links();
  }
  core.count("a", 1, 20, 20);
  core.fraction("me", 0.2);
  expect([...core.links()]).toEqual([["me", "poor"]]);
});

test("who is no longer counted is forgotten; counters that begin anew are no loss", () => {
  const core = new Losses();
  for (let look = 0; look < 3; look += 1) {
    core.count("a", 1, look * 80, look * 20);
    core.links();
  }
  expect([...core.links()]).toEqual([]);
  core.count("a", 1, 0, 0);
  core.count("a", 1, 100, 0);
  expect([...core.links()]).toEqual([]);
});
