import { expect, test } from "bun:test";
import { getsVideo, packetsOutPerSecond, receiversOf, sendsVideo, withSpeakers } from "./participants.ts";

const profile = "AEAD_AES_128_GCM";

test("the load of the issue: 50 audio and 120 video packets a second from everybody to everybody else", () => {
  const of = (rooms: number, people: number): number => packetsOutPerSecond(withSpeakers({ rooms, people, profile }));
  expect([of(1, 3), of(1, 10), of(3, 10), of(1, 30)]).toEqual([1_020, 15_300, 45_900, 147_900]);
});

test("last-N: each is sent N cameras of others, and the voices of three", () => {
  const load = withSpeakers({ rooms: 1, people: 100, lastN: 5, profile });
  const places = Array.from({ length: load.people }, (_, place) => place);
  for (const receiver of places) expect(places.filter((sender) => getsVideo(receiver, sender, load))).toHaveLength(5);
  expect(places.filter((place) => sendsVideo(place, load))).toEqual([0, 1, 2, 3, 4, 5]);
  expect(places.every((place) => sendsVideo(place, load) || receiversOf(place, load).video === 0)).toBe(true);
  expect(packetsOutPerSecond(load)).toBe(100 * 5 * 120 + 3 * 99 * 50);
});
