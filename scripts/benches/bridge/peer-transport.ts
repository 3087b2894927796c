/**
 * Shell: ICE and DTLS of one leg of the generator, as a browser does them; when they are up, the leg has its keys and its address. Afterwards it answers the
 * server's consent checks and makes its own.
 */
import { randomBytes } from "node:crypto";
import type { SrtpProfile } from "../../../appliance/bridge/media-commands.ts";
import { makeCertificate } from "../../../appliance/bridge/transport/certificate.ts";
import { DtlsContext } from "../../../appliance/bridge/transport/dtls.ts";
import { makePwd, makeUfrag } from "../../../appliance/bridge/transport/ice.ts";
import { type RemoteTransport, Transport } from "../../../appliance/bridge/transport/transport.ts";
import { monotonicNow, wallNow } from "../../../appliance/clock.ts";
import { type Leg, sendControl, setKeys, setRemote } from "./traffic.ts";

const random = (count: number): Uint8Array => new Uint8Array(randomBytes(count));
const certificate = makeCertificate(wallNow(), random);
const contexts = new Map<SrtpProfile, DtlsContext>();

/** One certificate for all participants: the server makes as many handshakes all the same. */
const contextFor = (profile: SrtpProfile): DtlsContext => {
  const known = contexts.get(profile);
  if (known !== undefined) return known;
  const context = new DtlsContext(certificate, [profile]);
  contexts.set(profile, context);
  return context;
};

export class PeerTransport {
  readonly ufrag = makeUfrag(random);
  readonly pwd = makePwd(random);
  readonly fingerprint = certificate.fingerprint;
  readonly address: string;
  readonly port: number;
  /** Rejects where ICE or DTLS fails. */
  readonly connected: Promise<void>;
  readonly #transport: Transport;
  readonly #leg: Leg;
  readonly #done = Promise.withResolvers<void>();

  /** `controlling`: our ICE role; whoever offered has it (RFC 8445 §6.1.1). */
  constructor(leg: Leg, address: string, profile: SrtpProfile, controlling: boolean) {
    this.#leg = leg;
    this.address = address;
    this.port = leg.port;
    this.connected = this.#done.promise;
    this.connected.catch(() => {}); // whoever connects awaits it
    this.#transport = new Transport({
      localUfrag: this.ufrag,
      localPwd: this.pwd,
      controlling,
      sockets: [{ address, family: 4, port: leg.port }],
      dtls: contextFor(profile),
      random,
    });
    leg.onControl = (datagram, from, port) => {
      this.#transport.handleDatagram(monotonicNow(), { socket: 0, address: from, port }, datagram);
      this.#drain();
    };
    leg.onTimer = () => {
      const now = monotonicNow();
      const deadline = this.#transport.nextDeadline();
      if (deadline === undefined || deadline.at > now) return;
      this.#transport.handleTimeout(now);
      this.#drain();
    };
  }

  setRemote(remote: RemoteTransport): void {
    this.#transport.setRemote(monotonicNow(), remote);
    this.#drain();
  }

  #drain(): void {
    for (let action = this.#transport.poll(); action !== undefined; action = this.#transport.poll()) {
      switch (action.type) {
        case "send":
          sendControl(this.#leg, action.bytes, action.path.address, action.path.port);
          break;
        case "select-path":
          setRemote(this.#leg, action.path.address, action.path.port);
          break;
        case "srtp-keys":
          setKeys(this.#leg, action.profile, action.send, action.receive);
          break;
        case "connected":
          this.#done.resolve();
          break;
        case "failed":
          this.#done.reject(new Error(`a participant did not connect: ${action.reason}`));
          break;
        default:
          break; // addresses and credentials are a bridge's business
      }
    }
  }
}
