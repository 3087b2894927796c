import { expect, test } from "bun:test";
import type { XmppConfig } from "../config.ts";
import { type EpochMillis, millis } from "../time.ts";
import { jid } from "../wire/jid.ts";
import { Occupant } from "./muc/occupants.ts";
import { Turn } from "./muc/turn.ts";
import { roomPolicies } from "./room-policies.ts";

const CONFIG: XmppConfig = {
  domains: {
    domain: "meet.test",
    auth: "auth.meet.test",
    muc: "muc.meet.test",
    internalMuc: "internal-muc.meet.test",
    focus: "focus.meet.test",
    hidden: "hidden.meet.test",
  },
  c2s: { host: "127.0.0.1", port: 0 },
  http: { host: "127.0.0.1", port: 0 },
  tls: { certificateChain: "", privateKey: "" },
  accounts: [],
  limits: {
    serviceStanzaBytes: 262_144,
    clientStanzaBytes: 65_536,
    depth: 32,
    attributes: 64,
    bytesPerSecond: 50_000,
    stanzasPerSecond: 100,
    connections: 100,
    connectionsPerAddress: 100,
    rooms: 10,
    occupantsPerRoom: 10,
    roomsPerUser: 10,
    loginsPerSecond: 0,
    loginSeconds: 30,
    resumeSeconds: 60,
    serviceResumeSeconds: 15,
  },
  focusAccount: "focus@auth.meet.test",
  externalServices: [
    { type: "turns", host: "box.meet.example", port: 5349, transport: "tcp", secret: "s" },
    { type: "stun", host: "192.0.2.1", port: 3478, transport: "udp" },
  ],
};
const toEpoch = (): EpochMillis => 1_787_000_000_000 as EpochMillis;

test("TURN services appear in metadata as clients read them, with credentials of the occupant", () => {
  const sender = { jid: jid("ana", "meet.test", "r"), kind: "guest", admin: false } as const;
  const nothing = { id: undefined, lang: undefined, children: [] };
  const occupant = new Occupant("ana", sender, "participant", nothing, "id");
  const services = roomPolicies(CONFIG, toEpoch).services?.(new Turn(millis(0)), occupant);
  expect(services).toMatchObject([
    { type: "turns", host: "box.meet.example", port: "5349", transport: "tcp", username: "1787086400:ana" },
    { type: "stun", host: "192.0.2.1", port: "3478" },
  ]);
});

test("tokens close rooms unless guests are wanted; the table is handed on", () => {
  const tokens = { appId: "a", secret: "s", allowEmpty: false };
  expect(roomPolicies(CONFIG, toEpoch).token).toBeUndefined();
  expect(roomPolicies({ ...CONFIG, tokens }, toEpoch).token).toEqual({
    required: true,
    requireRoom: true,
    verifyTenant: false,
  });
  expect(roomPolicies({ ...CONFIG, tokens: { ...tokens, allowEmpty: true } }, toEpoch).token?.required).toBe(false);
  expect(roomPolicies({ ...CONFIG, tokens, guestDomain: "guest.meet.test" }, toEpoch).token?.required).toBe(false);
  expect(roomPolicies({ ...CONFIG, tokens, rooms: { verifyTenant: true } }, toEpoch).token?.verifyTenant).toBe(true);
  expect(roomPolicies({ ...CONFIG, rooms: { owners: "everybody", tenants: true } }, toEpoch)).toMatchObject({
    owners: "everybody",
    tenants: true,
  });
});
