/**
 * Shell: the media loop's Worker. It owns its thread and the sockets of the media port: poll, recvmmsg, the core, sendmmsg; commands come by message and wake it
 * by an eventfd; each turn ends with setImmediate, so that messages get in (facts/data-plane.md).
 */
import { type Pointer, ptr } from "bun:ffi";
import { edenGC } from "bun:jsc";
import { COLLECT_MS } from "../../garbage-collection.ts";
import type { MediaCommand, MediaEvent, MediaSocket } from "../media-commands.ts";
import { pinThread, threadCpuMs } from "../native/affinity.ts";
import { adviseHugePages } from "../native/huge-pages.ts";
import { drainEventFd, Errno, libc, openUdpSocket, POLLIN, SystemCallError, type UdpSocket } from "../native/libc.ts";
import { POLLFD_BYTES } from "../native/libc-layout.ts";
import type { PacketMemory } from "../transport/srtp.ts";
import { chooseAmongAll } from "../transport/srtp-providers.ts";
import { writeAddress } from "./addresses.ts";
import { DatagramReceiver } from "./datagram-receiver.ts";
import { DatagramSender } from "./datagram-sender.ts";
import { Drop } from "./drop-reason.ts";
import { HUGE_PAGES_END, HUGE_PAGES_FROM, KERNEL_CONTEXTS, Layout, MEMORY_PAGES } from "./layout.ts";
import { measureDatagrams } from "./measure-datagrams.ts";
import { MediaLoop } from "./media-loop.ts";
import { ADDRESS_BYTES } from "./outbox.ts";
import { ROUND_MS, WarmUp } from "./warm-up.ts";
import type { FromWorker, ToWorker, WorkerOptions } from "./worker-messages.ts";

declare const self: {
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
  postMessage(message: FromWorker): void;
};

/** Asked of the kernel for each direction (bridge.md 3.1); it clips at net.core.rmem_max. */
const SOCKET_BUFFER_BYTES = 10 * 1024 * 1024;
/** Receive calls on one socket before the others, commands and the tick get their turn. */
const ROUNDS = 16;
/** Time after which a turn ends, whatever still waits: commands and the tick are never further away. */
const TURN_MS = 3;
/** What goes out waits at most so long for more that has already come. */
const GATHER_MS = 0.5;
/** Messages of a call after which the socket is taken to be empty, unless the rest of a frame is to come: poll says if it is not. */
const FEW = 4;
/** Packets out between two looks at the clock. */
const CLOCK_EVERY = 128;
/** Without a message the loop yields to the event loop so often: a yield costs as much as several packets. */
const YIELD_MS = 250;
/** The busy share that holding goes by is measured over so long, the one that is reported over the other. */
const SHORT_WINDOW_MS = 100;
const LOAD_WINDOW_MS = 1000;
/** Random ports tried until one is free on all addresses. */
const PORT_ATTEMPTS = 20;
const MAX_SOCKETS = 30;
/** The made-up meeting at the first endpoint: in slices between two looks for something real, until so many packets went out or so much time was spent. */
const WARM_SLICE_MS = 2;
/** Between two slices the compiler's threads get the core, should it be the only one: the longer rest while real media flows. */
const WARM_REST_MS = 0.5;
const WARM_REST_BESIDE_MEDIA_MS = 4;
const WARM_PACKETS = 400_000;
const WARM_MOST_MS = 3000;

/** Never grown, reachable for good: its address is in the hands of the kernel and the ciphers. */
const fixed = { memory: new WebAssembly.Memory({ initial: MEMORY_PAGES, maximum: MEMORY_PAGES }) };
const bytes = new Uint8Array(fixed.memory.buffer);
const words = new Uint32Array(fixed.memory.buffer);
const halves = new Uint16Array(fixed.memory.buffer);
const base = ptr(bytes) as number;
const memory: PacketMemory = { memory: fixed.memory, bytes, base };
const at = (offset: number): Pointer => (base + offset) as Pointer;

const events: MediaEvent[] = [];
const emit = (event: MediaEvent): void => {
  events.push(event);
};
/** What the made-up meeting tells meanwhile is for nobody; it tells it in the same way, so that the compiler sees one. */
function unheard<Result>(work: () => Result): Result {
  const before = events.length;
  const result = work();
  events.length = before;
  return result;
}
let sockets: UdpSocket[] = [];
let families: (4 | 6)[] = [];
/** Sockets of the media port itself: a further port has as many. */
let addresses: readonly string[] = [];
let wakeFd = -1;
let loop: MediaLoop;
let sender: DatagramSender;
let receiver: DatagramReceiver;
/** Joined datagrams are welcome. */
let coalesce = true;
let stopping = false;
/** What the first endpoint begins; undefined once it has begun. */
let warm: (() => WarmUp) | undefined;
let warming: WarmUp | undefined;
let warmedMs = 0;

