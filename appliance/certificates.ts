/**
 * Shell: the certificates in `tls/` of the data folder: the box's root, the leaf of its pages, the leaf of its XMPP domains. Looks whether they still fit;
 * issuing itself loads an X.509 library and therefore happens in a process of its own that ends at once (`parley issue-certificates`).
 *
 * The XMPP leaf names domains only: BoringSSL refuses every certificate with addresses under a root whose name constraints list address ranges
 * ("unsupported name constraint type"), and the logins of focus and bridge are verified by it. Browsers understand such constraints.
 */
import { randomBytes, X509Certificate } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { wallNow } from "./clock.ts";
import type { TlsIdentity, XmppDomains } from "./config.ts";
import { type DataFolder, StartFault, writeFileSafely } from "./data-folder.ts";
import { inRanges, PRIVATE_RANGES } from "./gateway/address-ranges.ts";
import { type MachineAddress, machineAddresses } from "./machine.ts";

export interface CertificateRequest {
  readonly boxName: string;
  readonly domains: XmppDomains;
  /** Further names that people reach the box by. */
  readonly names: readonly string[];
}

export interface Certificates {
  readonly web: TlsIdentity;
  readonly xmpp: TlsIdentity;
  /** PEM of the root that both are under. */
  readonly root: string;
}

/** Share of a leaf's life after which it is renewed. */
const RENEW_AT = 2 / 3;

const xmppNames = (domains: XmppDomains): string[] => [...new Set(Object.values(domains) as string[])];

const isAddress = (name: string): boolean => name.includes(":") || /^\d+(\.\d+){3}$/.test(name);

/** Names in the leaf of the pages. */
export const webNames = (request: CertificateRequest): string[] => [
  ...new Set([
    "localhost",
    `${request.boxName}.local`,
    request.boxName,
    ...request.names.filter((name) => !isAddress(name)),
  ]),
];

const webAddresses = (request: CertificateRequest, machine: readonly MachineAddress[]): string[] => [
  ...new Set(["127.0.0.1", "::1", ...machine.map((each) => each.address), ...request.names.filter(isAddress)]),
];

const read = (folder: DataFolder, name: string): TlsIdentity | undefined => {
  const certificate = folder.file("tls", `${name}.crt`);
  const key = folder.file("tls", `${name}.key`);
  if (!existsSync(certificate) || !existsSync(key)) return undefined;
  return { certificateChain: readFileSync(certificate, "utf8"), privateKey: readFileSync(key, "utf8") };
};

/** Undefined: it still fits. Otherwise why not. */
const unfit = (
  identity: TlsIdentity | undefined,
  root: string,
  names: readonly string[],
  addresses: readonly string[],
): string | undefined => {
  if (identity === undefined) return "there is none";
  try {
    const leaf = new X509Certificate(identity.certificateChain);
    if (!leaf.verify(new X509Certificate(root).publicKey)) return "the root is another one";
    const from = Date.parse(leaf.validFrom);
    const to = Date.parse(leaf.validTo);
    const now = wallNow();
    if (now < from || now > from + (to - from) * RENEW_AT) return "its time is over";
    const missing =
      names.find((name) => leaf.checkHost(name, { wildcards: false }) === undefined) ??
      addresses.find((address) => leaf.checkIP(address) === undefined);
    return missing === undefined ? undefined : `it does not name ${missing}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
};

interface RootFile {
  readonly names: readonly string[];
  readonly ranges: readonly string[];
}

const readRootFile = (folder: DataFolder): RootFile | undefined => {
  const path = folder.file("tls", "root.json");
  if (!existsSync(path)) return undefined;
  const parsed: unknown = JSON.parse(readFileSync(path, "utf8"));
  if (typeof parsed !== "object" || parsed === null || !("names" in parsed) || !("ranges" in parsed)) return undefined;
  const texts = (value: unknown): string[] =>
    Array.isArray(value) ? value.filter((each) => typeof each === "string") : [];
  return { names: texts(parsed.names), ranges: texts(parsed.ranges) };
};

const covered = (name: string, permitted: readonly string[]): boolean =>
  permitted.some((each) => name === each || name.endsWith(`.${each}`));

/** The certificates if all of them fit; undefined if some must be issued. */
export const readCertificates = (folder: DataFolder, request: CertificateRequest): Certificates | undefined => {
  const root = read(folder, "root");
  const about = readRootFile(folder);
  if (root === undefined || about === undefined) return undefined;
  const web = read(folder, "web");
  const xmpp = read(folder, "xmpp");
  const names = webNames(request).filter((name) => covered(name, about.names));
  // Addresses outside the root's ranges are never in a leaf.
  const addresses = webAddresses(request, machineAddresses()).filter(isPrivate);
  if (unfit(web, root.certificateChain, names, addresses) !== undefined) return undefined;
  if (unfit(xmpp, root.certificateChain, xmppNames(request.domains), []) !== undefined) return undefined;
  return web === undefined || xmpp === undefined ? undefined : { web, xmpp, root: root.certificateChain };
};

const isPrivate = (address: string): boolean => inRanges(address, PRIVATE_RANGES);

/** Issues what is missing or no longer fits. Loads the X.509 library: call it in a process that ends soon. */
export const issueCertificates = async (folder: DataFolder, request: CertificateRequest): Promise<void> => {
  const { createIssuer } = await import("./gateway/tls.ts");
  const issuer = createIssuer(wallNow(), () => randomBytes(16).toString("hex"));
  const save = (name: string, identity: TlsIdentity): void => {
    writeFileSafely(folder.file("tls", `${name}.key`), identity.privateKey);
    writeFileSafely(folder.file("tls", `${name}.crt`), identity.certificateChain, 0o644);
  };
  let root = read(folder, "root");
  let about = readRootFile(folder);
  if (root === undefined || about === undefined) {
    about = {
      names: [
        "local",
        "localhost",
        request.boxName,
        request.domains.domain,
        ...request.names.filter((name) => !isAddress(name)),
      ],
      ranges: [],
    };
    root = await issuer.makeRoot({
      commonName: `${request.boxName} box root ${randomBytes(4).toString("hex")}`,
      names: about.names,
      ranges: about.ranges,
      criticalConstraints: true,
    });
    writeFileSafely(folder.file("tls", "root.json"), `${JSON.stringify(about)}\n`, 0o644);
    save("root", root);
  }
  const permitted = about.names;
  const strangers = xmppNames(request.domains).filter((name) => !covered(name, permitted));
  if (strangers.length > 0)
    throw new StartFault(
      `the box's root was made for other XMPP domains and cannot vouch for ${strangers.join(", ")}: move ${folder.file("tls")} away and a new root is made, which people must trust anew`,
    );
  const names = webNames(request).filter((name) => covered(name, permitted));
  const addresses = webAddresses(request, machineAddresses()).filter(isPrivate);
  if (unfit(read(folder, "web"), root.certificateChain, names, addresses) !== undefined)
    save("web", await issuer.makeLeaf(root, { commonName: `${request.boxName}.local`, names, addresses }));
  if (unfit(read(folder, "xmpp"), root.certificateChain, xmppNames(request.domains), []) !== undefined)
    save(
      "xmpp",
      await issuer.makeLeaf(root, {
        commonName: request.domains.domain,
        names: xmppNames(request.domains),
        addresses: [],
      }),
    );
};
