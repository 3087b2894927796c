import { describe, expect, test } from "bun:test";
import { deriveKey, exporterLength, sessionKeys, splitExportedKeys } from "./srtp-keys.ts";

const fromHex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "hex"));
const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex").toUpperCase();

describe("key derivation", () => {
  const key = fromHex("E1F97A0D3E018BE0D64FA32C06DE4139");
  const salt = fromHex("0EC675AD498AFEEBB6960B3AABE6");

  test("RFC 3711 B.3: cipher key, salt, authentication key", () => {
    expect(toHex(deriveKey(key, salt, 0, 16))).toBe("C61E7A93744F39EE10734AFE3FF7A087");
    expect(toHex(deriveKey(key, salt, 2, 14))).toBe("30CBBC08863D8C85D49DB34A9AE1");
    expect(toHex(deriveKey(key, salt, 1, 94))).toBe(
      "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA48F0A0ACF3C34E2359E6CDBCEE049646C43D9327AD175578EF72270986371C10C9A369AC2F94A8C5FBCDDDC256D6E919A48B610EF17C2041E474035766B68642C59BBFC2F34DB60DBDFB2",
    );
  });

  test("RFC 6188 7.2: AES-256 derives with the 256-bit PRF", () => {
    const long = fromHex("F0F04914B513F2763A1B1FA130F10E2998F6F6E43E4309D1E622A0E332B9F1B6");
    const longSalt = fromHex("3B04803DE51EE7C96423AB5B78D2");
    expect(toHex(deriveKey(long, longSalt, 0, 32))).toBe(
      "5BA1064E30EC51613CAD926C5A28EF731EC7FB397F70A960653CAF06554CD8C4",
    );
    expect(toHex(deriveKey(long, longSalt, 2, 14))).toBe("FA31791685CA444A9E07C6C64E93");
  });

  test("session keys have the lengths of their profile, RTP and RTCP apart", () => {
    const cm = sessionKeys("AES128_CM_HMAC_SHA1_80", { key, salt });
    expect([cm.rtp.key.length, cm.rtp.salt.length, cm.rtp.authKey.length]).toEqual([16, 14, 20]);
    expect(cm.rtp.key).not.toEqual(cm.rtcp.key);
    const gcm = sessionKeys("AEAD_AES_128_GCM", { key, salt: salt.slice(0, 12) });
    expect([gcm.rtp.key.length, gcm.rtp.salt.length, gcm.rtp.authKey.length]).toEqual([16, 12, 0]);
    expect(() => sessionKeys("AEAD_AES_128_GCM", { key, salt })).toThrow(RangeError);
  });

  test("RFC 5764 4.2: client key, server key, client salt, server salt", () => {
    for (const profile of ["AES128_CM_HMAC_SHA1_80", "AEAD_AES_128_GCM"] as const) {
      const material = Uint8Array.from({ length: exporterLength(profile) }, (_, i) => i);
      const { client, server } = splitExportedKeys(profile, material);
      expect([...client.key, ...server.key, ...client.salt, ...server.salt]).toEqual([...material]);
    }
    expect(exporterLength("AES128_CM_HMAC_SHA1_80")).toBe(60);
    expect(exporterLength("AEAD_AES_128_GCM")).toBe(56);
    expect(() => splitExportedKeys("AEAD_AES_128_GCM", new Uint8Array(55))).toThrow(RangeError);
  });
});
