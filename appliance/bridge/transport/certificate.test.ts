import { describe, expect, test } from "bun:test";
import { createHash, createPrivateKey, X509Certificate } from "node:crypto";
import { seededBytes } from "../../simulated-network.ts";
import type { EpochMillis } from "../../time.ts";
import { certificateIsStale, makeCertificate } from "./certificate.ts";

describe("the bridge's certificate", () => {
  const now = Date.UTC(2026, 10, 21, 12) as EpochMillis;
  const certificate = makeCertificate(now, seededBytes(5));
  const read = new X509Certificate(certificate.der);

  test("is what X.509 readers understand, signed by its own key", () => {
    expect(read.subject).toBe("CN=parley");
    expect(read.issuer).toBe("CN=parley");
    expect(read.verify(read.publicKey)).toBe(true);
    expect(read.publicKey.asymmetricKeyDetails?.namedCurve).toBe("prime256v1");
    const key = createPrivateKey({ key: Buffer.from(certificate.privateKeyDer), format: "der", type: "pkcs8" });
    expect(read.checkPrivateKey(key)).toBe(true);
  });

  test("is valid from a day ago for a week", () => {
    expect(new Date(read.validFrom).getTime()).toBe(now - 86_400_000);
    expect(new Date(read.validTo).getTime()).toBe(now + 7 * 86_400_000);
  });

  test("the fingerprint is the SHA-256 of its bytes", () => {
    expect(certificate.fingerprint).toMatch(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
    const digest = createHash("sha256").update(certificate.der).digest("hex").toUpperCase();
    expect(certificate.fingerprint.replaceAll(":", "")).toBe(digest);
  });

  test("goes stale after a day", () => {
    expect(certificateIsStale(certificate, (now + 86_399_000) as EpochMillis)).toBe(false);
    expect(certificateIsStale(certificate, (now + 86_400_000) as EpochMillis)).toBe(true);
  });

  test("dates from 2050 on are written in the other form", () => {
    const far = Date.UTC(2050, 5, 1) as EpochMillis;
    const later = new X509Certificate(makeCertificate(far, seededBytes(6)).der);
    expect(new Date(later.validTo).getTime()).toBe(far + 7 * 86_400_000);
  });
});
