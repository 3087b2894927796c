import { expect, test } from "bun:test";
import { Capacity, peopleWithCameras } from "./capacity.ts";

test("before any meeting: from what a packet cost at start", () => {
  const capacity = new Capacity({ microsPerPacket: 6, maxCameras: 0 });
  // 0.9 s of the core, 6 µs a packet, 150 packets a camera.
  expect(capacity.cameras).toBe(1000);
  expect(capacity.certain).toBe(false);
  expect(capacity.stress(0.4, 900)).toBe(0.4);
  expect(capacity.participantStress).toBeCloseTo(0.005);
});

test("a core of a quarter of the speed carries a quarter of it, and its participants weigh four times as much", () => {
  const slow = new Capacity({ microsPerPacket: 24, maxCameras: 0 });
  expect(slow.cameras).toBe(250);
  expect(slow.participantStress).toBeCloseTo(0.02);
});

test("meetings under load teach it; a box that is nearly idle does not", () => {
  const capacity = new Capacity({ microsPerPacket: 6, maxCameras: 0 });
  for (let i = 0; i < 50; i++) capacity.observe(0.1, 3_000, 2);
  expect(capacity.cameras).toBe(1000);
  for (let i = 0; i < 50; i++) capacity.observe(0.5, 50_000, 500);
  // 10 µs a packet and 100 packets a camera.
  expect(capacity.microsPerPacket).toBeCloseTo(10, 1);
  expect(capacity.cameras).toBeWithin(895, 905);
  expect(capacity.certain).toBe(false);
  capacity.observe(0.7, 70_000, 700);
  expect(capacity.certain).toBe(true);
});

test("a pinned number is what counts, whatever the load teaches", () => {
  const capacity = new Capacity({ microsPerPacket: 6, maxCameras: 4 });
  for (let i = 0; i < 50; i++) capacity.observe(0.5, 50_000, 500);
  expect(capacity.cameras).toBe(4);
  expect(capacity.certain).toBe(true);
  expect(capacity.stress(0.1, 6)).toBe(1.5);
  expect(capacity.stress(0.8, 1)).toBe(0.8);
  expect(capacity.participantStress).toBe(0.1);
});

test("in rooms of two a camera goes to one, in rooms of ten to nine", () => {
  expect([2, 5, 10].map((size) => peopleWithCameras(900, size))).toEqual([900, 225, 100]);
});
