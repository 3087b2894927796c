import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { seededBytes, seededRandom } from "../../simulated-network.ts";
import { checkIntegrity, hex, parseStun, STUN_MAX_BYTES, type StunFields, writeStun } from "./stun.ts";

const fromHex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text.replace(/\s/g, ""), "hex"));

/** RFC 5769 §2. */
const REQUEST = fromHex(`
  00 01 00 58 21 12 a4 42 b7 e7 a7 01 bc 34 d6 86 fa 87 df ae
  80 22 00 10 53 54 55 4e 20 74 65 73 74 20 63 6c 69 65 6e 74
  00 24 00 04 6e 00 01 ff
  80 29 00 08 93 2f f9 b1 51 26 3b 36
  00 06 00 09 65 76 74 6a 3a 68 36 76 59 20 20 20
  00 08 00 14 9a ea a7 0c bf d8 cb 56 78 1e f2 b5 b2 d3 f2 49 c1 b5 71 a2
  80 28 00 04 e5 7a 3b cf`);
const IPV4_RESPONSE = fromHex(`
  01 01 00 3c 21 12 a4 42 b7 e7 a7 01 bc 34 d6 86 fa 87 df ae
  80 22 00 0b 74 65 73 74 20 76 65 63 74 6f 72 20
  00 20 00 08 00 01 a1 47 e1 12 a6 43
  00 08 00 14 2b 91 f5 99 fd 9e 90 c3 8c 74 89 f9 2a f9 ba 53 f0 6b e7 d7
  80 28 00 04 c0 7d 4c 96`);
const IPV6_RESPONSE = fromHex(`
  01 01 00 48 21 12 a4 42 b7 e7 a7 01 bc 34 d6 86 fa 87 df ae
  80 22 00 0b 74 65 73 74 20 76 65 63 74 6f 72 20
  00 20 00 14 00 02 a1 47 01 13 a9 fa a5 d3 f1 79 bc 25 f4 b5 be d2 b9 d9
  00 08 00 14 a3 82 95 4e 4b e6 7b f1 17 84 c9 7c 82 92 c2 75 bf e3 ed 41
  80 28 00 04 c8 fb 0b 4c`);
const LONG_TERM_REQUEST = fromHex(`
  00 01 00 60 21 12 a4 42 78 ad 34 33 c6 ad 72 c0 29 da 41 2e
  00 06 00 12 e3 83 9e e3 83 88 e3 83 aa e3 83 83 e3 82 af e3 82 b9 00 00
  00 15 00 1c 66 2f 2f 34 39 39 6b 39 35 34 64 36 4f 4c 33 34 6f 4c 39 46 53 54 76 79 36 34 73 41
  00 14 00 0b 65 78 61 6d 70 6c 65 2e 6f 72 67 00
  00 08 00 14 f6 70 24 65 6d d6 4a 3e 02 b8 e0 71 2e 85 c9 a2 8c a8 96 66`);
const PASSWORD = "VOkJxbRl1RmTxUk/WvJxBt";
const TRANSACTION = "b7e7a701bc34d686fa87dfae";

describe("RFC 5769 vectors", () => {
  test("2.1 request", () => {
    const message = parseStun(REQUEST);
    expect(message).toMatchObject({
      class: "request",
      method: 1,
      transaction: TRANSACTION,
      username: "evtj:h6vY",
      priority: 0x6e0001ff,
      controlled: "932ff9b151263b36",
      useCandidate: false,
      fingerprint: true,
      unknownRequired: [],
    });
    expect(message !== undefined && checkIntegrity(REQUEST, message, PASSWORD)).toBe(true);
    expect(message !== undefined && checkIntegrity(REQUEST, message, `${PASSWORD}x`)).toBe(false);
  });

  test("2.2 IPv4 response, 2.3 IPv6 response", () => {
    for (const [bytes, address] of [
      [IPV4_RESPONSE, "192.0.2.1"],
      [IPV6_RESPONSE, "2001:db8:1234:5678:11:2233:4455:6677"],
    ] as const) {
      const message = parseStun(bytes);
      expect(message).toMatchObject({
        class: "success",
        fingerprint: true,
        mappedAddress: { address, port: 32853 },
      });
      expect(message !== undefined && checkIntegrity(bytes, message, PASSWORD)).toBe(true);
    }
  });

  test("2.4 request with long-term credentials: the key is a digest", () => {
    const message = parseStun(LONG_TERM_REQUEST);
    const key = createHash("md5").update("マトリックス:example.org:TheMatrIX").digest();
    expect(message?.username).toBe("マトリックス");
    expect(message?.fingerprint).toBeUndefined();
    expect(message !== undefined && checkIntegrity(LONG_TERM_REQUEST, message, key)).toBe(true);
  });
});

