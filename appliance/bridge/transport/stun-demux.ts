/**
 * Which endpoint a Binding request is for: by the local ufrag in its USERNAME, and only after its MESSAGE-INTEGRITY held (bridge.md 3.5). For
 * requests from unknown addresses, and for those from known ones whose ufrag is another endpoint's (a page that was loaded again may come from
 * the same port). Work on what does not authenticate is bounded per source address and in total.
 */
import type { Millis } from "../../time.ts";
import type { Path } from "../media-commands.ts";
import { BINDING, checkIntegrity, parseStun } from "./stun.ts";

export type StunDemuxRefusal =
  | "not-a-binding-request"
  | "no-username"
  | "unknown-ufrag"
  | "bad-integrity"
  | "over-budget";

export type StunDemuxAnswer<Key> =
  | { readonly key: Key; readonly refused?: undefined }
  | { readonly key?: undefined; readonly refused: StunDemuxRefusal };

/** Failures one source address may cause: so many at once, so many a second. Successes cost nothing: an office joins behind one address. */
const ADDRESS_BURST = 100;
const ADDRESS_PER_SECOND = 50;
/** All source addresses together; at some 5 µs each this is 2.5 % of a core. */
const TOTAL_BURST = 5_000;
const TOTAL_PER_SECOND = 5_000;
/** Source addresses remembered; when full all are forgotten, and the total bound holds. */
const MAX_ADDRESSES = 4_096;

interface Bucket {
  tokens: number;
  at: Millis;
}

export class StunDemux<Key> {
  readonly #credentials = new Map<string, { readonly pwd: string; readonly key: Key }>();
  readonly #addresses = new Map<string, Bucket>();
  #total: Bucket | undefined;

  /** Registers credentials of an endpoint; an endpoint has two pairs while an ICE restart runs. */
  add(localUfrag: string, localPwd: string, key: Key): void {
    this.#credentials.set(localUfrag, { pwd: localPwd, key });
  }

  remove(localUfrag: string): void {
    this.#credentials.delete(localUfrag);
  }

  /** The endpoint that the request authenticates for, or why there is none. */
  find(now: Millis, path: Path, bytes: Uint8Array): StunDemuxAnswer<Key> {
    if (this.#total === undefined) this.#total = { tokens: TOTAL_BURST, at: now };
    let bucket = this.#addresses.get(path.address);
    if (bucket !== undefined) refill(bucket, now, ADDRESS_PER_SECOND, ADDRESS_BURST);
    refill(this.#total, now, TOTAL_PER_SECOND, TOTAL_BURST);
    if ((bucket !== undefined && bucket.tokens < 1) || this.#total.tokens < 1) return { refused: "over-budget" };
    const answer = this.#authenticate(bytes);
    if (answer.refused === undefined) return answer;
    if (bucket === undefined) {
      if (this.#addresses.size >= MAX_ADDRESSES) this.#addresses.clear();
      bucket = { tokens: ADDRESS_BURST, at: now };
      this.#addresses.set(path.address, bucket);
    }
    bucket.tokens--;
    this.#total.tokens--;
    return answer;
  }

  #authenticate(bytes: Uint8Array): StunDemuxAnswer<Key> {
    const message = parseStun(bytes);
    if (message === undefined || message.class !== "request" || message.method !== BINDING)
      return { refused: "not-a-binding-request" };
    const colon = message.username?.indexOf(":") ?? -1;
    if (message.username === undefined || colon < 0) return { refused: "no-username" };
    const entry = this.#credentials.get(message.username.slice(0, colon));
    if (entry === undefined) return { refused: "unknown-ufrag" };
    if (!checkIntegrity(bytes, message, entry.pwd)) return { refused: "bad-integrity" };
    return { key: entry.key };
  }
}

const refill = (bucket: Bucket, now: Millis, perSecond: number, burst: number): void => {
  bucket.tokens = Math.min(burst, bucket.tokens + ((now - bucket.at) * perSecond) / 1000);
  bucket.at = now;
};
