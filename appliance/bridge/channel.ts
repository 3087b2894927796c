/**
 * The bridge channel of one peer: over WebSocket, SCTP data channel, or both. What goes out takes the way on which something came in last (bridge.md 2.2).
 */
import type { Millis } from "../time.ts";
import type { BridgeContext, ChannelId } from "./context.ts";
import type { Link } from "./link.ts";

/** Messages that a client may send at once, and how many a second it regains; LJM's own peak is some ten a second. */
const BURST = 300;
const PER_SECOND = 60;
/** The same in UTF-16 units: what one client says is sent to many. */
const TEXT_BURST = 1024 * 1024;
const TEXT_PER_SECOND = 128 * 1024;

export class Channel {
  readonly #context: BridgeContext;
  #webSocket: ChannelId | undefined;
  #dataChannel = false;
  #preferDataChannel = false;
  #budget = BURST;
  #textBudget = TEXT_BURST;
  #budgetAt: Millis | undefined;

  constructor(context: BridgeContext) {
    this.#context = context;
  }

  get open(): boolean {
    return this.#webSocket !== undefined || this.#dataChannel;
  }

  get kind(): "none" | "websocket" | "data-channel" {
    return this.#useDataChannel ? "data-channel" : this.#webSocket === undefined ? "none" : "websocket";
  }

  get #useDataChannel(): boolean {
    return this.#dataChannel && (this.#preferDataChannel || this.#webSocket === undefined);
  }

  /** A second socket of the same peer replaces the first. */
  webSocketOpened(channel: ChannelId): void {
    const former = this.#webSocket;
    this.#webSocket = channel;
    this.#preferDataChannel = false;
    if (former !== undefined && former !== channel)
      this.#context.act({ type: "channel-close", channel: former, code: 1000, reason: "replaced" });
  }

  webSocketClosed(channel: ChannelId): void {
    if (this.#webSocket === channel) this.#webSocket = undefined;
  }

  isWebSocket(channel: ChannelId): boolean {
    return this.#webSocket === channel;
  }

  dataChannelOpened(): void {
    this.#dataChannel = true;
    this.#preferDataChannel = true;
  }

  dataChannelClosed(): void {
    this.#dataChannel = false;
  }

  /** Counts an incoming message of that length; false: the peer sends too many, drop it. */
  received(now: Millis, over: "websocket" | "data-channel", length: number): boolean {
    this.#preferDataChannel = over === "data-channel";
    if (over === "websocket") this.#context.counters.webSocketReceived++;
    else this.#context.counters.dataChannelReceived++;
    const since = this.#budgetAt ?? now;
    this.#budget = Math.min(BURST, this.#budget + ((now - since) * PER_SECOND) / 1000);
    this.#textBudget = Math.min(TEXT_BURST, this.#textBudget + ((now - since) * TEXT_PER_SECOND) / 1000);
    this.#budgetAt = now;
    if (this.#budget < 1 || this.#textBudget < length) {
      this.#context.counters.drop("channel-flood");
      return false;
    }
    this.#budget--;
    this.#textBudget -= length;
    return true;
  }

  /** Without a channel the text is dropped: everything is told afresh when one opens. */
  send(now: Millis, link: Link, text: string): void {
    if (this.#useDataChannel) {
      if (link.sendText(now, text)) this.#context.counters.dataChannelSent++;
      else this.#context.counters.drop("data-channel-full");
      return;
    }
    if (this.#webSocket === undefined) return;
    this.#context.counters.webSocketSent++;
    this.#context.act({ type: "channel-text", channel: this.#webSocket, text });
  }

  close(code: number, reason: string): void {
    if (this.#webSocket !== undefined)
      this.#context.act({ type: "channel-close", channel: this.#webSocket, code, reason });
    this.#webSocket = undefined;
    this.#dataChannel = false;
  }
}
