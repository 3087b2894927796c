import { expect, test } from "bun:test";
import { opens, splitTenant } from "./token-rooms.ts";

test("a tenant in front of a room's name", () => {
  expect(splitTenant("[acme]standup")).toEqual({ tenant: "acme", room: "standup" });
  expect(splitTenant("standup")).toEqual({ tenant: undefined, room: "standup" });
});

const rules = { requireRoom: true, verifyTenant: false, domain: "meet.test" };

test("the room that is named, in any case; all of them; none where none is named", () => {
  expect(opens({ room: "StandUp" }, "standup", rules)).toBe(true);
  expect(opens({ room: "standup" }, "other", rules)).toBe(false);
  expect(opens({ room: "*" }, "other", rules)).toBe(true);
  expect([opens({}, "other", rules), opens({}, "other", { ...rules, requireRoom: false })]).toEqual([false, true]);
});

test("with tenants the subject counts, and a name may be a pattern", () => {
  const tenants = { ...rules, verifyTenant: true };
  expect(opens({ room: "standup", sub: "acme" }, "[acme]standup", tenants)).toBe(true);
  expect(opens({ room: "standup", sub: "other" }, "[acme]standup", tenants)).toBe(false);
  expect(opens({ room: "standup", sub: "meet.test" }, "standup", tenants)).toBe(true);
  const pattern = { room: "st.*", sub: "*", context: { room: { regex: true } } };
  expect([opens(pattern, "standup", tenants), opens(pattern, "dinner", tenants)]).toEqual([true, false]);
  expect(opens({ ...pattern, room: "(" }, "(", tenants)).toBe(false);
});
