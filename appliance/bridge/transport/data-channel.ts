/**
 * Shell: one WebRTC data channel (RFC 8831, 8832) over DTLS: werift's SCTP association, which has timers and promises of its own, behind guards,
 * because it has no receive limit, rejects promises on malformed packets and never gives up on a peer that vanished. DCEP is ours.
 *
 * An endpoint opens the channel (bridge.md 2.2), between bridges the SCTP client does (7.1); one at a time, text only. werift is loaded at the first channel.
 */
import { createRequire } from "node:module";
import { monotonicNow } from "../../clock.ts";

export interface DataChannelEvents {
  /** A packet for DTLS. */
  sendPacket(packet: Uint8Array): void;
  open(): void;
  message(text: string): void;
  /** The peer closed the channel, or the association is over; after the latter no further event comes. */
  closed(): void;
  dropped(reason: DataChannelDrop): void;
}

export type DataChannelDrop =
  | "sctp-malformed"
  | "sctp-flood"
  | "sctp-over-budget"
  | "channel-binary"
  | "channel-too-long"
  | "channel-unknown-stream"
  | "channel-unknown-ppid"
  | "channel-malformed-open"
  | "channel-too-many";

export interface DataChannel {
  /** DTLS application data: one SCTP packet. */
  handlePacket(packet: Uint8Array): void;
  /** Queues a text; false: no channel is open, or the queue is full. */
  send(text: string): boolean;
  /** Ends the association and its timers. */
  close(): void;
}

export type DataChannelFactory = (events: DataChannelEvents) => DataChannel;

/** RFC 8831 §8: identifiers of the payload. */
const PPID_DCEP = 50;
const PPID_TEXT = 51;
const PPID_BINARY = 53;
const PPID_TEXT_EMPTY = 56;
const PPID_BINARY_EMPTY = 57;
/** RFC 8832 §8.2.1. */
const DCEP_ACK = 0x02;
const DCEP_OPEN = 0x03;
const DCEP_OPEN_HEADER_BYTES = 12;
/** Of a channel that we open, as JVB's relays name theirs. RFC 8832 §6: the DTLS client takes even streams. */
const OWN_STREAM = 0;
const OWN_LABEL = "default";
const PROTOCOL = "http://jitsi.org/protocols/colibri";

const SCTP_PORT = 5000;
export const MAX_MESSAGE_BYTES = 262_144;
const MAX_QUEUED_BYTES = 1_048_576;
/**
 * Fragments waiting for others, and scattered sequence numbers. Honest browsers with 256 KiB messages at 5 % loss reached 237 and 341; werift sorts them
 * all for each packet, so that more would let one peer burn a core.
 */
const MAX_PIECES = 512;
const MAX_STREAMS = 64;
/** Packets of one peer: at once, and a second. What is dropped comes again; a bridge channel needs some ten a second. */
const PACKETS_BURST = 2_000;
const PACKETS_PER_SECOND = 1_000;
/** Seconds: werift's own first wait of 3 s would be the price of one lost early packet. */
const FIRST_RTO = 0.5;

/** What we use of werift 0.25.2's SCTP class, private members included: the version is pinned, a test holds the shape. */
interface Association {
  readonly stateChanged: Readonly<Record<"connected" | "closed", { subscribe(callback: () => void): unknown }>>;
  readonly onReceive: { subscribe(callback: (streamId: number, ppid: number, data: Uint8Array) => void): unknown };
  readonly onReconfigStreams: { subscribe(callback: (streamIds: readonly number[]) => void): unknown };
  readonly outboundQueue: { readonly length: number };
  readonly advertisedRwnd: number;
  readonly sackMisOrdered: { readonly size: number };
  readonly inboundStreams: Readonly<Record<number, { readonly reassembly: { readonly length: number } }>>;
  readonly reconfigQueue: number[];
  rto: number;
  start(remotePort: number): Promise<void>;
  stop(): Promise<void>;
  handleData(packet: Uint8Array): Promise<void>;
  send(streamId: number, ppid: number, data: Uint8Array): Promise<void>;
  transmitReconfigRequest(): Promise<void>;
}

