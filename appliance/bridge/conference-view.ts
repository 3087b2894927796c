/**
 * A conference as those see it who are held by it: its relays and exports, what clients say, and the allocation. Types alone; conference.ts is what they describe, and imports them all.
 */
import type { Millis } from "../time.ts";
import type { BridgeMessage } from "../wire/channel-messages.ts";
import type { ConferenceSource, SenderSources } from "./conference-sources.ts";
import type { BridgeContext } from "./context.ts";
import type { Endpoint } from "./endpoint.ts";
import type { PayloadTypes } from "./payload-types.ts";
import type { Speech } from "./receive/speech.ts";

/** Another bridge that holds a part of the conference (relay.ts). */
export interface RelayPeer {
  readonly payloadTypes: PayloadTypes;
  /** Endpoints over there. */
  readonly endpoints: ReadonlyMap<string, SenderSources>;
  /** Our sources go over anew, as far as they are wanted there. */
  forward(): void;
  /** What ours want of a source that comes from there. */
  receiversWant(now: Millis, source: ConferenceSource, height: number): void;
  /** What receivers over there want of a source of ours. */
  wantedHeight(source: string): number;
  sendText(now: Millis, text: string): void;
}

/** A recorder's copy (export.ts). */
export interface ExportPeer {
  watch(): void;
  wants(source: ConferenceSource): number;
}

export interface ConferenceView {
  /** Local hex id. */
  readonly id: string;
  readonly number: number;
  readonly context: BridgeContext;
  readonly endpoints: ReadonlyMap<string, Endpoint>;
  readonly relays: ReadonlyMap<string, RelayPeer>;
  readonly exports: ReadonlyMap<string, ExportPeer>;
  readonly speech: Speech;
  /** Everything that is sent into the conference. */
  sources(): IterableIterator<ConferenceSource>;
  sourcesChanged(now: Millis): void;
  subscribeAudio(endpoint: Endpoint): void;
  /** Absent: for everybody. */
  changed(endpoint?: Endpoint): void;
  broadcast(now: Millis, message: BridgeMessage | string, except?: Endpoint): void;
}
