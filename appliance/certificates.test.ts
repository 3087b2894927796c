import { afterAll, beforeAll, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { useRealTime } from "../tests/real-time.ts";
import { type CertificateRequest, issueCertificates, readCertificates } from "./certificates.ts";
import { DataFolder } from "./data-folder.ts";

useRealTime();

const DOMAINS = {
  domain: "meet.jitsi",
  auth: "auth.meet.jitsi",
  muc: "muc.meet.jitsi",
  internalMuc: "internal-muc.meet.jitsi",
  focus: "focus.meet.jitsi",
  hidden: "hidden.meet.jitsi",
};
const REQUEST: CertificateRequest = { boxName: "box", domains: DOMAINS, names: ["meet.local", "192.168.7.7"] };

const path = mkdtempSync(join(tmpdir(), "parley-certificates-"));
const folder = new DataFolder(path);
beforeAll(() => folder.prepare());
afterAll(() => rmSync(path, { recursive: true, force: true }));

const serialOf = (pem: string): string => new X509Certificate(pem).serialNumber;

test("what is missing is issued: a root, a leaf for pages, a leaf for XMPP", async () => {
  expect(readCertificates(folder, REQUEST)).toBeUndefined();
  await issueCertificates(folder, REQUEST);
  const certificates = readCertificates(folder, REQUEST);
  if (certificates === undefined) throw new Error("none");
  const web = new X509Certificate(certificates.web.certificateChain);
  for (const name of ["localhost", "box", "box.local", "meet.local"])
    expect([name, web.checkHost(name)]).toEqual([name, name]);
  for (const address of ["127.0.0.1", "192.168.7.7"])
    expect([address, web.checkIP(address)]).toEqual([address, address]);
  const xmpp = new X509Certificate(certificates.xmpp.certificateChain);
  for (const name of Object.values(DOMAINS)) expect([name, xmpp.checkHost(name)]).toEqual([name, name]);
  // BoringSSL refuses addresses under constraints on addresses.
  expect(xmpp.subjectAltName).not.toContain("IP Address");
  for (const name of ["root", "web", "xmpp"])
    expect([name, statSync(folder.file("tls", `${name}.key`)).mode & 0o777]).toEqual([name, 0o600]);
});

test("what fits is kept", async () => {
  const before = readCertificates(folder, REQUEST);
  await issueCertificates(folder, REQUEST);
  expect(readCertificates(folder, REQUEST)).toEqual(before);
});

test("a new address gets a new leaf under the same root", async () => {
  const before = readCertificates(folder, REQUEST);
  const wanted = { ...REQUEST, names: [...REQUEST.names, "10.9.9.9"] };
  expect(readCertificates(folder, wanted)).toBeUndefined();
  await issueCertificates(folder, wanted);
  const after = readCertificates(folder, wanted);
  expect(after?.root).toBe(before?.root ?? "");
  expect(after?.xmpp).toEqual(before?.xmpp);
  expect(serialOf(after?.web.certificateChain ?? "")).not.toBe(serialOf(before?.web.certificateChain ?? ""));
});

test("a public address is left out, and does not ask for a new leaf at every look", async () => {
  const wanted = { ...REQUEST, names: [...REQUEST.names, "198.51.100.1"] };
  await issueCertificates(folder, wanted);
  const certificates = readCertificates(folder, wanted);
  expect(new X509Certificate(certificates?.web.certificateChain ?? "").checkIP("198.51.100.1")).toBeUndefined();
});

test("XMPP domains that the root may not vouch for are a fault with its mend, not a silent new root", async () => {
  const other = { ...REQUEST, domains: { ...DOMAINS, domain: "example.org" } };
  await expect(issueCertificates(folder, other)).rejects.toThrow("cannot vouch for example.org");
});