describe("writing", () => {
  const messages: readonly (readonly [string, StunFields])[] = [
    [
      "check",
      {
        class: "request",
        transaction: TRANSACTION,
        username: "abcd:efgh",
        priority: 0xfffffffe,
        useCandidate: true,
        controlling: "ffffffffffffffff",
      },
    ],
    [
      "controlled check",
      { class: "request", transaction: TRANSACTION, username: "a:b", controlled: "0000000000000001" },
    ],
    ["v4", { class: "success", transaction: TRANSACTION, mappedAddress: { address: "255.0.1.254", port: 65535 } }],
    ["v6", { class: "success", transaction: TRANSACTION, mappedAddress: { address: "2001:db8::1", port: 1 } }],
    ["mapped", { class: "success", transaction: TRANSACTION, mappedAddress: { address: "::ffff:1.2.3.4", port: 9 } }],
    ["indication", { class: "indication", transaction: TRANSACTION }],
  ];
  for (const [name, fields] of messages)
    test(`${name}: what is written is read back`, () => {
      for (const key of [undefined, "password"]) {
        const bytes = writeStun(fields, key);
        const message = parseStun(bytes);
        expect(message).toMatchObject(fields);
        expect(message?.fingerprint).toBe(true);
        expect(message !== undefined && checkIntegrity(bytes, message, "password")).toBe(key !== undefined);
      }
    });

  test("errors carry code and unknown attributes", () => {
    const fields: StunFields = {
      class: "error",
      transaction: TRANSACTION,
      error: { code: 487, reason: "Role Conflict" },
      unknownAttributes: [0x7777],
      software: "parley",
    };
    expect(parseStun(writeStun(fields))).toMatchObject({ class: "error", errorCode: 487, unknownRequired: [] });
    const full = parseStun(writeStun({ ...fields, error: { code: 420, reason: "" } }));
    expect(full?.errorCode).toBe(420);
  });
});

describe("reading", () => {
  const check = writeStun(
    { class: "request", transaction: TRANSACTION, username: "abcd:efgh", useCandidate: true },
    "password",
  );

  /** The check with an attribute put before MESSAGE-INTEGRITY, or behind it. */
  const withAttribute = (type: number, value: readonly number[], behind = false): Uint8Array => {
    const at = check.length - 8 - (behind ? 0 : 24);
    const padded = [...value, ...new Array<number>((4 - (value.length % 4)) % 4).fill(0)];
    const bytes = Uint8Array.from([
      ...check.subarray(0, at),
      type >> 8,
      type & 255,
      0,
      value.length,
      ...padded,
      ...check.subarray(at, check.length - 8),
    ]);
    bytes[3] = bytes.length - 20;
    return bytes;
  };

  test("required attributes that we do not know are listed, optional ones skipped", () => {
    expect(parseStun(withAttribute(0x7abc, [1, 2, 3]))?.unknownRequired).toEqual([0x7abc]);
    expect(parseStun(withAttribute(0xc057, [0, 1, 0, 50]))?.unknownRequired).toEqual([]);
    expect(parseStun(withAttribute(0x0014, [65]))?.unknownRequired).toEqual([]);
  });

  test("what follows MESSAGE-INTEGRITY does not count", () => {
    const message = parseStun(withAttribute(0x802a, [1, 2, 3, 4, 5, 6, 7, 8], true));
    expect(message?.controlling).toBeUndefined();
    expect(parseStun(withAttribute(0x802a, [1, 2, 3, 4, 5, 6, 7, 8]))?.controlling).toBe("0102030405060708");
  });

  test("wrong sizes are refused", () => {
    for (const [type, size] of [
      [0x0024, 3],
      [0x0024, 8],
      [0x8029, 4],
      [0x802a, 12],
      [0x0020, 7],
      [0x0009, 3],
    ] as const)
      expect(parseStun(withAttribute(type, new Array<number>(size).fill(1)))).toBeUndefined();
    expect(parseStun(new Uint8Array(STUN_MAX_BYTES + 4))).toBeUndefined();
    expect(parseStun(check.subarray(0, 19))).toBeUndefined();
    const cookie = check.slice();
    cookie[4] = 0;
    expect(parseStun(cookie)).toBeUndefined();
  });

  test("a changed byte breaks fingerprint or integrity", () => {
    for (let at = 0; at < check.length; at++) {
      const changed = check.slice();
      changed[at] = (changed[at] as number) ^ 1;
      const message = parseStun(changed);
      if (message === undefined) continue;
      const whole = message.fingerprint === true && checkIntegrity(changed, message, "password");
      expect(whole).toBe(false);
    }
  });

  test("property: never throws on mutated or random bytes, and what is read can be checked", () => {
    const seed = 42;
    const random = seededRandom(seed);
    const bytes = seededBytes(seed);
    const origins = [REQUEST, IPV4_RESPONSE, IPV6_RESPONSE, check];
    for (let n = 0; n < 20_000; n++) {
      const origin = origins[n % origins.length] as Uint8Array;
      const mutated = n % 5 === 0 ? bytes(Math.floor(random() * 120)) : origin.slice();
      for (let change = Math.floor(random() * 6); change > 0; change--)
        mutated[Math.floor(random() * mutated.length)] = Math.floor(random() * 256);
      const cut = random() < 0.2 ? mutated.subarray(0, Math.floor(random() * mutated.length)) : mutated;
      const message = parseStun(cut);
      if (message !== undefined) checkIntegrity(cut, message, PASSWORD);
    }
  });

  test("hex", () => expect(hex(Uint8Array.of(0, 15, 255))).toBe("000fff"));
});
