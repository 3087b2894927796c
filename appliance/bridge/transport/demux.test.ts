import { expect, test } from "bun:test";
import { classifyDatagram } from "./demux.ts";

test("RFC 7983 7: classes by the first byte, every value", () => {
  for (let first = 0; first < 256; first++) {
    const expected =
      first <= 3 ? "stun" : first >= 20 && first <= 63 ? "dtls" : first >= 128 && first <= 191 ? "rtp" : "unknown";
    expect(classifyDatagram(Uint8Array.of(first, 0))).toBe(expected);
  }
});

test("RFC 5761 4: RTCP by the second byte, every value", () => {
  for (let second = 0; second < 256; second++)
    expect(classifyDatagram(Uint8Array.of(0x80, second))).toBe(second >= 192 && second <= 223 ? "rtcp" : "rtp");
});

test("too short is unknown; an offset counts", () => {
  expect(classifyDatagram(new Uint8Array(0))).toBe("unknown");
  expect(classifyDatagram(Uint8Array.of(0x80))).toBe("unknown");
  expect(classifyDatagram(Uint8Array.of(0x80, 200, 22), 2)).toBe("dtls");
});
