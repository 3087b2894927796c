/**
 * Shell: TCP sockets with STARTTLS for the XMPP core. `Bun.listen` cannot upgrade a server's socket, so this is node:net with a TLSSocket on top
 * (measured: runtime.md).
 *
 * Channel binding: Bun 1.4.5 gives `exportKeyingMaterial`, hence tls-exporter (RFC 9266) under TLS 1.3; tls-server-end-point (RFC 5929) is
 * computed from our certificate under any version. So SCRAM-*-PLUS is offered. tls-unique is not: it does not exist in TLS 1.3.
 */
import { createHash, X509Certificate } from "node:crypto";
import net from "node:net";
import tls from "node:tls";
import type { TlsIdentity } from "../config.ts";
import type { ChannelBindingData, TlsState } from "./server-io.ts";

export interface TcpEvents {
  connected(connection: TcpConnection): void;
  bytes(connection: TcpConnection, bytes: Uint8Array): void;
  tlsStarted(connection: TcpConnection, tls: TlsState): void;
  gone(connection: TcpConnection): void;
  overflow(connection: TcpConnection): void;
  /** A reason to count, and detail for the debug log. */
  trouble(reason: string, detail: string): void;
}

/** Bytes that may wait for a peer that reads slowly. */
const MAX_UNSENT_BYTES = 4 * 1024 * 1024;

export interface TlsSettings {
  readonly identity: TlsIdentity;
  /** PEM of the roots that peers' certificates are checked against; undefined: the system's. Server to server only. */
  readonly peerRoots?: string;
  readonly asksPeerCertificate: boolean;
}

export class TcpConnection {
  #socket: net.Socket;
  #closed = false;
  readonly remoteAddress: string;

  constructor(
    socket: net.Socket,
    private readonly events: TcpEvents,
    private readonly settings: TlsSettings | undefined,
  ) {
    this.#socket = socket;
    this.remoteAddress = plainAddress(socket.remoteAddress ?? "");
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 60_000);
    this.#listen(socket);
  }

  write(data: string): void {
    if (this.#closed) return;
    this.#socket.write(data);
    if (this.#socket.writableLength > MAX_UNSENT_BYTES) this.events.overflow(this);
  }

  close(abrupt: boolean): void {
    if (abrupt) this.#socket.destroy();
    else this.#socket.end();
  }

  startTls(role: "server" | "client", domain: string): void {
    const { settings } = this;
    if (settings === undefined) {
      this.close(true);
      return;
    }
    const bare = this.#socket;
    bare.removeAllListeners("data");
    const { identity, peerRoots, asksPeerCertificate } = settings;
    const common = {
      key: identity.privateKey,
      cert: identity.certificateChain,
      minVersion: "TLSv1.2" as const,
      ...(peerRoots !== undefined ? { ca: peerRoots } : {}),
    };
    const secured =
      role === "server"
        ? new tls.TLSSocket(bare, {
            ...common,
            isServer: true,
            requestCert: asksPeerCertificate,
            rejectUnauthorized: false,
          })
        : tls.connect({ ...common, socket: bare, servername: domain, rejectUnauthorized: false });
    this.#socket = secured;
    secured.once(role === "server" ? "secure" : "secureConnect", () => {
      if (!this.#closed)
        this.events.tlsStarted(this, {
          bindings: bindings(secured, identity),
          peerDomains: asksPeerCertificate ? peerDomains(secured) : [],
        });
    });
    this.#listen(secured);
  }

  #listen(socket: net.Socket): void {
    socket.on("data", (bytes: Buffer) => {
      if (socket === this.#socket && !this.#closed) this.events.bytes(this, bytes);
    });
    socket.on("error", (error: Error) => this.events.trouble("socket-error", error.message));
    socket.on("close", () => {
      if (this.#closed) return;
      this.#closed = true;
      this.#socket.destroy();
      this.events.gone(this);
    });
  }
}

export function listenTcp(
  address: { readonly host: string; readonly port: number },
  events: TcpEvents,
  settings: TlsSettings | undefined,
): Promise<{ port: number; stop(): void }> {
  return new Promise((resolve, reject) => {
    const server = net.createServer((socket) => events.connected(new TcpConnection(socket, events, settings)));
    server.once("error", reject);
    server.listen(address.port, address.host, () => {
      server.removeListener("error", reject);
      server.on("error", (error) => events.trouble("listen-error", error.message));
      const bound = server.address();
      resolve({
        port: typeof bound === "object" && bound !== null ? bound.port : address.port,
        stop: () => server.close(),
      });
    });
  });
}

/** IPv4 addresses mapped into IPv6 are written as IPv4. */
export const plainAddress = (address: string): string =>
  address.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address;

function bindings(socket: tls.TLSSocket, identity: TlsIdentity): ChannelBindingData[] {
  const found: ChannelBindingData[] = [];
  // RFC 9266 §3: below TLS 1.3 only with the extended master secret, which Bun does not report.
  if (socket.getProtocol() === "TLSv1.3")
    found.push({
      type: "tls-exporter",
      data: socket.exportKeyingMaterial(32, "EXPORTER-Channel-Binding", Buffer.alloc(0)),
    });
  const endPoint = endPointBinding(identity.certificateChain);
  if (endPoint !== undefined) found.push({ type: "tls-server-end-point", data: endPoint });
  return found;
}

/** RFC 5929 §4.1: the hash of the certificate by its signature's hash, SHA-256 in place of MD5 and SHA-1; none where the signature names none. */
export function endPointBinding(chain: string): Uint8Array | undefined {
  const certificate = new X509Certificate(chain);
  const named = /(sha-?\d+)/i
    .exec(certificate.signatureAlgorithm ?? "")?.[1]
    ?.toLowerCase()
    .replace("-", "");
  if (named === undefined) return undefined;
  return createHash(named === "sha1" ? "sha256" : named)
    .update(certificate.raw)
    .digest();
}

/**
 * Names that a peer's certificate proves by our roots (RFC 6125 §6.4). A valid chain whose name is another than the one we called is still proof
 * of its own names.
 */
function peerDomains(socket: tls.TLSSocket): string[] {
  const { authorized, authorizationError } = socket;
  const code =
    authorizationError instanceof Error
      ? ((authorizationError as NodeJS.ErrnoException).code ?? "")
      : String(authorizationError);
  if (authorized !== true && code !== "ERR_TLS_CERT_ALTNAME_INVALID") return [];
  const certificate = socket.getPeerCertificate();
  const names = (certificate?.subjectaltname ?? "")
    .split(",")
    .map((each) => each.trim())
    .filter((each) => each.startsWith("DNS:"))
    .map((each) => each.slice(4).toLowerCase());
  if (names.length > 0) return names;
  const name = certificate?.subject?.CN;
  return typeof name === "string" ? [name.toLowerCase()] : [];
}
