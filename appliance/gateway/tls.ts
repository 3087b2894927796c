/**
 * Certificates of the box: a root of its own and leaves under it (product.md 6.4), behind one interface. RFC 5280. Pure but for WebCrypto's signing:
 * time and serial numbers come in, PEM goes out; files are certificates.ts' matter. Loaded only when something is to be issued.
 */
import "reflect-metadata";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";
import type { TlsIdentity } from "../config.ts";
import type { EpochMillis } from "../time.ts";
import { addressAndMask, PRIVATE_RANGES } from "./address-ranges.ts";
import { der } from "./der.ts";

const DAY_MS = 86_400_000;
const ROOT_DAYS = 3_652;
/** Apple takes 825 days under a private root, browsers 397 under a public one: one figure for both. */
const LEAF_DAYS = 397;
/** Clocks of boxes without battery lag behind: certificates are valid from a day ago. */
const BACKDATE_MS = DAY_MS;

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

export interface RootRequest {
  /** Shown to people who install it. */
  readonly commonName: string;
  /** Names (with everything below them) that the root may vouch for. */
  readonly names: readonly string[];
  /** Address ranges beside the private ones. */
  readonly ranges: readonly string[];
  /** Apple's devices may refuse critical constraints (product.md 6.2): then false. */
  readonly criticalConstraints: boolean;
}

export interface LeafRequest {
  readonly commonName: string;
  readonly names: readonly string[];
  readonly addresses: readonly string[];
}

export interface Issuer {
  makeRoot(request: RootRequest): Promise<TlsIdentity>;
  makeLeaf(root: TlsIdentity, request: LeafRequest): Promise<TlsIdentity>;
}

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

/** NameConstraints (RFC 5280 4.2.1.10): a form that is not listed would be unlimited, so email and URI are listed with names that match nothing. */
const nameConstraints = (request: RootRequest): Extension => {
  const subtree = (name: Uint8Array): Uint8Array => der(0x30, name);
  const subtrees = [
    ...request.names.map((name) => subtree(der(0x82, ascii(name)))),
    ...[...PRIVATE_RANGES, ...request.ranges].map((range) => subtree(der(0x87, addressAndMask(range)))),
    subtree(der(0x81, ascii("nobody.invalid"))),
    subtree(der(0x86, ascii("nowhere.invalid"))),
  ];
  return new Extension("2.5.29.30", request.criticalConstraints, der(0x30, der(0xa0, ...subtrees)).slice().buffer);
};

const pkcs8Pem = async (key: CryptoKey): Promise<string> =>
  `${PemConverter.encode(await crypto.subtle.exportKey("pkcs8", key), "PRIVATE KEY")}\n`;

const generateKeys = (): Promise<CryptoKeyPair> => crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);

/** `serialNumber`: 16 random bytes in hex, a new one per call. */
export const createIssuer = (now: EpochMillis, serialNumber: () => string): Issuer => ({
  async makeRoot(request) {
    const keys = await generateKeys();
    const certificate = await X509CertificateGenerator.createSelfSigned({
      serialNumber: serialNumber(),
      name: [{ CN: [request.commonName] }, { O: ["Parley"] }],
      notBefore: new Date(now - BACKDATE_MS),
      notAfter: new Date(now + ROOT_DAYS * DAY_MS),
      signingAlgorithm: ALGORITHM,
      keys,
      extensions: [
        new BasicConstraintsExtension(true, 0, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
        await SubjectKeyIdentifierExtension.create(keys.publicKey),
        nameConstraints(request),
      ],
    });
    return { certificateChain: `${certificate.toString("pem")}\n`, privateKey: await pkcs8Pem(keys.privateKey) };
  },

  async makeLeaf(root, request) {
    const issuer = new X509Certificate(root.certificateChain);
    const signingKey = await crypto.subtle.importKey(
      "pkcs8",
      PemConverter.decodeFirst(root.privateKey),
      ALGORITHM,
      false,
      ["sign"],
    );
    const keys = await generateKeys();
    const certificate = await X509CertificateGenerator.create({
      serialNumber: serialNumber(),
      subject: [{ CN: [request.commonName] }],
      issuer: issuer.subject,
      notBefore: new Date(now - BACKDATE_MS),
      notAfter: new Date(Math.min(now + (LEAF_DAYS - 1) * DAY_MS, issuer.notAfter.getTime())),
      signingAlgorithm: ALGORITHM,
      publicKey: keys.publicKey,
      signingKey,
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
        new SubjectAlternativeNameExtension([
          ...request.names.map((value) => ({ type: "dns" as const, value })),
          ...request.addresses.map((value) => ({ type: "ip" as const, value })),
        ]),
        await SubjectKeyIdentifierExtension.create(keys.publicKey),
        await AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      ],
    });
    return { certificateChain: `${certificate.toString("pem")}\n`, privateKey: await pkcs8Pem(keys.privateKey) };
  },
});
