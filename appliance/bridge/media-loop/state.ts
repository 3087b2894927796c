/**
 * What all stages of the loop share: memory, tables, counters, and how events leave. Stages are classes over one of these.
 */
import { PacketLog } from "../forward/packet-log.ts";
import type { MediaEvent, SrtpProfile } from "../media-commands.ts";
import type { PacketMemory, SrtpProvider } from "../transport/srtp.ts";
import { PathTable } from "./addresses.ts";
import { MAX_ENDPOINTS, MAX_SOURCES } from "./bounds.ts";
import { DropCounters } from "./drop-reason.ts";
import type { Conference, Endpoint, Source } from "./endpoint.ts";
import { Holding, type HoldingOptions, NO_HOLDING } from "./holding.ts";
import { Layout, LOG_BYTES } from "./layout.ts";
import { Destination, Outbox } from "./outbox.ts";

export interface MediaLoopOptions {
  /** At least MEMORY_PAGES of `layout.ts`. */
  readonly memory: PacketMemory;
  /** Sends what the outbox holds. */
  readonly drain: (outbox: Outbox) => void;
  readonly emit: (event: MediaEvent) => void;
  /** 0 … 1, exclusive; for first sequence numbers. */
  readonly random: () => number;
  readonly provider: (profile: SrtpProfile) => SrtpProvider;
  /** Addresses whose datagrams are taken; undefined: all. */
  readonly onlyFrom?: readonly string[] | undefined;
  /** Bytes of packet history, a multiple of 8; absent: LOG_BYTES. */
  readonly logBytes?: number;
  /** Its outboxes are silent (outbox.ts). */
  readonly silent?: boolean;
  /** Where in the memory its tables lie; absent: `Layout`. */
  readonly places?: Places;
  /** Absent: nothing is held. */
  readonly holding?: HoldingOptions | undefined;
}

/** Offsets in the packet memory of what a loop needs for itself. */
export interface Places {
  readonly paths: number;
  readonly outbox: number;
  readonly held: number;
  readonly log: number;
}

export class LoopState {
  readonly bytes: Uint8Array;
  readonly memory: PacketMemory;
  readonly paths: PathTable;
  readonly outbox: Outbox;
  /** Video that waits for more of its kind (holding.ts). */
  readonly held: Outbox;
  readonly holding: Holding;
  /** When the oldest datagram of `held` was put there, ms. */
  heldSince = 0;
  readonly log: PacketLog;
  readonly drops = new DropCounters();
  readonly emit: (event: MediaEvent) => void;
  readonly random: () => number;
  readonly provider: (profile: SrtpProfile) => SrtpProvider;
  readonly conferences = new Map<number, Conference>();
  readonly endpoints: (Endpoint | undefined)[] = new Array<Endpoint | undefined>(MAX_ENDPOINTS).fill(undefined);
  readonly sources: (Source | undefined)[] = new Array<Source | undefined>(MAX_SOURCES).fill(undefined);
  endpointCount = 0;
  /** Address family of each local socket. */
  families: readonly (4 | 6)[] = [];
  /** Endpoints that got something in this batch; looked after when it ends. */
  readonly touched: Endpoint[] = [];

  /** The newest video packet was not its frame's last: more of it is on its way. */
  frameOpen = false;
  /** Batches of datagrams that came in, with at least one each. */
  batches = 0;
  packetsHeld = 0;
  packetsReceived = 0;
  bytesReceived = 0;
  packetsSent = 0;
  bytesSent = 0;
  keyFramesReceived = 0;
  keyFrameRequestsSent = 0;
  nacksReceived = 0;
  nacksSent = 0;
  retransmissions = 0;
  unmatchedFeedback = 0;
  spuriousRembEndpoints = 0;

  constructor(options: MediaLoopOptions) {
    this.memory = options.memory;
    this.bytes = options.memory.bytes;
    const places: Places = options.places ?? Layout;
    this.paths = new PathTable(this.bytes, places.paths);
    this.outbox = new Outbox(this.bytes, places.outbox, options.drain, options.silent);
    this.held = new Outbox(this.bytes, places.held, options.drain, options.silent);
    this.holding = new Holding(options.holding ?? NO_HOLDING);
    this.log = new PacketLog(this.bytes, places.log, options.logBytes ?? LOG_BYTES);
    this.emit = options.emit;
    this.random = options.random;
    this.provider = options.provider;
  }

  /** One datagram to a socket address that stays where it is until the outbox is drained. Cold. */
  datagram(socket: number, address: number, datagram: Uint8Array): void {
    const destination = new Destination();
    destination.socket = socket;
    destination.name = address;
    const at = this.outbox.reserve(destination, datagram.length);
    this.bytes.set(datagram, at);
    this.outbox.commit(destination, datagram.length);
  }

  touch(endpoint: Endpoint): void {
    if (endpoint.touched) return;
    endpoint.touched = true;
    this.touched.push(endpoint);
  }
}