interface AssociationTransport {
  onData?: (packet: Uint8Array) => void;
  send(packet: Uint8Array): Promise<void>;
  close(): void;
}

interface AssociationClass {
  server(transport: AssociationTransport, port: number): Association;
  client(transport: AssociationTransport, port: number): Association;
}

let associationClass: AssociationClass | undefined;

/** werift's exports map has no sub-path for SCTP; the file itself costs half the memory of the whole package. */
function loadAssociationClass(): AssociationClass {
  if (associationClass === undefined) {
    const file = new URL("./sctp/src/sctp.js", import.meta.resolve("werift"));
    const module = createRequire(import.meta.url)(Bun.fileURLToPath(file)) as { readonly SCTP: AssociationClass };
    associationClass = module.SCTP;
  }
  return associationClass;
}

/** Channels over werift's SCTP that the peer opens. */
export const sctpDataChannel: DataChannelFactory = (events) => new SctpDataChannel(events, "server");

/** Channels that we open. */
export const openedDataChannel: DataChannelFactory = (events) => new SctpDataChannel(events, "client");

/** DATA_CHANNEL_OPEN (RFC 8832 §5.1): reliable, ordered. */
function openMessage(): Uint8Array {
  const [label, protocol] = [new TextEncoder().encode(OWN_LABEL), new TextEncoder().encode(PROTOCOL)];
  const message = new Uint8Array(DCEP_OPEN_HEADER_BYTES + label.length + protocol.length);
  message[0] = DCEP_OPEN;
  const view = new DataView(message.buffer);
  view.setUint16(8, label.length);
  view.setUint16(10, protocol.length);
  message.set(label, DCEP_OPEN_HEADER_BYTES);
  message.set(protocol, DCEP_OPEN_HEADER_BYTES + label.length);
  return message;
}

class SctpDataChannel implements DataChannel {
  readonly #events: DataChannelEvents;
  readonly #association: Association;
  /** Stream of the open channel. */
  #stream: number | undefined;
  /** Bytes handed to the association that it has not sent yet. */
  #queued = 0;
  /** We have asked for our channel and wait for the peer's word. */
  #asked = false;
  #over = false;
  #budget = PACKETS_BURST;
  #budgetAt = monotonicNow();

