/**
 * A full ICE agent (RFC 8445) for one data stream with one component, on sockets shared with other endpoints; consent by RFC 7675. It needs no
 * remote candidates: a pair comes into being when an authenticated check arrives (bridge.md 3.2), and our own checks go to every such address
 * until one is answered (Firefox ignores the first, facts/transport.md 7). One pair is nominated, by us when controlling.
 *
 * Declines: gathering (our addresses are the shared sockets), trickling out, TCP, RFC 8445 freezing (there is one stream and one component).
 */
import { type Deadline, Deadlines } from "../../deadlines.ts";
import { later, type Millis } from "../../time.ts";
import type { Candidate } from "../../wire/ice-transport.ts";
import type { MediaSocket, Path } from "../media-commands.ts";
import { canonicalAddress, isLoopback } from "./address.ts";
import { type RandomBytes, randomFraction } from "./random.ts";
import { BINDING, checkIntegrity, hex, type StunMessage, writeStun } from "./stun.ts";

export interface IceAgentOptions {
  readonly localUfrag: string;
  readonly localPwd: string;
  readonly controlling: boolean;
  readonly sockets: readonly MediaSocket[];
  readonly random: RandomBytes;
}

export type IceAction =
  | { readonly type: "send"; readonly path: Path; readonly bytes: Uint8Array }
  /** An authenticated message came from there. */
  | { readonly type: "accept-address"; readonly path: Path }
  /** Let go for want of room. */
  | { readonly type: "forget-address"; readonly path: Path }
  | { readonly type: "select-path"; readonly path: Path }
  | { readonly type: "failed"; readonly reason: "ice-timeout" | "consent-expired" };

/** Why a STUN message was dropped. */
export type IceDrop =
  | "stun-foreign-method"
  | "stun-bad-fingerprint"
  | "stun-no-username"
  | "stun-unknown-ufrag"
  | "stun-bad-integrity"
  | "stun-unknown-transaction"
  | "stun-wrong-address"
  | "stun-no-credentials";

interface Pair {
  readonly key: string;
  readonly path: Path;
  /** RFC 8445 §5.1.2, the peer's side. */
  remotePriority: number;
  /** An authenticated request came from it; else it is only signalled. */
  heardAt: Millis | undefined;
  answeredAt: Millis | undefined;
  /** The peer, controlling, sent USE-CANDIDATE on it. */
  peerNominated: boolean;
  /** Unanswered checks since it was last armed. */
  tries: number;
  /** When the next check is due; undefined: none. */
  nextAt: Millis | undefined;
}

interface Transaction {
  readonly pair: Pair;
  readonly nominating: boolean;
  readonly controlling: boolean;
}

const ICE_CHARS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** 8 ice-chars: 48 random bits (RFC 8445 §5.3 asks for 24). */
export const makeUfrag = (random: RandomBytes): string => iceChars(random, 8);
/** 24 ice-chars: 144 random bits (RFC 8445 §5.3 asks for 128). */
export const makePwd = (random: RandomBytes): string => iceChars(random, 24);
const iceChars = (random: RandomBytes, count: number): string => {
  let text = "";
  for (const byte of random(count)) text += ICE_CHARS[byte & 63];
  return text;
};

/** Whether a peer's credentials are what RFC 8839 §5.4 allows. */
export const validCredentials = (ufrag: string, pwd: string): boolean =>
  /^[A-Za-z0-9+/]{4,256}$/.test(ufrag) && /^[A-Za-z0-9+/]{22,256}$/.test(pwd);

/** Ta: between first checks of signalled pairs (RFC 8445 §14.2 asks for at least 5 ms). */
const PACE_MS = 20;
/** Between our checks to an address that an authenticated check came from. */
const HEARD_INTERVAL_MS = 150;
const HEARD_FAST_TRIES = 20;
const HEARD_SLOW_INTERVAL_MS = 500;
/** Then we stop until we hear from it again: a forged source address must not be worth much. */
const HEARD_TRIES = 30;
const HEARD_TRIES_WHEN_CONNECTED = 7;
/** Signalled pairs: 100 ms doubling to 1600 ms, seven times (bridge.md 3.3). */
const SIGNALLED_TRIES = 7;
const SIGNALLED_INTERVAL_MS = 100;
const SIGNALLED_MAX_INTERVAL_MS = 1600;
/** After that many unanswered nominating checks another pair that was answered is nominated instead. */
const NOMINEE_PATIENCE = 4;
const CONNECT_TIMEOUT_MS = 30_000;
const CONSENT_INTERVAL_MS = 5_000;
const CONSENT_RETRY_MS = 500;
const CONSENT_RETRIES = 5;
/** RFC 7675 §5.1. */
const CONSENT_EXPIRY_MS = 30_000;
const MAX_PAIRS = 100;
const MAX_HEARD = 24;
const MAX_TRANSACTIONS = 256;
const MAX_SIGNALLED = 64;

