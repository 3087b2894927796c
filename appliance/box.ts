/**
 * Shell: gets a machine ready to run parts: folders, secrets, certificates, how the XMPP server is verified. What it finds is a plain value.
 */
import { existsSync, readFileSync } from "node:fs";
import { type CertificateRequest, type Certificates, readCertificates, webNames } from "./certificates.ts";
import type { Settings } from "./config/options.ts";
import { domainsOf, type SliceContext } from "./config/slices.ts";
import type { ServerTrust, TlsIdentity } from "./config.ts";
import { DataFolder, StartFault } from "./data-folder.ts";
import { machineAddresses, machineName } from "./machine.ts";

export type PartName = "xmpp" | "focus" | "gateway" | "bridge";

export interface Box {
  readonly name: string;
  readonly folder: DataFolder;
  readonly context: SliceContext;
  readonly trust: ServerTrust;
  /** Present where xmpp or the gateway runs. */
  readonly certificates: Certificates | undefined;
  /** What the gateway shows: a certificate of the owner's, or the box's own. */
  readonly web: TlsIdentity | undefined;
  /** PEM of xmpp.federation.roots. */
  readonly federationRoots: string | undefined;
  /** Names and addresses that requests may name. */
  readonly hosts: readonly string[];
}

/** Where the program itself lies: the folder with package.json. */
export const programFolder = new URL("..", import.meta.url).pathname;
export const mainFile = new URL("./main.ts", import.meta.url).pathname;

const readPem = (key: string, path: string): string => {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new StartFault(`${key}: ${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
};

const trustOf = (settings: Settings, certificates: Certificates | undefined, folder: DataFolder): ServerTrust => {
  const how = settings["server.tls"];
  if (how === "insecure") return { kind: "insecure" };
  if (how.startsWith("pin:")) return { kind: "pin", sha256: how.slice("pin:".length) };
  if (how.startsWith("ca:")) return { kind: "ca", certificates: readPem("server.tls", how.slice("ca:".length)) };
  if (certificates !== undefined) return { kind: "ca", certificates: certificates.root };
  const root = folder.file("tls", "root.crt");
  if (existsSync(root)) return { kind: "ca", certificates: readPem("server.tls", root) };
  throw new StartFault(
    `server.tls = "root" needs the box's root, but ${root} does not exist: copy it from the machine that runs xmpp, or name the server's certificate by "ca:FILE" or "pin:SHA-256"`,
  );
};

const password = (
  settings: Settings,
  key: "focus.password" | "bridge.password",
  folder: DataFolder,
  xmppHere: boolean,
): string => {
  if (settings[key] !== "") return settings[key];
  const user = key === "focus.password" ? settings["focus.user"] : settings["bridge.user"];
  if (xmppHere || existsSync(folder.file("secrets", user))) return folder.secret(user);
  throw new StartFault(
    `${key} is needed: the XMPP server at ${settings["server.host"]} runs elsewhere and knows the account ${user} with its own password`,
  );
};

/** Runs the program once more to issue certificates, so that the X.509 library stays out of processes that live on. */
const issueApart = async (folder: DataFolder, request: CertificateRequest): Promise<void> => {
  const child = Bun.spawn([process.execPath, mainFile, "issue-certificates", folder.path], {
    stdin: new Blob([JSON.stringify(request)]),
    stdout: "ignore",
    stderr: "pipe",
  });
  const [said, code] = await Promise.all([new Response(child.stderr).text(), child.exited]);
  if (code !== 0) throw new StartFault(said.trim().split("\n").at(-1) ?? "certificates cannot be issued");
};

const certificateRequest = (settings: Settings, name: string): CertificateRequest => ({
  boxName: name,
  domains: domainsOf(settings),
  names: settings["gateway.hosts"],
});

/** The certificates of this machine, made or renewed where they no longer fit. */
export const currentCertificates = async (
  settings: Settings,
  name: string,
  folder: DataFolder,
): Promise<Certificates> => {
  const request = certificateRequest(settings, name);
  const present = readCertificates(folder, request);
  if (present !== undefined) return present;
  await issueApart(folder, request);
  const issued = readCertificates(folder, request);
  if (issued === undefined)
    throw new StartFault(`${folder.file("tls")}: the certificates just made do not fit; is the clock right?`);
  return issued;
};

export const allowedHosts = (settings: Settings, name: string): string[] => [
  ...new Set([
    ...webNames(certificateRequest(settings, name)),
    ...settings["gateway.hosts"],
    ...(settings["bridge.channel_host"] === "" ? [] : [settings["bridge.channel_host"].replace(/:\d+$/, "")]),
    "127.0.0.1",
    "::1",
    settings["listen.address"],
    ...machineAddresses().map((each) => each.address),
  ]),
];

export const webIdentity = (settings: Settings, certificates: Certificates): TlsIdentity =>
  settings["gateway.certificate"] === ""
    ? certificates.web
    : {
        certificateChain: readPem("gateway.certificate", settings["gateway.certificate"]),
        privateKey: readPem("gateway.key", settings["gateway.key"]),
      };

/** Everything that `parts` need of this machine. Throws StartFault with one line where something is missing. */
export const prepareBox = async (settings: Settings, dataFolder: string, parts: readonly PartName[]): Promise<Box> => {
  const folder = new DataFolder(dataFolder);
  folder.prepare();
  const name = settings["box.name"] === "" ? machineName() : settings["box.name"];
  const xmppHere = parts.includes("xmpp");
  const certificates =
    xmppHere || parts.includes("gateway") ? await currentCertificates(settings, name, folder) : undefined;
  const needs = (part: PartName): boolean => xmppHere || parts.includes(part);
  return {
    name,
    folder,
    context: {
      settings,
      database: folder.file("parley.sqlite"),
      ipv6: machineAddresses().some((each) => each.family === 6),
      focusPassword: needs("focus") ? password(settings, "focus.password", folder, xmppHere) : "",
      bridgePassword: needs("bridge") ? password(settings, "bridge.password", folder, xmppHere) : "",
    },
    trust:
      parts.includes("focus") || parts.includes("bridge")
        ? trustOf(settings, certificates, folder)
        : { kind: "insecure" },
    certificates,
    web: certificates === undefined ? undefined : webIdentity(settings, certificates),
    federationRoots:
      settings["xmpp.federation.roots"] === ""
        ? undefined
        : readPem("xmpp.federation.roots", settings["xmpp.federation.roots"]),
    hosts: allowedHosts(settings, name),
  };
};
