import { expect, test } from "bun:test";
import { readMucClient, readMucClientId } from "./muc-client-json.ts";

const complete = {
  id: "shard-2",
  hostname: "10.0.0.2",
  domain: "auth.meet.example",
  username: "jvb",
  password: "secret",
  muc_jids: "JvbBrewery@internal.meet.example, second@internal.meet.example,second@internal.meet.example",
  muc_nickname: "box-1",
};

test("a client as the original is told of one", () => {
  expect(readMucClient({ ...complete, port: "6222", iq_handler_mode: "sync" })).toEqual({
    id: "shard-2",
    login: {
      host: "10.0.0.2",
      port: 6222,
      domain: "auth.meet.example",
      user: "jvb",
      password: "secret",
      security: "verified",
    },
    rooms: ["jvbbrewery@internal.meet.example", "second@internal.meet.example"],
    nick: "box-1",
  });
});

test("what is left out: the port is 5222, the domain is the host", () => {
  const { domain, ...rest } = complete;
  expect(domain).toBe("auth.meet.example");
  expect(readMucClient(rest)?.login).toMatchObject({ port: 5222, domain: "10.0.0.2" });
  expect(readMucClient({ ...complete, port: "" })?.login.port).toBe(5222);
});

test("names in any case; numbers and booleans are taken for their text", () => {
  const client = readMucClient({ ...complete, PORT: 6222, Disable_Certificate_Verification: true });
  expect(client?.login).toMatchObject({ port: 6222, security: "unverified" });
});

test.each([
  [{}, "verified"],
  [{ disable_certificate_verification: "false" }, "verified"],
  [{ disable_certificate_verification: "TRUE" }, "unverified"],
  [{ security_mode: "ifpossible" }, "verified"],
  [{ security_mode: "disabled", hostname: "127.0.0.1" }, "open"],
  [{ security_mode: "disabled" }, undefined],
  [{ security_mode: "sometimes" }, undefined],
] as const)("security %#", (members, security) => {
  expect(readMucClient({ ...complete, ...members })?.login.security).toBe(security);
});

test.each(
  [
    ...["id", "hostname", "username", "password", "muc_jids", "muc_nickname"].map((name) => ({
      ...complete,
      [name]: undefined,
    })),
    ...["hostname", "username", "password", "muc_jids", "muc_nickname"].map((name) => ({ ...complete, [name]: "" })),
    { ...complete, id: 7 },
    { ...complete, id: "x".repeat(2_000) },
    { ...complete, password: "x".repeat(2_000) },
    { ...complete, port: "0" },
    { ...complete, port: "70000" },
    { ...complete, port: "null" },
    { ...complete, muc_jids: "no-room.example" },
    { ...complete, muc_jids: "room@muc.example/nick" },
    { ...complete, muc_jids: Array.from({ length: 17 }, (_, index) => `b${index}@muc.example`).join() },
    null,
    [],
    "text",
    7,
  ].map((body) => ({ body })),
)("unusable: %#", ({ body }) => {
  expect(readMucClient(body)).toBeUndefined();
});

test("whom to remove", () => {
  expect(readMucClientId({ id: "shard-2" })).toBe("shard-2");
  for (const body of [{}, { id: 1 }, null, [], "shard-2"]) expect(readMucClientId(body)).toBeUndefined();
});
