/**
 * Tests only: a Bridge without sockets. Time stands still unless a test moves it, randomness is seeded, transports answer as they are told.
 */
import { expect } from "bun:test";
import type { EpochMillis, Millis } from "../time.ts";
import { attr, type Element, parse } from "../wire/xml.ts";
import { Bridge } from "./bridge.ts";
import type { BridgeAction, BridgeSettings, TransportCore, TransportFactory } from "./context.ts";
import type { Link } from "./link.ts";
import type { MediaCommand, MediaEvent, MediaStatistics } from "./media-commands.ts";
import { StunDemux } from "./transport/stun-demux.ts";
import type { RemoteTransport, TransportAction } from "./transport/transport.ts";

export const WALL = Date.UTC(2026, 10, 21, 10, 1, 57, 452) as EpochMillis;
export const BREWERY = "jvbbrewery@internal.auth.meet.test";
export const FOCUS = `${BREWERY}/focus`;
export const OWN = "jvb@auth.meet.test/jvb1";

/** mulberry32: small, and the same everywhere. */
export function seededBytes(seed: number): (count: number) => Uint8Array {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) & 0xff;
  };
  return (count) => Uint8Array.from({ length: count }, next);
}

export class FakeTransport implements TransportCore {
  state: TransportCore["state"] = "new";
  readonly dropped = new Map<string, number>();
  readonly remotes: RemoteTransport[] = [];
  readonly sent: string[] = [];
  readonly datagrams: Uint8Array[] = [];
  restarts = 0;
  readonly #actions: TransportAction[] = [];
  constructor(readonly wake: () => void) {}
  setRemote(_now: Millis, remote: RemoteTransport): void {
    this.remotes.push(remote);
  }
  restartIce(): number {
    return ++this.restarts;
  }
  handleDatagram(_now: Millis, _path: unknown, bytes: Uint8Array): void {
    this.datagrams.push(bytes);
  }
  handleTimeout(): void {}
  nextDeadline(): undefined {
    return undefined;
  }
  sendMessage(text: string): boolean {
    this.sent.push(text);
    return true;
  }
  close(): void {
    this.state = "closed";
  }
  poll(): TransportAction | undefined {
    return this.#actions.shift();
  }
  /** Something happens outside of any call. */
  happen(...actions: readonly TransportAction[]): void {
    this.#actions.push(...actions);
    this.wake();
  }
}

export class TestBridge {
  now = 1_000 as Millis;
  readonly bridge: Bridge;
  readonly transports: FakeTransport[] = [];
  #woken: Link[] = [];

  constructor(settings: Partial<BridgeSettings> = {}, seed = 1) {
    const transports = this.transports;
    const factory: TransportFactory = {
      fingerprint: "4B:7E:C8:9D",
      create({ wake }) {
        const transport = new FakeTransport(wake);
        transports.push(transport);
        return transport;
      },
    };
    this.bridge = new Bridge({
      settings: {
        brewery: BREWERY,
        serverId: "jvb1",
        channelHost: "localhost:8444",
        region: undefined,
        sctp: false,
        loudestSpeakers: 0,
        version: "1.0",
        os: "Linux",
        maxEndpoints: 64,
        maxSources: 256,
        maxConferences: 16,
        ...settings,
      },
      transports: factory,
      demux: new StunDemux<Link>(),
      random: seededBytes(seed),
      onlyFrom: undefined,
      wake: (link) => this.#woken.push(link),
    });
    this.bridge.mediaReady(this.now, [
      { address: "192.0.2.2", family: 4, port: 21010 },
      { address: "127.0.0.1", family: 4, port: 21010 },
    ]);
    this.take();
  }

  /** Logged in and in the brewery. */
  join(): this {
    this.bridge.xmppOnline(this.now, false);
    this.stanza(
      `<presence xmlns='jabber:client' from='${BREWERY}/${this.bridge.nick}' to='${OWN}'><x xmlns='http://jabber.org/protocol/muc#user'><status code='110'/></x></presence>`,
    );
    this.take();
    return this;
  }

  take(): readonly BridgeAction[] {
    for (const link of this.#woken.splice(0)) this.bridge.woken(this.now, link);
    return this.bridge.take();
  }

  stanza(text: string): readonly BridgeAction[] {
    const element = parse(text);
    if (element === undefined) throw new Error(`test stanza is not well-formed: ${text}`);
    this.bridge.stanza(this.now, WALL, element);
    return this.take();
  }

  /** Sends a request of the focus; answers the reply and what else was asked for. */
  ask(payload: string, from = FOCUS): { readonly reply: Element; readonly actions: readonly BridgeAction[] } {
    const actions = this.stanza(
      `<iq xmlns='jabber:client' type='get' id='q1' from='${from}' to='${OWN}'>${payload}</iq>`,
    );
    const replies = actions.flatMap((action) => (action.type === "stanza" ? [action.stanza] : []));
    expect(replies).toHaveLength(1);
    const [reply] = replies;
    if (reply === undefined) throw new Error("no reply");
    expect(attr(reply, "id")).toBe("q1");
    expect(attr(reply, "to")).toBe(from);
    return { reply, actions };
  }

  events(...events: readonly MediaEvent[]): readonly BridgeAction[] {
    this.bridge.mediaEvents(this.now, events);
    return this.take();
  }

  /** Moves time on, through every deadline on the way. */
  advance(ms: number): readonly BridgeAction[] {
    const until = this.now + ms;
    const actions: BridgeAction[] = [...this.take()];
    for (let rounds = 0; rounds < 100_000; rounds++) {
      const deadline = this.bridge.nextDeadline();
      if (deadline === undefined || deadline.at > until) break;
      this.now = Math.max(this.now, deadline.at) as Millis;
      this.bridge.handleTimeout(this.now, (WALL + this.now) as EpochMillis);
      actions.push(...this.take());
    }
    this.now = until as Millis;
    return actions;
  }
}

export const mediaOf = (actions: readonly BridgeAction[]): MediaCommand[] =>
  actions.flatMap((action) => (action.type === "media" ? [action.command] : []));

/** Texts to one channel, parsed. */
export const textsTo = (actions: readonly BridgeAction[], channel: number): Record<string, unknown>[] =>
  actions.flatMap((action) =>
    action.type === "channel-text" && action.channel === channel
      ? [JSON.parse(action.text) as Record<string, unknown>]
      : [],
  );

/** A media loop that has done nothing yet. */
export const NO_STATISTICS: MediaStatistics = {
  packetsReceived: 0,
  bytesReceived: 0,
  packetsSent: 0,
  bytesSent: 0,
  dropped: {},
  keyFramesReceived: 0,
  keyFrameRequestsSent: 0,
  nacksReceived: 0,
  nacksSent: 0,
  retransmissions: 0,
  unmatchedFeedback: 0,
  spuriousRembEndpoints: 0,
  load: 0,
  messagesSent: 0,
  batches: 0,
  packetsHeld: 0,
  holdMs: 0,
  longestTurnMs: 0,
  turnP999Ms: 0,
  endpoints: [],
};