export class IceAgent {
  readonly localUfrag: string;
  readonly localPwd: string;
  readonly #sockets: readonly MediaSocket[];
  readonly #random: RandomBytes;
  #tieBreaker: string;
  #controlling: boolean;
  #remote: { readonly ufrag: string; readonly pwd: string } | undefined;
  #pairs = new Map<string, Pair>();
  #transactions = new Map<string, Transaction>();
  #nominee: Pair | undefined;
  #selected: Pair | undefined;
  /** Unanswered consent checks in a row. */
  #consentMisses = 0;
  #over = false;
  readonly #deadlines = new Deadlines<"connect" | "consent" | "consent-expiry">();
  readonly #actions: IceAction[] = [];

  constructor(options: IceAgentOptions) {
    this.localUfrag = options.localUfrag;
    this.localPwd = options.localPwd;
    this.#controlling = options.controlling;
    this.#sockets = options.sockets;
    this.#random = options.random;
    this.#tieBreaker = hex(options.random(8));
  }

  get selectedPath(): Path | undefined {
    return this.#selected?.path;
  }
  /** Failed or closed. */
  get over(): boolean {
    return this.#over;
  }
  get controlling(): boolean {
    return this.#controlling;
  }
  get remoteUfrag(): string | undefined {
    return this.#remote?.ufrag;
  }

  /** Whether an authenticated check or answer came from there: DTLS from elsewhere is not for this endpoint. */
  hasHeard(path: Path): boolean {
    const pair = this.#pairs.get(keyOf(path));
    return pair !== undefined && (pair.heardAt !== undefined || pair.answeredAt !== undefined);
  }

  /** Whether a response belongs to one of this agent's open checks. */
  owns(transaction: string): boolean {
    return this.#transactions.has(transaction);
  }

