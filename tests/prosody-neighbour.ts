/**
 * Tests only: our server and Debian's Prosody as neighbours, on loopback, finding each other by DNS and by route. They prove who they are by dialback,
 * with certificates of their own making, or by SASL EXTERNAL, with certificates of one authority and dialback switched off at both.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { XmppDomains } from "../appliance/config.ts";
import { Metrics } from "../appliance/metrics.ts";
import type { RunningPart } from "../appliance/part.ts";
import { type DnsResponder, dnsResponder } from "./dns-responder.ts";
import { freePorts, Prosody } from "./e2e/prosody.ts";
import { bindResource, loginAnonymously, openWebSocket, type Wire } from "./wire.ts";
import { TEST_LIMITS } from "./xmpp-dialogue.ts";

export const THEIRS = "prosody.test";
// Prosody's resolver answers for .test by itself.
export const OURS: XmppDomains = {
  domain: "meet.example",
  auth: "auth.meet.example",
  muc: "muc.meet.example",
  internalMuc: "internal-muc.meet.example",
  focus: "focus.meet.example",
  hidden: "hidden.meet.example",
};

export type Proof = "dialback" | "EXTERNAL";

interface Guest {
  readonly wire: Wire;
  readonly jid: string;
}

export class Neighbours {
  private constructor(
    readonly part: RunningPart,
    readonly prosody: Prosody,
    readonly metrics: Metrics,
    private readonly dns: DnsResponder,
    private readonly folder: string,
  ) {}

  /** Call it with the guard against ambient time off. */
  static async start(proof: Proof): Promise<Neighbours> {
    // pino reads the clock when it is loaded
    const { silentLogger } = await import("../appliance/log.ts");
    const { startXmpp } = await import("../appliance/xmpp/start.ts");
    const folder = mkdtempSync(join(tmpdir(), "parley-neighbours-"));
    const root = certificate(folder, "root", ["authority.example"]);
    const mine = certificate(folder, "ours", [OURS.domain, OURS.muc], "root");
    const their = certificate(folder, "theirs", [THEIRS, `muc.${THEIRS}`], "root");
    const [s2s = 0] = await freePorts(1);
    const dns = await dnsResponder(
      ["box.example"],
      Object.fromEntries(
        [OURS.domain, OURS.muc].map((domain) => [`_xmpp-server._tcp.${domain}`, { port: s2s, target: "box.example" }]),
      ),
    );
    const external = proof === "EXTERNAL";
    const prosody = await Prosody.start({
      domain: THEIRS,
      extra: `
modules_disabled = { "offline", "register"${external ? ', "dialback"' : ""} }
modules_enabled = { "roster", "saslauth", "tls", "disco", "ping", "websocket", "posix"${external ? "" : ', "dialback"'} }
allow_anonymous_s2s = true
s2s_secure_auth = ${external}
s2s_require_encryption = true
${external ? `ssl = { key = ${JSON.stringify(their.key)}, certificate = ${JSON.stringify(their.certificate)}, cafile = ${JSON.stringify(root.certificate)} }` : ""}
unbound = { resolvconf = false, forward = "127.0.0.1@${dns.port}", options = { ["do-not-query-localhost:"] = "no" } }
`,
    });
    const route = `127.0.0.1:${prosody.ports.s2s}`;
    const loopback = { host: "127.0.0.1", port: 0 };
    const metrics = new Metrics();
    const part = await startXmpp(
      {
        domains: OURS,
        c2s: loopback,
        http: loopback,
        tls: {
          certificateChain: readFileSync(mine.certificate, "utf8"),
          privateKey: readFileSync(mine.key, "utf8"),
        },
        accounts: [{ user: "focus", domain: OURS.auth, password: "secret", admin: true }],
        limits: TEST_LIMITS,
        focusAccount: `focus@${OURS.auth}`,
        externalServices: [],
        federation: {
          listen: { host: "127.0.0.1", port: s2s },
          domains: [],
          certificatesRequired: external,
          routes: { [THEIRS]: route, [`muc.${THEIRS}`]: route },
          ...(external ? { roots: readFileSync(root.certificate, "utf8") } : {}),
        },
      },
      { log: silentLogger, metrics },
    );
    return new Neighbours(part, prosody, metrics, dns, folder);
  }

  ourGuest(): Promise<Guest> {
    return guest(`ws://127.0.0.1:${this.part.ports["xmppHttp"]}/xmpp-websocket`, OURS.domain);
  }

  theirGuest(): Promise<Guest> {
    return guest(`ws://127.0.0.1:${this.prosody.ports.http}/xmpp-websocket`, THEIRS, { host: THEIRS });
  }

  async stop(): Promise<void> {
    await this.part.stop(1_000);
    await this.prosody.stop();
    this.dns.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

async function guest(url: string, domain: string, headers: Record<string, string> = {}): Promise<Guest> {
  const { wire } = await openWebSocket(url, headers);
  await loginAnonymously(wire, domain);
  const jid = await bindResource(wire);
  wire.send('<presence xmlns="jabber:client"/>');
  return { wire, jid };
}

/** Paths of a certificate for these names and its key; signed by itself, or by the one called `by`. */
function certificate(
  folder: string,
  name: string,
  domains: readonly string[],
  by?: string,
): { readonly key: string; readonly certificate: string } {
  const paths = { key: join(folder, `${name}.key`), certificate: join(folder, `${name}.pem`) };
  const names = join(folder, `${name}.names`);
  writeFileSync(names, `subjectAltName=${domains.map((each) => `DNS:${each}`).join(",")}\n`);
  const openssl = (...words: readonly string[]): void => {
    const { status, stderr } = spawnSync("openssl", words, { stdio: "pipe" });
    if (status !== 0) throw new Error(`openssl ${words[0]}: ${stderr.toString()}`);
  };
  const subject = [
    ...["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
    "-subj",
    `/CN=${domains[0]}`,
  ];
  if (by === undefined)
    openssl("req", "-x509", "-days", "2", ...subject, "-keyout", paths.key, "-out", paths.certificate);
  else {
    const request = join(folder, `${name}.csr`);
    openssl("req", ...subject, "-keyout", paths.key, "-out", request);
    const signer = ["-CA", join(folder, `${by}.pem`), "-CAkey", join(folder, `${by}.key`), "-CAcreateserial"];
    openssl("x509", "-req", "-days", "2", "-in", request, ...signer, "-extfile", names, "-out", paths.certificate);
  }
  return paths;
}
