import { beforeAll, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import type { TlsIdentity } from "../config.ts";
import type { EpochMillis } from "../time.ts";
import { createIssuer } from "./tls.ts";

const NOW = Date.UTC(2026, 5, 1) as EpochMillis;
const DAY_MS = 86_400_000;
let count = 0;
const issuer = createIssuer(NOW, () => (++count).toString(16).padStart(32, "0"));

let root: TlsIdentity;
let leaf: TlsIdentity;

beforeAll(async () => {
  root = await issuer.makeRoot({
    commonName: "box root 1234",
    names: ["local", "box"],
    ranges: ["203.0.113.0/24"],
    criticalConstraints: true,
  });
  leaf = await issuer.makeLeaf(root, {
    commonName: "box.local",
    names: ["box.local", "box"],
    addresses: ["10.0.0.5", "fd00::5"],
  });
});

test("the root is a CA for leaves only, for ten years, and says what it may vouch for", () => {
  const certificate = new X509Certificate(root.certificateChain);
  expect(certificate.ca).toBe(true);
  expect(certificate.subject).toContain("CN=box root 1234");
  expect(certificate.verify(certificate.publicKey)).toBe(true);
  expect(Date.parse(certificate.validFrom)).toBe(NOW - DAY_MS);
  expect(Math.round((Date.parse(certificate.validTo) - NOW) / DAY_MS)).toBe(3_652);
  const hex = Buffer.from(certificate.raw).toString("hex");
  // id-ce-nameConstraints, critical (RFC 5280 4.2.1.10).
  expect(hex).toContain("0603551d1e0101ff");
  // Subtrees: dNSName "box" and iPAddress 10.0.0.0/8.
  expect(hex).toContain(`30058203${Buffer.from("box").toString("hex")}`);
  expect(hex).toContain("300a87080a000000ff000000");
  expect(hex).toContain("300a8708cb007100ffffff00");
});

test("a build for devices that refuse critical constraints leaves that mark out", async () => {
  const soft = await issuer.makeRoot({ commonName: "r", names: ["local"], ranges: [], criticalConstraints: false });
  const hex = Buffer.from(new X509Certificate(soft.certificateChain).raw).toString("hex");
  expect(hex).toContain("0603551d1e");
  expect(hex).not.toContain("0603551d1e0101ff");
});

test("a leaf is the root's, for its names and addresses alone, at most 397 days", () => {
  const certificate = new X509Certificate(leaf.certificateChain);
  const parent = new X509Certificate(root.certificateChain);
  expect(certificate.ca).toBe(false);
  expect(certificate.checkIssued(parent)).toBe(true);
  expect(certificate.verify(parent.publicKey)).toBe(true);
  expect([
    certificate.checkHost("box.local"),
    certificate.checkHost("box"),
    certificate.checkHost("other.local"),
  ]).toEqual(["box.local", "box", undefined]);
  expect([certificate.checkIP("10.0.0.5"), certificate.checkIP("10.0.0.6")]).toEqual(["10.0.0.5", undefined]);
  expect(certificate.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1"]);
  const days = (Date.parse(certificate.validTo) - Date.parse(certificate.validFrom)) / DAY_MS;
  expect(days).toBeLessThanOrEqual(397);
});

test("each certificate has a key and a serial number of its own", async () => {
  const other = await issuer.makeLeaf(root, { commonName: "box.local", names: ["box.local"], addresses: [] });
  expect(other.privateKey).not.toBe(leaf.privateKey);
  expect(new X509Certificate(other.certificateChain).serialNumber).not.toBe(
    new X509Certificate(leaf.certificateChain).serialNumber,
  );
});
