/**
 * Shell: tests only. Two Transports that talk to each other over a simulated network, each seeing the other as one address.
 */
import { type SimulatedNetwork, type SimulatedNode, seededBytes } from "../../simulated-network.ts";
import type { EpochMillis, Millis } from "../../time.ts";
import type { Fingerprint } from "../../wire/ice-transport.ts";
import type { MediaSocket, Path, SrtpProfile } from "../media-commands.ts";
import { type Certificate, makeCertificate } from "./certificate.ts";
import { DtlsContext, type DtlsRetransmission } from "./dtls.ts";
import { makePwd, makeUfrag } from "./ice.ts";
import { type RemoteTransport, Transport, type TransportAction, type TransportOptions } from "./transport.ts";

export const CERTIFICATE_TIME = 1_790_000_000_000 as EpochMillis;
export const PROFILES: readonly SrtpProfile[] = ["AEAD_AES_128_GCM", "AES128_CM_HMAC_SHA1_80"];
/** libssl counts by the real clock: short, so that the harness waits little where a flight was lost. */
export const TEST_RETRANSMISSION: DtlsRetransmission = { firstMs: 40, maximumMs: 40 };

/** Lets so much real time pass that libssl calls a flight due: less than 15 ms before the end counts as due. */
export const awaitRetransmission = (): void => Bun.sleepSync(26);

export const testCertificate = (seed: number): Certificate => makeCertificate(CERTIFICATE_TIME, seededBytes(seed));

export interface PeerOptions {
  readonly address: string;
  readonly seed: number;
  readonly options?: Partial<TransportOptions>;
  readonly certificate?: Certificate;
  readonly profiles?: readonly SrtpProfile[];
}

/** A Transport with its credentials, and all actions that it has given so far. */
export class Peer implements SimulatedNode {
  readonly transport: Transport;
  readonly ufrag: string;
  readonly pwd: string;
  readonly certificate: Certificate;
  readonly dtls: DtlsContext;
  readonly path: Path;
  readonly actions: TransportAction[] = [];
  readonly #network: SimulatedNetwork;
  #route: ((bytes: Uint8Array, from: Path) => void) | undefined;

  constructor(network: SimulatedNetwork, { address, seed, options, certificate, profiles }: PeerOptions) {
    this.#network = network;
    const random = seededBytes(seed);
    this.ufrag = makeUfrag(random);
    this.pwd = makePwd(random);
    this.certificate = certificate ?? testCertificate(seed + 1000);
    this.dtls = options?.dtls ?? new DtlsContext(this.certificate, profiles ?? PROFILES, TEST_RETRANSMISSION);
    this.path = { socket: 0, address, port: 10000 };
    const sockets: MediaSocket[] = [{ address, family: 4, port: 10000 }];
    this.transport = new Transport({
      localUfrag: this.ufrag,
      localPwd: this.pwd,
      sockets,
      random,
      wake: () => this.drain(),
      ...options,
      dtls: this.dtls,
    });
  }

  /** Where our datagrams go; `from` is how the other side sees us. */
  route(deliver: (bytes: Uint8Array, from: Path) => void): void {
    this.#route = deliver;
  }

  signalled(setup: "active" | "passive" | "actpass", fingerprints?: readonly Fingerprint[]): RemoteTransport {
    return {
      ufrag: this.ufrag,
      pwd: this.pwd,
      fingerprints: fingerprints ?? [{ hash: "sha-256", value: this.certificate.fingerprint, setup }],
      candidates: [],
    };
  }

  receive(now: Millis, from: Path, bytes: Uint8Array): void {
    this.transport.handleDatagram(now, from, bytes);
    this.drain();
  }

  setRemote(remote: RemoteTransport): void {
    this.transport.setRemote(this.#network.now, remote);
    this.drain();
  }

  nextDeadline() {
    return this.transport.nextDeadline();
  }

  handleTimeout(now: Millis): void {
    if (this.transport.nextDeadline()?.why === "dtls-retransmission") awaitRetransmission();
    this.transport.handleTimeout(now);
    this.drain();
  }

  drain(): void {
    for (let action = this.transport.poll(); action !== undefined; action = this.transport.poll()) {
      this.actions.push(action);
      if (action.type === "send") this.#route?.(action.bytes, this.path);
    }
  }

  find<Type extends TransportAction["type"]>(type: Type): Extract<TransportAction, { type: Type }> | undefined {
    return this.actions.find((action): action is Extract<TransportAction, { type: Type }> => action.type === type);
  }
}

/** Candidate text of a peer, so that the other side begins. */
export const candidateOf = (path: Path) => ({
  foundation: "1",
  component: 1,
  protocol: "udp",
  priority: 2130706431,
  ip: path.address,
  port: path.port,
  type: "host" as const,
  generation: 0,
  id: "1",
  network: "0",
});

/** Connects two peers over the network: what one sends the other receives. */
export function link(network: SimulatedNetwork, a: Peer, b: Peer): void {
  a.route((bytes, from) => network.send(bytes, (now, copy) => b.receive(now, from, copy)));
  b.route((bytes, from) => network.send(bytes, (now, copy) => a.receive(now, from, copy)));
  network.add(a);
  network.add(b);
}