/** One socket per address, all on one port. Addresses that this machine cannot bind are left out, unless none is left. */
function openSockets(addresses: readonly string[], port: number): { socket: UdpSocket; description: MediaSocket }[] {
  for (let attempt = 1; ; attempt++) {
    const opened: { socket: UdpSocket; description: MediaSocket }[] = [];
    let chosen = port;
    let failure: unknown;
    let taken = false;
    for (const address of addresses.slice(0, MAX_SOCKETS)) {
      const family = address.includes(":") ? 6 : 4;
      const name = new Uint8Array(ADDRESS_BYTES);
      if (!writeAddress(name, 0, family, address, chosen)) {
        failure = new Error(`not an address: ${address}`);
        continue;
      }
      try {
        const socket = openUdpSocket(name, SOCKET_BUFFER_BYTES, coalesce);
        chosen = socket.port;
        opened.push({ socket, description: { address, family, port: socket.port } });
      } catch (error) {
        failure = error;
        if (error instanceof SystemCallError && error.errno === Errno.EADDRINUSE) {
          taken = true;
          break;
        }
      }
    }
    if (!taken && opened.length > 0) return opened;
    for (const { socket } of opened) libc.close(socket.fd);
    if (taken && port === 0 && attempt < PORT_ATTEMPTS) continue;
    if (taken) throw new Error(`UDP port ${chosen} is taken`);
    throw failure instanceof Error ? failure : new Error("no address to open the media port on");
  }
}

/** An entry of the poll set; poll passes over negative ones. */
function watch(index: number, fd: number): void {
  words[(Layout.poll + index * POLLFD_BYTES) >> 2] = fd;
  halves[(Layout.poll + index * POLLFD_BYTES + 4) >> 1] = POLLIN;
}

/** One more port on all addresses, in the place of a closed one where there is one; nothing where there is no room or no port. */
function openPort(): void {
  const size = addresses.length;
  let first = size;
  while (first < sockets.length && (sockets[first] as UdpSocket).fd >= 0) first += size;
  if (first + size > MAX_SOCKETS) return;
  let opened: ReturnType<typeof openSockets>;
  try {
    opened = openSockets(addresses, 0);
  } catch {
    return; // the control side goes on with what it has
  }
  if (opened.length < size) {
    for (const { socket } of opened) libc.close(socket.fd);
    return;
  }
  for (const [place, { socket, description }] of opened.entries()) {
    sockets[first + place] = socket;
    families[first + place] = description.family;
    sender.use(first + place, socket.fd);
    watch(first + place + 1, socket.fd);
  }
  loop.sockets(families);
  events.push({ type: "port-opened", first, sockets: opened.map(({ description }) => description) });
}

function closePort(first: number): void {
  if (first < addresses.length || first % addresses.length !== 0) return;
  for (let index = first; index < Math.min(first + addresses.length, sockets.length); index++) {
    const socket = sockets[index] as UdpSocket;
    if (socket.fd < 0) continue;
    libc.close(socket.fd);
    sockets[index] = { ...socket, fd: -1 };
    sender.use(index, -1);
    watch(index + 1, -1);
  }
}

