/**
 * Which endpoint a Binding request from an unknown address is for: by the local ufrag in its USERNAME, and only after its MESSAGE-INTEGRITY held
 * (bridge.md 3.5). Work on what does not authenticate is bounded per source address and in total.
 */
import type { Millis } from "../../time.ts";
import type { Path } from "../media-commands.ts";

export type StunDemuxRefusal =
  | "not-a-binding-request"
  | "no-username"
  | "unknown-ufrag"
  | "bad-integrity"
  | "over-budget";

export declare class StunDemux<Key> {
  /** Registers credentials of an endpoint; an endpoint has two pairs while an ICE restart runs. */
  add(localUfrag: string, localPwd: string, key: Key): void;
  remove(localUfrag: string): void;
  /** The endpoint that the request authenticates for, or why there is none. */
  find(
    now: Millis,
    path: Path,
    bytes: Uint8Array,
  ): { readonly key: Key } | { readonly key?: undefined; readonly refused: StunDemuxRefusal };
}
