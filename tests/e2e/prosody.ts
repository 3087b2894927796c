/**
 * Shell: Debian's Prosody as a foreign XMPP server: MUC, anonymous login, WebSocket; none of Jitsi's plugins.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "./until.ts";

export interface ProsodyPorts {
  readonly c2s: number;
  readonly http: number;
  readonly component: number;
  readonly s2s: number;
}

/** Free TCP ports of the loopback, asked for at once so that they differ. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((done, fail) => {
          const server = createServer();
          server.once("error", fail);
          server.listen(0, "127.0.0.1", () => done(server));
        }),
    ),
  );
  const ports = servers.map((server) => {
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    return address.port;
  });
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  return ports;
}

const lua = (text: string): string => JSON.stringify(text);

export class Prosody {
  readonly folder: string;
  readonly ports: ProsodyPorts;
  readonly domain: string;
  /** PEM of the certificate it shows: its own root. */
  readonly certificate: string;
  readonly componentSecret: string;
  #child: ChildProcess;
  #log = "";

  private constructor(
    folder: string,
    ports: ProsodyPorts,
    domain: string,
    certificate: string,
    componentSecret: string,
  ) {
    this.folder = folder;
    this.ports = ports;
    this.domain = domain;
    this.certificate = certificate;
    this.componentSecret = componentSecret;
    this.#child = this.#spawn();
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get log(): string {
    return this.#log;
  }

  static async start(
    options: {
      readonly domain?: string;
      readonly accounts?: readonly { readonly user: string; readonly password: string }[];
      /** Lua put at the end of the global section. */
      readonly extra?: string;
    } = {},
  ): Promise<Prosody> {
    if (!existsSync("/usr/bin/prosody") && !existsSync("/usr/sbin/prosody"))
      throw new Error("prosody is not installed: install Debian's package prosody (./scripts/test does it as root)");
    const domain = options.domain ?? "prosody.test";
    const folder = mkdtempSync(join(tmpdir(), "parley-prosody-"));
    mkdirSync(join(folder, "data"));
    const [c2s = 0, http = 0, component = 0, s2s = 0] = await freePorts(4);
    const names = [domain, `auth.${domain}`, `muc.${domain}`, `internal-muc.${domain}`];
    const made = spawnSync(
      "openssl",
      [
        ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"],
        ...["-subj", `/CN=${domain}`, "-addext", `subjectAltName=${names.map((name) => `DNS:${name}`).join(",")}`],
        ...["-keyout", join(folder, "key.pem"), "-out", join(folder, "cert.pem")],
      ],
      { stdio: "pipe" },
    );
    if (made.status !== 0) throw new Error(`openssl: ${made.stderr.toString()}`);
    const certificate = await Bun.file(join(folder, "cert.pem")).text();
    const secret = "component-secret";
    writeFileSync(
      join(folder, "prosody.cfg.lua"),
      `
run_as_root = true
daemonize = false
pidfile = ${lua(join(folder, "prosody.pid"))}
data_path = ${lua(join(folder, "data"))}
log = { { levels = { min = "info" }, to = "console" } }
interfaces = { "127.0.0.1" }
c2s_ports = { ${c2s} }
s2s_ports = { ${s2s} }
http_ports = { ${http} }
http_interfaces = { "127.0.0.1" }
https_ports = { }
component_ports = { ${component} }
component_interfaces = { "127.0.0.1" }
consider_websocket_secure = true
consider_bosh_secure = true
cross_domain_websocket = true
http_default_host = ${lua(domain)}
modules_enabled = { "roster", "saslauth", "tls", "disco", "ping", "version", "websocket", "bosh", "smacks", "posix" }
modules_disabled = { "s2s", "offline", "register" }
c2s_require_encryption = true
ssl = { key = ${lua(join(folder, "key.pem"))}, certificate = ${lua(join(folder, "cert.pem"))} }
storage = "internal"
authentication = "internal_hashed"
${options.extra ?? ""}
VirtualHost ${lua(domain)}
  authentication = "anonymous"
VirtualHost ${lua(`auth.${domain}`)}
  authentication = "internal_hashed"
Component ${lua(`muc.${domain}`)} "muc"
  muc_room_locking = false
  muc_room_default_public_jids = true
  muc_tombstones = false
Component ${lua(`internal-muc.${domain}`)} "muc"
  muc_room_locking = false
  muc_room_default_public_jids = true
Component ${lua(`focus.${domain}`)}
  component_secret = ${lua(secret)}
`,
    );
    for (const { user, password } of options.accounts ?? []) {
      const config = join(folder, "prosody.cfg.lua");
      const result = spawnSync("prosodyctl", ["--config", config, "register", user, `auth.${domain}`, password], {
        stdio: "pipe",
      });
      if (result.status !== 0) throw new Error(`prosodyctl: ${result.stdout.toString()}${result.stderr.toString()}`);
    }
    const prosody = new Prosody(folder, { c2s, http, component, s2s }, domain, certificate, secret);
    await until(
      "Prosody to answer",
      20_000,
      () =>
        fetch(`http://127.0.0.1:${http}/xmpp-websocket`, { headers: { host: domain } })
          .then((response) => response.status > 0)
          .catch(() => false),
      () => prosody.#log,
    );
    return prosody;
  }

  #spawn(): ChildProcess {
    const child = spawn("prosody", ["-F", "--config", join(this.folder, "prosody.cfg.lua")], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    const keep = (chunk: Buffer): void => {
      this.#log = (this.#log + chunk.toString()).slice(-1_000_000);
    };
    child.stdout?.on("data", keep);
    child.stderr?.on("data", keep);
    return child;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const ended = new Promise<void>((done) => this.#child.once("exit", () => done()));
      this.#child.kill("SIGTERM");
      const killer = setTimeout(() => this.#child.kill("SIGKILL"), 5_000);
      await ended;
      clearTimeout(killer);
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}