function start(options: WorkerOptions): void {
  wakeFd = options.wakeFd;
  coalesce = options.coalescing;
  adviseHugePages(base + HUGE_PAGES_FROM, base + HUGE_PAGES_END);
  const core = options.pin === undefined ? undefined : pinThread(options.pin);
  const opened = openSockets(options.addresses, options.port);
  sockets = opened.map(({ socket }) => socket);
  families = opened.map(({ description }) => description.family);
  addresses = opened.map(({ description }) => description.address);
  const region = { at: Layout.kernel, contexts: KERNEL_CONTEXTS };
  const choices = chooseAmongAll(memory, region, Layout.scratch, () => performance.now(), options.srtpProvider);
  const datagramMicros = measureDatagrams(memory, () => performance.now());
  sender = new DatagramSender(
    memory,
    sockets.map(({ fd }) => fd),
    options.segmenting,
  );
  loop = new MediaLoop({
    memory,
    drain: sender.drain,
    emit,
    random: Math.random,
    provider: (profile) => choices[profile].provider,
    holding: options.holding,
    onlyFrom: options.onlyFrom,
  });
  sender.drops = loop.state.drops;
  warm = () => {
    const gcm = choices.AEAD_AES_128_GCM.microsPerPacket <= choices.AES128_CM_HMAC_SHA1_80.microsPerPacket;
    const profile = gcm ? "AEAD_AES_128_GCM" : "AES128_CM_HMAC_SHA1_80"; // the one that DTLS prefers
    return new WarmUp(memory, choices[profile].provider, profile, performance.now(), sender.drain, emit);
  };
  loop.sockets(families);
  receiver = new DatagramReceiver(memory);
  watch(0, wakeFd);
  for (const [index, socket] of sockets.entries()) watch(index + 1, socket.fd);
  events.push({
    type: "ready",
    sockets: opened.map(({ description }) => description),
    providers: {
      AES128_CM_HMAC_SHA1_80: {
        name: choices.AES128_CM_HMAC_SHA1_80.provider.name,
        microsPerPacket: choices.AES128_CM_HMAC_SHA1_80.microsPerPacket,
      },
      AEAD_AES_128_GCM: {
        name: choices.AEAD_AES_128_GCM.provider.name,
        microsPerPacket: choices.AEAD_AES_128_GCM.microsPerPacket,
      },
    },
    datagramMicros,
    ...(core === undefined ? {} : { core }),
    receiveBufferBytes: Math.min(...sockets.map((socket) => socket.receiveBufferBytes)),
  });
  busySince = performance.now();
  turn();
}

let busySince = performance.now();
let busyMs = 0;
let windowSince = busySince;
let shortBusyMs = 0;
let shortSince = busySince;
/** Socket of the datagrams that were received and, when the turn's time was up, not worked through. */
let leftSocket = 0;
/** The thread's own time when the window began; what the made-up meeting takes goes before it. */
let windowCpuMs = 0;

/** Messages announced by the eventfd, and those that got in: while one is outstanding the thread does not sleep and yields every round. */
let announced = 0;
let arrived = 0;
/** Rounds that a message has been outstanding for; after the first few the event loop is given time. */
let outstandingRounds = 0;
const EAGER_ROUNDS = 4;
const OUTSTANDING_WAIT_MS = 1;

let collectedAt = 0;

/** Goes round until there is a message to let in, or YIELD_MS have passed; then the event loop has its turn. */
function turn(): void {
  const since = performance.now();
  if (since - collectedAt >= COLLECT_MS) {
    edenGC();
    collectedAt = since;
  }
  while (!stopping) {
    if (events.length > 0) self.postMessage({ type: "events", events: events.splice(0) });
    round();
    if (announced > arrived) {
      outstandingRounds += 1;
      break;
    }
    outstandingRounds = 0;
    if (busySince - since >= YIELD_MS) break;
  }
  if (!stopping) setImmediate(turn);
}

/** Waits for something to do and does it. */
function round(): void {
  let now = performance.now();
  const busy = now - busySince;
  busyMs += busy;
  shortBusyMs += busy;
  loop.turns.count(busy);
  const due = loop.wakeAt;
  let wait = due === Number.POSITIVE_INFINITY ? -1 : Math.max(0, due - now);
  if (receiver.pending) wait = 0;
  else if (announced > arrived) {
    const patience = outstandingRounds <= EAGER_ROUNDS ? 0 : OUTSTANDING_WAIT_MS;
    wait = wait < 0 ? patience : Math.min(wait, patience);
  } else if (warming !== undefined) {
    const rest = loop.mediaFlows(now) ? WARM_REST_BESIDE_MEDIA_MS : WARM_REST_MS;
    wait = wait < 0 ? rest : Math.min(wait, rest);
  }
  if (wait < 0) libc.ppoll(at(Layout.poll), sockets.length + 1, null, null);
  else {
    const seconds = Math.floor(wait / 1000);
    words[Layout.wait >> 2] = seconds;
    words[(Layout.wait >> 2) + 2] = Math.ceil((wait - seconds * 1000) * 1e6);
    libc.ppoll(at(Layout.poll), sockets.length + 1, at(Layout.wait), null);
  }
  if (warming !== undefined && halves[(Layout.poll + 6) >> 1] === 0) goOnWarming(warming);
  now = performance.now();
  busySince = now;
  if (now - shortSince >= SHORT_WINDOW_MS) measureLoad(now);
  if (halves[(Layout.poll + 6) >> 1] !== 0) announced += drainEventFd(wakeFd); // the message itself comes after this turn
  if (receiver.pending) {
    work(now, leftSocket, now);
    loop.endBatch(now);
  }
  for (let index = 0; index < sockets.length && !receiver.pending; index++)
    if (halves[(Layout.poll + (index + 1) * POLLFD_BYTES + 6) >> 1] !== 0 && (sockets[index] as UdpSocket).fd >= 0)
      receive(now, index);
  if (now >= loop.nextTick) loop.tick(now);
}

