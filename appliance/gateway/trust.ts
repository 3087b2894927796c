/**
 * What people need to trust the box's root (product.md 6.4): the certificate itself and Apple's configuration profile with it. Pure.
 */
import { createHash } from "node:crypto";

/** DER of the first certificate of a PEM text. */
export const derOfPem = (pem: string): Uint8Array => {
  const match = /-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/.exec(pem);
  return new Uint8Array(Buffer.from((match?.[1] ?? "").replaceAll(/\s/g, ""), "base64"));
};

/** A UUID that stays the same for the same root, so that a second installation replaces the first. RFC 9562 5.8. */
const stableUuid = (der: Uint8Array, purpose: string): string => {
  const hash = createHash("sha256").update(purpose).update(der).digest();
  hash[6] = ((hash[6] ?? 0) & 0x0f) | 0x80;
  hash[8] = ((hash[8] ?? 0) & 0x3f) | 0x80;
  const hex = hash.toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)]
    .join("-")
    .toUpperCase();
};

const xmlText = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

/** Unsigned profile with one root payload. */
export const appleProfile = (rootPem: string, boxName: string): string => {
  const der = derOfPem(rootPem);
  const name = xmlText(`${boxName} (Parley)`);
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0"><dict>
<key>PayloadContent</key><array><dict>
<key>PayloadCertificateFileName</key><string>box.crt</string>
<key>PayloadContent</key><data>${Buffer.from(der).toString("base64")}</data>
<key>PayloadDisplayName</key><string>${name}</string>
<key>PayloadIdentifier</key><string>org.parley.root.${stableUuid(der, "root")}</string>
<key>PayloadType</key><string>com.apple.security.root</string>
<key>PayloadUUID</key><string>${stableUuid(der, "root")}</string>
<key>PayloadVersion</key><integer>1</integer>
</dict></array>
<key>PayloadDisplayName</key><string>${name}</string>
<key>PayloadIdentifier</key><string>org.parley.profile.${stableUuid(der, "profile")}</string>
<key>PayloadRemovalDisallowed</key><false/>
<key>PayloadType</key><string>Configuration</string>
<key>PayloadUUID</key><string>${stableUuid(der, "profile")}</string>
<key>PayloadVersion</key><integer>1</integer>
</dict></plist>
`;
};