  /** The peer's credentials and candidates; new credentials replace the former (the peer's own restart) while the selected pair stays. */
  setRemote(now: Millis, ufrag: string | undefined, pwd: string | undefined, candidates: readonly Candidate[]): void {
    if (this.#over) return;
    if (ufrag !== undefined && pwd !== undefined && validCredentials(ufrag, pwd)) {
      if (this.#remote === undefined) {
        this.#deadlines.set("connect", later(now, CONNECT_TIMEOUT_MS));
        this.#remote = { ufrag, pwd };
        for (const pair of this.#pairs.values()) arm(pair, now);
      } else if (this.#remote.ufrag !== ufrag || this.#remote.pwd !== pwd) {
        this.#remote = { ufrag, pwd };
        this.#transactions.clear();
        for (const pair of this.#pairs.values()) arm(pair, now);
        if (this.#selected !== undefined) this.#nominate(this.#selected, now);
      }
    }
    let paced = now;
    for (const candidate of candidates.slice(0, MAX_SIGNALLED)) {
      const address = candidate.protocol === "udp" && candidate.component === 1 ? usable(candidate.ip) : undefined;
      if (address === undefined || candidate.port < 1 || candidate.port > 65535) continue;
      for (let socket = 0; socket < this.#sockets.length; socket++) {
        const local = this.#sockets[socket] as MediaSocket;
        if ((local.family === 6) !== address.includes(":")) continue;
        if (isLoopback(local.address) !== isLoopback(address) && !isWildcard(local.address)) continue;
        const path: Path = { socket, address, port: candidate.port };
        const key = keyOf(path);
        if (this.#pairs.has(key) || this.#pairs.size >= MAX_PAIRS) continue;
        const pair = newPair(key, path, candidate.priority);
        pair.nextAt = paced;
        paced = later(paced, PACE_MS);
        this.#pairs.set(key, pair);
      }
    }
    this.handleTimeout(now);
  }

  /** A parsed STUN message of this agent; answers why it was dropped. */
  handleStun(now: Millis, path: Path, bytes: Uint8Array, message: StunMessage): IceDrop | undefined {
    if (message.method !== BINDING) return "stun-foreign-method";
    if (message.fingerprint === false) return "stun-bad-fingerprint";
    // An indication is a keep-alive: nothing to do, nothing to answer (RFC 8445 §11).
    if (message.class === "indication") return undefined;
    const drop =
      message.class === "request"
        ? this.#handleRequest(now, path, bytes, message)
        : this.#handleResponse(now, path, bytes, message);
    if (drop === undefined) this.handleTimeout(now);
    return drop;
  }

  handleTimeout(now: Millis): void {
    if (this.#over) return;
    for (const why of this.#deadlines.due(now)) {
      if (why === "connect") {
        this.#fail("ice-timeout");
        return;
      }
      if (why === "consent-expiry") {
        this.#fail("consent-expired");
        return;
      }
      this.#checkConsent(now);
    }
    if (this.#remote === undefined) return;
    for (const pair of this.#pairs.values()) {
      if (pair.nextAt === undefined || pair.nextAt > now) continue;
      this.#check(pair);
      pair.tries++;
      pair.nextAt = this.#nextCheck(now, pair);
      if (pair === this.#nominee && pair.tries >= NOMINEE_PATIENCE && pair !== this.#selected) this.#reconsider(now);
    }
  }

  nextDeadline(): Deadline | undefined {
    if (this.#over) return undefined;
    let best = this.#deadlines.soonest();
    if (this.#remote !== undefined)
      for (const pair of this.#pairs.values())
        if (pair.nextAt !== undefined && (best === undefined || pair.nextAt < best.at))
          best = { at: pair.nextAt, why: "ice-check" };
    return best;
  }

  poll(): IceAction | undefined {
    return this.#actions.shift();
  }

  /** No further checks or answers. */
  close(): void {
    this.#over = true;
    this.#actions.length = 0;
    this.#transactions.clear();
  }

  #handleRequest(now: Millis, path: Path, bytes: Uint8Array, message: StunMessage): IceDrop | undefined {
    if (this.#over) return "stun-unknown-ufrag";
    if (message.username === undefined) return "stun-no-username";
    const colon = message.username.indexOf(":");
    if (colon < 0 || message.username.slice(0, colon) !== this.localUfrag) return "stun-unknown-ufrag";
    // Silence instead of 400 and 401: whoever does not know the password gets nothing to reflect.
    if (!checkIntegrity(bytes, message, this.localPwd)) return "stun-bad-integrity";
    if (message.unknownRequired.length > 0) {
      this.#respond(path, message, { code: 420, reason: "Unknown Attribute" });
      return undefined;
    }
    if (this.#conflicts(message, path, now)) return undefined;

    this.#send(
      path,
      writeStun(
        {
          class: "success",
          transaction: message.transaction,
          mappedAddress: { address: path.address, port: path.port },
        },
        this.localPwd,
      ),
    );
    const pair = this.#hear(now, path, message.priority ?? 0);
    if (pair === undefined) return undefined;
    if (message.useCandidate && !this.#controlling) {
      pair.peerNominated = true;
      if (pair.answeredAt !== undefined) this.#considerPeerNomination(now, pair);
    }
    return undefined;
  }

  /** RFC 8445 §7.3.1.1: true when the request was answered with 487. */
  #conflicts(message: StunMessage, path: Path, now: Millis): boolean {
    const theirs = this.#controlling ? message.controlling : message.controlled;
    if (theirs === undefined) return false;
    // Hex of equal length compares like the numbers. The larger tie-breaker is to be controlling.
    const oursIsLarger = this.#tieBreaker >= theirs;
    if (oursIsLarger === this.#controlling) {
      this.#respond(path, message, { code: 487, reason: "Role Conflict" });
      return true;
    }
    this.#switchRole(now);
    return false;
  }

  #switchRole(now: Millis): void {
    this.#controlling = !this.#controlling;
    this.#nominee = undefined;
    this.#transactions.clear();
    for (const pair of this.#pairs.values()) if (pair !== this.#selected) arm(pair, now);
    if (this.#controlling && this.#selected === undefined) this.#reconsider(now);
  }

  /** The pair of a path that an authenticated request came from. */
  #hear(now: Millis, path: Path, priority: number): Pair | undefined {
    const key = keyOf(path);
    let pair = this.#pairs.get(key);
    if (pair === undefined) {
      this.#makeRoom();
      if (this.#pairs.size >= MAX_PAIRS) return undefined;
      pair = newPair(key, path, priority);
      this.#pairs.set(key, pair);
    }
    const first = pair.heardAt === undefined;
    pair.heardAt = now;
    if (priority > 0) pair.remotePriority = priority;
    if (first && pair.answeredAt === undefined) this.#actions.push({ type: "accept-address", path });
    if (pair.answeredAt === undefined) {
      // A triggered check (§7.3.1.4): at once for a new address, and again where we had given up.
      if (first) arm(pair, now);
      else if (pair.nextAt === undefined) arm(pair, later(now, HEARD_INTERVAL_MS));
      if (this.#controlling && this.#nominee === undefined && this.#selected === undefined) this.#nominee = pair;
      // A new address of a connected peer: perhaps it moved. Ask on the selected pair whether it is still there.
      if (first && this.#selected !== undefined) this.#deadlines.set("consent", now);
    }
    return pair;
  }

  /** At most MAX_HEARD addresses: the one silent for longest goes. */
  #makeRoom(): void {
    let heard = 0;
    let oldest: Pair | undefined;
    for (const pair of this.#pairs.values()) {
      if (pair.heardAt === undefined) continue;
      heard++;
      if (pair === this.#selected || pair === this.#nominee) continue;
      if (oldest === undefined || pair.heardAt < (oldest.heardAt as Millis)) oldest = pair;
    }
    if ((heard < MAX_HEARD && this.#pairs.size < MAX_PAIRS) || oldest === undefined) return;
    this.#pairs.delete(oldest.key);
    for (const [id, transaction] of this.#transactions) if (transaction.pair === oldest) this.#transactions.delete(id);
    this.#actions.push({ type: "forget-address", path: oldest.path });
  }

  #handleResponse(now: Millis, path: Path, bytes: Uint8Array, message: StunMessage): IceDrop | undefined {
    const transaction = this.#transactions.get(message.transaction);
    if (transaction === undefined) return "stun-unknown-transaction";
    if (this.#remote === undefined) return "stun-no-credentials";
    if (!checkIntegrity(bytes, message, this.#remote.pwd)) return "stun-bad-integrity";
    const { pair } = transaction;
    // Symmetric addresses are asked for (§7.2.5.2.1).
    if (keyOf(path) !== pair.key) return "stun-wrong-address";
    this.#transactions.delete(message.transaction);
    if (message.class === "error") {
      if (message.errorCode === 487 && transaction.controlling === this.#controlling) {
        this.#tieBreaker = hex(this.#random(8));
        this.#switchRole(now);
        arm(pair, now);
      }
      return undefined;
    }
    const first = pair.answeredAt === undefined;
    pair.answeredAt = now;
    if (first && pair.heardAt === undefined) this.#actions.push({ type: "accept-address", path: pair.path });
    if (pair === this.#selected) {
      this.#consentRenewed(now);
      if (this.#nominee !== pair) this.#nominee = undefined;
    }
    // Answered: no more checks, except to the nominee until a nominating one is answered.
    if (pair === this.#nominee && !transaction.nominating) arm(pair, now);
    else pair.nextAt = undefined;
    pair.tries = 0;
    if (this.#controlling) {
      if (transaction.nominating && pair === this.#nominee) this.#select(now, pair);
      else if (this.#selected === undefined && pair !== this.#nominee) this.#reconsider(now);
    } else if (pair.peerNominated) this.#considerPeerNomination(now, pair);
    return undefined;
  }

  /** Controlling, nothing selected: nominates the best answered pair unless the present nominee still has a chance. */
  #reconsider(now: Millis): void {
    const nominee = this.#nominee;
    if (nominee !== undefined && nominee.answeredAt === undefined && nominee.tries < NOMINEE_PATIENCE) return;
    let best: Pair | undefined;
    for (const pair of this.#pairs.values())
      if (pair.answeredAt !== undefined && pair !== this.#selected && (best === undefined || better(pair, best)))
        best = pair;
    if (best !== undefined && best !== nominee) this.#nominate(best, now);
  }

  #nominate(pair: Pair, now: Millis): void {
    if (!this.#controlling) return;
    this.#nominee = pair;
    arm(pair, now);
  }

  /** Controlled: the peer nominates, perhaps several pairs (aggressively); the best one counts, or any when the selected one is silent. */
  #considerPeerNomination(now: Millis, pair: Pair): void {
    const selected = this.#selected;
    if (selected === undefined || better(pair, selected) || this.#consentMisses > 0) this.#select(now, pair);
  }

  #select(now: Millis, pair: Pair): void {
    const changed = this.#selected !== pair;
    this.#selected = pair;
    this.#nominee = undefined;
    this.#deadlines.clear("connect");
    this.#consentRenewed(now);
    if (changed) this.#actions.push({ type: "select-path", path: pair.path });
  }

  #consentRenewed(now: Millis): void {
    this.#consentMisses = 0;
    const jitter = 0.8 + 0.4 * randomFraction(this.#random);
    this.#deadlines.set("consent", later(now, CONSENT_INTERVAL_MS * jitter));
    this.#deadlines.set("consent-expiry", later(now, CONSENT_EXPIRY_MS));
  }

  #checkConsent(now: Millis): void {
    const selected = this.#selected;
    if (selected === undefined) return;
    this.#check(selected);
    this.#consentMisses++;
    const quick = this.#consentMisses <= CONSENT_RETRIES;
    this.#deadlines.set("consent", later(now, quick ? CONSENT_RETRY_MS : CONSENT_INTERVAL_MS));
    if (this.#consentMisses === 3) {
      // Trouble: are the other addresses alive?
      for (const pair of this.#pairs.values())
        if (pair !== selected && pair.heardAt !== undefined) {
          pair.answeredAt = undefined;
          arm(pair, now);
        }
    }
    if (this.#consentMisses > 3) this.#reconsider(now);
  }

  #check(pair: Pair): void {
    const remote = this.#remote;
    if (remote === undefined) return;
    if (this.#transactions.size >= MAX_TRANSACTIONS) {
      const [oldest] = this.#transactions.keys();
      if (oldest !== undefined) this.#transactions.delete(oldest);
    }
    const controlling = this.#controlling;
    const nominating = controlling && (pair === this.#nominee || pair === this.#selected);
    const transaction = hex(this.#random(12));
    this.#transactions.set(transaction, { pair, nominating, controlling });
    const bytes = writeStun(
      {
        class: "request",
        transaction,
        username: `${remote.ufrag}:${this.localUfrag}`,
        priority: (110 << 24) + ((65535 - pair.path.socket) << 8) + 255,
        useCandidate: nominating,
        ...(controlling ? { controlling: this.#tieBreaker } : { controlled: this.#tieBreaker }),
      },
      remote.pwd,
    );
    this.#send(pair.path, bytes);
  }

  #nextCheck(now: Millis, pair: Pair): Millis | undefined {
    if (pair.heardAt !== undefined || pair.answeredAt !== undefined) {
      const limit = this.#selected === undefined || pair === this.#nominee ? HEARD_TRIES : HEARD_TRIES_WHEN_CONNECTED;
      if (pair.tries >= limit) return undefined;
      return later(now, pair.tries < HEARD_FAST_TRIES ? HEARD_INTERVAL_MS : HEARD_SLOW_INTERVAL_MS);
    }
    if (pair.tries >= SIGNALLED_TRIES || this.#selected !== undefined) return undefined;
    return later(now, Math.min(SIGNALLED_INTERVAL_MS * 2 ** (pair.tries - 1), SIGNALLED_MAX_INTERVAL_MS));
  }

  #respond(path: Path, request: StunMessage, error: { readonly code: number; readonly reason: string }): void {
    const unknownAttributes = request.unknownRequired.slice(0, 16);
    this.#send(
      path,
      writeStun(
        {
          class: "error",
          transaction: request.transaction,
          error,
          ...(unknownAttributes.length > 0 ? { unknownAttributes } : {}),
        },
        this.localPwd,
      ),
    );
  }

  #send(path: Path, bytes: Uint8Array): void {
    this.#actions.push({ type: "send", path, bytes });
  }

  #fail(reason: "ice-timeout" | "consent-expired"): void {
    this.#over = true;
    this.#transactions.clear();
    this.#actions.push({ type: "failed", reason });
  }
}

export const keyOf = (path: Path): string => `${path.socket}|${path.port}|${path.address}`;

const newPair = (key: string, path: Path, remotePriority: number): Pair => ({
  key,
  path,
  remotePriority,
  heardAt: undefined,
  answeredAt: undefined,
  peerNominated: false,
  tries: 0,
  nextAt: undefined,
});

const arm = (pair: Pair, at: Millis): void => {
  pair.tries = 0;
  pair.nextAt = at;
};

/** Higher priority of the peer's side first; ours are equal but for the order of sockets. */
const better = (a: Pair, b: Pair): boolean =>
  a.remotePriority !== b.remotePriority ? a.remotePriority > b.remotePriority : a.path.socket < b.path.socket;

const isWildcard = (address: string): boolean => address === "0.0.0.0" || address === "::";

/** The canonical text of an address that checks may be sent to; names (mDNS), multicast, broadcast, link-local and unspecified ones are not. */
function usable(ip: string): string | undefined {
  const address = canonicalAddress(ip);
  if (address === undefined || address === "::" || /^(0|2(2[4-9]|[34]\d|5[0-5]))\./.test(address)) return undefined;
  if (/^(ff|fe[89ab]|::ffff:)/.test(address)) return undefined;
  return address;
}