/** One slice; it is not time that the loop was busy. Keeps what comes waiting for a slice at most. */
function goOnWarming(meeting: WarmUp): void {
  const begin = performance.now();
  const cpuMs = threadCpuMs();
  unheard(() => meeting.run(WARM_SLICE_MS, () => performance.now(), ROUND_MS));
  windowCpuMs += threadCpuMs() - cpuMs;
  warmedMs += performance.now() - begin;
  if (meeting.sent < WARM_PACKETS && warmedMs < WARM_MOST_MS) return;
  unheard(() => meeting.close());
  warming = undefined;
  // Six made-up people and all that the compilers looked at; what they made is young enough to stay.
  Bun.gc(true);
}

function measureLoad(now: number): void {
  loop.busy(Math.min(1, shortBusyMs / (now - shortSince)), now - shortSince);
  shortBusyMs = 0;
  shortSince = now;
  if (now - windowSince < LOAD_WINDOW_MS) return;
  const cpuMs = threadCpuMs();
  // Other programs that keep the processor from this thread make its turns long; that alone does not make the bridge full.
  const worked = cpuMs < 0 ? busyMs : Math.min(busyMs, 2 * (cpuMs - windowCpuMs));
  loop.load = Math.min(1, worked / (now - windowSince));
  windowCpuMs = cpuMs;
  busyMs = 0;
  windowSince = now;
}

/**
 * Reads and works through what has come, until nothing is there or the turn is over. What goes out is sent when the socket is empty, not after every call: the
 * rest of a frame comes while its first packet is being worked on, and then leaves in the same runs.
 */
function receive(now: number, index: number): void {
  const { fd } = sockets[index] as UdpSocket;
  let arrival = now; // of the datagrams: what a later call fetches was not there when the turn began
  let gatheredSince = now;
  for (let each = 0; each < ROUNDS; each++) {
    const count = receiver.fetch(fd);
    if (count === 0) break;
    leftSocket = index;
    work(arrival, index, now);
    if (receiver.pending || (count <= FEW && !loop.state.frameOpen)) break;
    arrival = performance.now();
    if (arrival - now >= TURN_MS) break;
    if (arrival - gatheredSince < GATHER_MS) continue;
    loop.endBatch(arrival);
    gatheredSince = arrival;
  }
  loop.endBatch(arrival);
}

/** Works through what was received at `now`, for as long as the turn, which began at `since`, has time. Looks at the clock after every so many packets that went out. */
function work(now: number, index: number, since: number): void {
  let sent = 0;
  while (receiver.pending) {
    receiver.take();
    if (receiver.truncated) loop.state.drops.count(Drop.truncated);
    else loop.receive(now, index, receiver.at, receiver.length, receiver.address);
    const out = loop.state.outbox.datagrams + loop.state.held.datagrams;
    if (out < sent) sent = 0; // the outbox emptied itself on the way
    if (out - sent < CLOCK_EVERY) continue;
    sent = out;
    if (performance.now() - since >= TURN_MS) return;
  }
}

function apply(commands: readonly MediaCommand[]): void {
  loop.apply(performance.now(), commands);
  loop.flush();
  for (const command of commands) {
    if (command.type === "add-endpoint" && warm !== undefined) {
      warming = unheard(warm);
      warm = undefined;
    }
    if (command.type === "open-port") openPort();
    else if (command.type === "close-port") closePort(command.first);
  }
  if (!commands.some((command) => command.type === "stop")) return;
  stopping = true;
  for (const { fd } of sockets) if (fd >= 0) libc.close(fd);
  self.postMessage({ type: "events", events: events.splice(0) });
  self.postMessage({ type: "stopped" });
}

self.onmessage = ({ data }) => {
  arrived += 1;
  if (data.type === "start") {
    try {
      start(data.options);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      self.postMessage({ type: "events", events: [{ type: "fault", message }] });
      self.postMessage({ type: "stopped" });
    }
  } else if (!stopping) apply(data.commands);
};
