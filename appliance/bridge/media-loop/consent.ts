/**
 * Consent checks of known addresses (RFC 7675): Binding requests that need no thought are answered here; all other STUN goes to the control side.
 */
import { BINDING, checkIntegrity, parseStun, writeStun } from "../transport/stun.ts";
import { addressPort, addressText } from "./addresses.ts";
import { Drop } from "./drop-reason.ts";
import type { Endpoint } from "./endpoint.ts";
import type { LoopState } from "./state.ts";

/** Answers to one endpoint in one tick; more is a flood. */
export const ANSWERS_PER_TICK = 8;

export class Consent {
  readonly #state: LoopState;

  constructor(state: LoopState) {
    this.#state = state;
  }

  /** True: answered or dropped; false: not for us, hand it up. */
  receive(nowMs: number, endpoint: Endpoint, path: number, at: number, length: number): boolean {
    const ice = endpoint.ice;
    if (ice === undefined) return false;
    const datagram = this.#state.bytes.slice(at, at + length); // cold: a few a second
    const message = parseStun(datagram);
    if (message === undefined || message.fingerprint === false) {
      this.#state.drops.count(Drop["stun-invalid"]);
      return true;
    }
    if (
      message.class !== "request" ||
      message.method !== BINDING ||
      message.username !== ice.username ||
      message.unknownRequired.length > 0 ||
      (ice.controlling ? message.controlled === undefined : message.controlling === undefined) ||
      (message.useCandidate && endpoint.path !== path)
    )
      return false;
    if (endpoint.answersLeft <= 0) {
      this.#state.drops.count(Drop["too-many-datagrams"]);
      return true;
    }
    endpoint.answersLeft -= 1;
    if (!checkIntegrity(datagram, message, ice.password)) {
      this.#state.drops.count(Drop["stun-invalid"]);
      return true;
    }
    endpoint.lastReceivedAt = nowMs;
    const { paths, bytes } = this.#state;
    const address = paths.addressOf(path);
    const answer = writeStun(
      {
        class: "success",
        transaction: message.transaction,
        mappedAddress: { address: addressText(bytes, address), port: addressPort(bytes, address) },
      },
      ice.password,
    );
    this.#state.datagram(paths.socketOf(path), address, answer);
    return true;
  }
}