  constructor(events: DataChannelEvents, role: "server" | "client") {
    this.#events = events;
    const association = loadAssociationClass()[role](
      {
        send: (packet) => {
          if (!this.#over) events.sendPacket(packet);
          return Promise.resolve();
        },
        close: () => {},
      },
      SCTP_PORT,
    );
    this.#association = association;
    association.rto = FIRST_RTO;
    association.stateChanged.closed.subscribe(() => this.#end());
    if (role === "client")
      association.stateChanged.connected.subscribe(() => {
        this.#asked = true;
        this.#send(OWN_STREAM, PPID_DCEP, openMessage());
      });
    association.onReceive.subscribe((stream, ppid, data) => this.#receive(stream, ppid, data));
    association.onReconfigStreams.subscribe((streams) => {
      if (this.#stream === undefined || !streams.includes(this.#stream)) return;
      this.#stream = undefined;
      events.closed();
    });
    this.#contain(association.start(SCTP_PORT));
  }

  handlePacket(packet: Uint8Array): void {
    if (this.#over) return;
    if (!this.#spend()) {
      this.#events.dropped("sctp-over-budget");
      return;
    }
    const association = this.#association;
    const handled = association.handleData(Buffer.from(packet.buffer, packet.byteOffset, packet.byteLength));
    this.#contain(handled);
    if (!this.#floods()) return;
    this.#events.dropped("sctp-flood");
    this.close();
    this.#events.closed();
  }

  send(text: string): boolean {
    const data = new TextEncoder().encode(text);
    if (this.#over || this.#stream === undefined || data.length > MAX_MESSAGE_BYTES) return false;
    if (this.#queued + data.length > MAX_QUEUED_BYTES) return false;
    if (data.length === 0) this.#send(this.#stream, PPID_TEXT_EMPTY, Uint8Array.of(0));
    else this.#send(this.#stream, PPID_TEXT, data);
    return true;
  }

  close(): void {
    if (this.#over) return;
    // The ABORT that stop() sends still goes out.
    this.#contain(this.#association.stop());
    this.#over = true;
    this.#stream = undefined;
  }

  #send(stream: number, ppid: number, data: Uint8Array): void {
    this.#queued += data.length;
    const done = this.#association.send(stream, ppid, Buffer.from(data.buffer, data.byteOffset, data.byteLength));
    // Resolves when the association's queue is empty again.
    this.#contain(done.finally(() => (this.#queued -= data.length)));
  }

  #receive(stream: number, ppid: number, data: Uint8Array): void {
    if (this.#over) return;
    if (ppid === PPID_DCEP) this.#receiveDcep(stream, data);
    else if (stream !== this.#stream) this.#events.dropped("channel-unknown-stream");
    else if (ppid === PPID_TEXT && data.length > MAX_MESSAGE_BYTES) this.#events.dropped("channel-too-long");
    else if (ppid === PPID_TEXT) this.#events.message(new TextDecoder().decode(data));
    else if (ppid === PPID_TEXT_EMPTY) this.#events.message("");
    else
      this.#events.dropped(
        ppid === PPID_BINARY || ppid === PPID_BINARY_EMPTY ? "channel-binary" : "channel-unknown-ppid",
      );
  }

  /** RFC 8832 §5: OPEN is answered with ACK on the same stream; type, priority and reliability of the channel make no difference to us. */
  #receiveDcep(stream: number, data: Uint8Array): void {
    if (data[0] === DCEP_ACK) {
      if (!this.#asked || stream !== OWN_STREAM || this.#stream !== undefined) return;
      this.#asked = false;
      this.#stream = stream;
      this.#events.open();
      return;
    }
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    const wellFormed =
      data[0] === DCEP_OPEN &&
      data.length >= DCEP_OPEN_HEADER_BYTES &&
      DCEP_OPEN_HEADER_BYTES + view.getUint16(8) + view.getUint16(10) <= data.length;
    if (!wellFormed) {
      this.#events.dropped("channel-malformed-open");
      return;
    }
    if (this.#stream !== undefined && this.#stream !== stream) {
      // One channel at most: the second is closed by resetting its stream (RFC 8831 §6.7).
      this.#events.dropped("channel-too-many");
      if (!this.#association.reconfigQueue.includes(stream) && this.#association.reconfigQueue.length < MAX_STREAMS)
        this.#association.reconfigQueue.push(stream);
      this.#contain(this.#association.transmitReconfigRequest());
      return;
    }
    const first = this.#stream === undefined;
    this.#stream = stream;
    this.#send(stream, PPID_DCEP, Uint8Array.of(DCEP_ACK));
    if (first) this.#events.open();
  }

  /** Whether the peer makes the association keep more than an honest one would. */
  #floods(): boolean {
    const { advertisedRwnd, sackMisOrdered, inboundStreams } = this.#association;
    if (advertisedRwnd < 0 || sackMisOrdered.size > MAX_PIECES) return true;
    let streams = 0;
    for (const id in inboundStreams) {
      if (++streams > MAX_STREAMS || (inboundStreams[id]?.reassembly.length ?? 0) > MAX_PIECES) return true;
    }
    return false;
  }

  #spend(): boolean {
    const now = monotonicNow();
    this.#budget = Math.min(PACKETS_BURST, this.#budget + ((now - this.#budgetAt) * PACKETS_PER_SECOND) / 1000);
    this.#budgetAt = now;
    if (this.#budget < 1) return false;
    this.#budget--;
    return true;
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#stream = undefined;
    this.#events.closed();
  }

  /** The library's promises reject on malformed packets; unhandled that would end the process. */
  #contain(promise: Promise<unknown>): void {
    promise.catch(() => this.#events.dropped("sctp-malformed"));
  }
}
