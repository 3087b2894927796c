/**
 * Tests only: a whole appliance in one process and virtual time: the cores of xmpp, focus, bridge and media loop, as their shells put them
 * together, on a simulated network that loses, delays and reorders datagrams. XMPP and the bridge channel run over what TCP makes of it: in order and whole.
 *
 * Any part can die and is started anew, as the supervisor does: what it knew is lost, and the others notice as they would by their sockets.
 */
import { Bridge } from "../../appliance/bridge/bridge.ts";
import { parseChannelPath } from "../../appliance/bridge/channel-path.ts";
import type { ChannelId, TransportFactory } from "../../appliance/bridge/context.ts";
import type { Link } from "../../appliance/bridge/link.ts";
import type { MediaCommand, MediaEvent, Path } from "../../appliance/bridge/media-commands.ts";
import { addressPort, addressText, writeAddress } from "../../appliance/bridge/media-loop/addresses.ts";
import { KERNEL_CONTEXTS, Layout, MEMORY_PAGES } from "../../appliance/bridge/media-loop/layout.ts";
import { MediaLoop } from "../../appliance/bridge/media-loop/media-loop.ts";
import type { Outbox } from "../../appliance/bridge/media-loop/outbox.ts";
import { addressed, loopProvider } from "../../appliance/bridge/media-loop/test-provider.ts";
import { DtlsContext } from "../../appliance/bridge/transport/dtls.ts";
import type { PacketMemory } from "../../appliance/bridge/transport/srtp.ts";
import { StunDemux } from "../../appliance/bridge/transport/stun-demux.ts";
import { PROFILES, TEST_RETRANSMISSION, testCertificate } from "../../appliance/bridge/transport/transport-pair.ts";
import type { FocusConfig } from "../../appliance/config.ts";
import { type Deadline, soonest } from "../../appliance/deadlines.ts";
import { Focus } from "../../appliance/focus/focus.ts";
import type { FocusAction } from "../../appliance/focus/outbox.ts";
import { focusSettings } from "../../appliance/focus/settings.ts";
import { type LinkOptions, SimulatedNetwork, seededBytes, seededRandom } from "../../appliance/simulated-network.ts";
import { type EpochMillis, later, type Millis } from "../../appliance/time.ts";
import type { Element } from "../../appliance/wire/xml.ts";
import { createMucHosts } from "../../appliance/xmpp/muc/hosts.ts";
import { DialogueServer, type Participant, TEST_DOMAINS } from "../xmpp-dialogue.ts";
import { PatientTransport } from "./patient-transport.ts";
import { SimulatedClient } from "./simulated-client.ts";

const EPOCH = 1_790_000_000_000;
const MAX_ROUNDS = 10_000;
/** Services try to log in again every second (xmpp-session.ts). */
const RECONNECT_MS = 1_000;
const BREWERY = `jvbbrewery@${TEST_DOMAINS.internalMuc}`;

/** What runs of xmpp: the server and how far its clock is ahead of the network's. */
interface RunningXmpp {
  readonly server: DialogueServer;
  readonly ahead: number;
}

interface RunningFocus {
  readonly core: Focus;
  stream: Participant | undefined;
}

interface RunningBridge {
  readonly core: Bridge;
  readonly loop: MediaLoop;
  readonly memory: PacketMemory;
  readonly woken: Set<Link>;
  stream: Participant | undefined;
  events: MediaEvent[];
  /** It gets no time of the machine: nothing is read, sent or forwarded. */
  stalled: boolean;
}

interface Channel {
  readonly client: SimulatedClient;
  readonly bridge: RunningBridge;
  readonly onText: (text: string) => void;
}

export class WholeBox {
  readonly domains = TEST_DOMAINS;
  readonly network: SimulatedNetwork;
  readonly clients: SimulatedClient[] = [];
  /** Where clients see the bridge. */
  readonly mediaPath: Path = { socket: 0, address: "10.9.200.1", port: 10_000 };
  /** Warnings of focus and bridge: a healthy meeting has none. */
  readonly warnings: string[] = [];
  /** What the parts said, with the time: for those who look into a failure. */
  readonly log: string[] = [];
  readonly #seed: number;
  readonly #random: (count: number) => Uint8Array;
  readonly #chance: () => number;
  readonly #channels = new Map<number, Channel>();
  #xmpp: RunningXmpp | undefined;
  #focus: RunningFocus | undefined;
  #bridge: RunningBridge | undefined;
  /** Whether the pages' way to the bridge channel is there: the gateway lives in the control process. */
  #gateway = true;
  #pumping = false;
  #made = 0;
  #starts = 0;

  constructor(options: LinkOptions & { readonly seed: number }) {
    this.#seed = options.seed;
    this.network = new SimulatedNetwork(options);
    this.#random = seededBytes(options.seed + 1);
    this.#chance = seededRandom(options.seed + 3);
    this.#startXmpp();
    this.#startFocus();
    this.#startBridge();
    this.#loginFocus();
    this.#loginBridge();
    this.pump();
    this.network.add({
      nextDeadline: () => this.#nextDeadline(),
      handleTimeout: (now) => this.#handleTimeout(now),
    });
  }

  get now(): Millis {
    return this.network.now;
  }

  get xmpp(): DialogueServer {
    return running(this.#xmpp).server;
  }

  get bridge(): Bridge {
    return running(this.#bridge).core;
  }

  get #wall(): EpochMillis {
    return (EPOCH + this.now) as EpochMillis;
  }

  // --- starting and dying

  #startXmpp(): void {
    const server = new DialogueServer({
      hosts: (environment) => createMucHosts(environment),
      entropy: this.#seed + 1_000_000 * ++this.#starts,
    });
    this.#xmpp = { server, ahead: server.now - this.now };
  }

  #startFocus(): RunningFocus {
    const config: FocusConfig = {
      login: { host: "", port: 0, domain: TEST_DOMAINS.auth, user: "focus", password: "", tls: { kind: "insecure" } },
      domains: TEST_DOMAINS,
      brewery: BREWERY,
      http: { host: "", port: 0 },
      sctp: "off",
      minParticipants: 2,
      maxSsrcsPerParticipant: 20,
      maxParticipants: 100,
    };
    const text = (length: number): string => Buffer.from(this.#random(length)).toString("hex").slice(0, length);
    const core = new Focus(focusSettings(config), {
      id: text,
      uuid: () => `${text(8)}-${text(4)}-4${text(3)}-8${text(3)}-${text(12)}`,
    });
    const focus: RunningFocus = { core, stream: undefined };
    this.#focus = focus;
    return focus;
  }

  #startBridge(): RunningBridge {
    const seed = this.#seed + 100 * ++this.#starts;
    const shared = new WebAssembly.Memory({ initial: MEMORY_PAGES, maximum: MEMORY_PAGES });
    const memory = addressed(shared);
    const provider = loopProvider(memory, KERNEL_CONTEXTS);
    const dtls = new DtlsContext(testCertificate(seed), PROFILES, TEST_RETRANSMISSION);
    const random = this.#random;
    const transports: TransportFactory = {
      fingerprint: dtls.certificate.fingerprint,
      create: ({ sctp: _, ...rest }) => new PatientTransport({ ...rest, dtls, random }),
    };
    const woken = new Set<Link>();
    const bridge: RunningBridge = {
      memory,
      woken,
      events: [],
      stream: undefined,
      stalled: false,
      loop: new MediaLoop({
        memory,
        drain: (outbox) => this.#fromLoop(outbox),
        emit: (event) => bridge.events.push(event),
        random: seededRandom(seed + 2),
        provider: () => provider,
      }),
      core: new Bridge({
        settings: {
          brewery: BREWERY,
          serverId: "jvb",
          channelHost: "box.test",
          region: undefined,
          sctp: false,
          loudestSpeakers: 0,
          version: "0.0.0",
          os: "simulation",
          maxEndpoints: 1024,
          maxSources: 4096,
          maxConferences: 100,
        },
        transports,
        demux: new StunDemux<Link>(),
        random,
        onlyFrom: undefined,
        wake: (link) => woken.add(link),
      }),
    };
    bridge.loop.sockets([4]);
    bridge.core.mediaReady(this.now, [{ address: this.mediaPath.address, family: 4, port: this.mediaPath.port }]);
    this.#bridge = bridge;
    return bridge;
  }

  /** False: nobody to log in to. */
  #loginFocus(): boolean {
    const focus = this.#focus;
    if (focus === undefined || this.#xmpp === undefined) return false;
    this.#syncXmpp();
    focus.stream = this.xmpp.service("focus");
    focus.stream.enableManagement();
    this.#perform(focus.core.handle(this.now, { kind: "online", via: "client" }));
    return true;
  }

  #loginBridge(): boolean {
    const bridge = this.#bridge;
    if (bridge === undefined || this.#xmpp === undefined) return false;
    this.#syncXmpp();
    bridge.stream = this.xmpp.service("jvb", { resource: "jvb", presence: false });
    bridge.stream.enableManagement(false);
    bridge.core.xmppOnline(this.now, false);
    return true;
  }

  /** Tries to log in until it succeeds; ends when the part that tries is another one by then. */
  #reconnect(part: RunningFocus | RunningBridge, login: () => boolean): void {
    this.after(this.#chance() * RECONNECT_MS, () => {
      if ((part !== this.#focus && part !== this.#bridge) || part.stream !== undefined) return;
      if (!login()) this.#reconnect(part, login);
    });
  }

  /** xmpp alone dies: everybody's streams are cut, and nobody's session is known any more when it is back. */
  killXmpp(downMs: number): void {
    this.#say("xmpp dies");
    this.#dropXmpp();
    this.after(downMs, () => {
      if (this.#xmpp === undefined) this.#startXmpp();
    });
    this.pump();
  }

  #dropXmpp(): void {
    this.#xmpp = undefined;
    const focus = this.#focus;
    if (focus?.stream !== undefined) {
      focus.stream = undefined;
      this.#perform(focus.core.handle(this.now, { kind: "offline", via: "client" }));
      this.#reconnect(focus, () => this.#loginFocus());
    }
    const bridge = this.#bridge;
    if (bridge?.stream !== undefined) {
      bridge.stream = undefined;
      bridge.core.xmppOffline();
      this.#reconnect(bridge, () => this.#loginBridge());
    }
    for (const client of this.clients) client.streamLost();
  }

  /** The focus alone dies: its session waits on the server to be resumed, which nobody does. */
  killFocus(downMs: number): void {
    this.#say("the focus dies");
    this.#dropFocus();
    this.after(downMs, () => this.#newFocus());
    this.pump();
  }

  #dropFocus(): void {
    const focus = this.#focus;
    this.#focus = undefined;
    if (focus?.stream !== undefined && this.#xmpp !== undefined) {
      this.#syncXmpp();
      focus.stream.drop();
    }
  }

  #newFocus(): void {
    if (this.#focus !== undefined) return;
    const focus = this.#startFocus();
    if (!this.#loginFocus()) this.#reconnect(focus, () => this.#loginFocus());
  }

  /** The control process dies: xmpp, focus and gateway. Media goes on. */
  killControl(downMs: number): void {
    this.#say("the control process dies");
    this.#dropFocus();
    this.#dropXmpp();
    this.#gateway = false;
    for (const [channel, { client, bridge }] of [...this.#channels]) {
      this.#channels.delete(channel);
      bridge.core.channelClosed(channel as ChannelId);
      client.channelLost(channel);
    }
    this.after(downMs, () => {
      this.#gateway = true;
      if (this.#xmpp === undefined) this.#startXmpp();
      this.#newFocus();
    });
    this.pump();
  }

  /** A bridge dies with its media loop. */
  killBridge(downMs: number): void {
    this.#say("the bridge dies");
    const bridge = this.#bridge;
    this.#bridge = undefined;
    if (bridge?.stream !== undefined && this.#xmpp !== undefined) {
      this.#syncXmpp();
      bridge.stream.drop();
    }
    for (const [channel, { client }] of [...this.#channels]) {
      this.#channels.delete(channel);
      client.channelLost(channel);
    }
    this.after(downMs, () => {
      if (this.#bridge !== undefined) return;
      const fresh = this.#startBridge();
      if (!this.#loginBridge()) this.#reconnect(fresh, () => this.#loginBridge());
    });
    this.pump();
  }

  /** The bridge stands still for so long, as on a machine that has no time for it. */
  stallBridge(ms: number): void {
    this.#say(`the bridge stalls for ${Math.round(ms)} ms`);
    const bridge = this.#bridge;
    if (bridge === undefined) return;
    bridge.stalled = true;
    this.after(ms, () => {
      bridge.stalled = false;
    });
  }

  // --- time

  #nextDeadline(): Deadline | undefined {
    const { core, loop } = this.#bridge === undefined || this.#bridge.stalled ? {} : this.#bridge;
    const xmpp = this.#xmpp;
    const server = xmpp?.server.core.nextDeadline();
    const tick = loop?.nextTick ?? Number.POSITIVE_INFINITY;
    return soonest(
      xmpp === undefined || server === undefined ? undefined : { ...server, at: later(server.at, -xmpp.ahead) },
      this.#focus?.core.nextDeadline(),
      core?.nextDeadline(),
      Number.isFinite(tick) ? { at: tick as Millis, why: "loop tick" } : undefined,
    );
  }

  #handleTimeout(now: Millis): void {
    this.#syncXmpp();
    const due = (deadline: Deadline | undefined): boolean => deadline !== undefined && deadline.at <= now;
    const focus = this.#focus?.core;
    if (focus !== undefined && due(focus.nextDeadline())) this.#perform(focus.handle(now, { kind: "tick" }));
    const bridge = this.#bridge;
    if (bridge?.stalled === false) {
      if (due(bridge.core.nextDeadline())) bridge.core.handleTimeout(now, this.#wall);
      if (bridge.loop.nextTick <= now) bridge.loop.tick(now);
    }
    this.pump();
  }

  /** Runs `work` after that many milliseconds. */
  after(delayMs: number, work: () => void): void {
    this.network.after(delayMs, () => {
      this.#syncXmpp();
      work();
      this.pump();
    });
  }

  /** Virtual time passes. */
  run(ms: number): void {
    this.network.run(() => false, ms);
  }

  /** Runs until it is so; false after that much virtual time. */
  runUntil(done: () => boolean, ms: number): boolean {
    return this.network.run(done, ms);
  }

  // --- clients

  /** A client that joins at once. */
  join(name: string, room = "simulated"): SimulatedClient {
    this.#syncXmpp();
    const client = new SimulatedClient(this, name, room, ++this.#made);
    this.clients.push(client);
    this.network.add({
      nextDeadline: () => (client.gone ? undefined : client.nextDeadline()),
      handleTimeout: (now) => {
        this.#syncXmpp();
        client.handleTimeout(now);
        this.pump();
      },
    });
    client.join();
    this.pump();
    return client;
  }

  /** A stream for a client; undefined: nobody listens. */
  login(query: Record<string, string>): Participant | undefined {
    if (this.#xmpp === undefined) return undefined;
    this.#syncXmpp();
    return this.xmpp.guest(query);
  }

  /** Something a client does at this instant. */
  act(work: () => void): void {
    this.#syncXmpp();
    work();
    this.pump();
  }

  get present(): SimulatedClient[] {
    return this.clients.filter((client) => !client.gone);
  }

  // --- the bridge channel

  /** Undefined: refused, or nobody listens. */
  openChannel(client: SimulatedClient, url: URL, onText: (text: string) => void): number | undefined {
    const path = parseChannelPath(url.pathname, url.search.slice(1));
    if (path === undefined) throw new Error(`no channel at ${url}`);
    const bridge = this.#bridge;
    if (bridge === undefined || !this.#gateway || bridge.core.channelRefusal(path) !== undefined) return undefined;
    const channel = bridge.core.context.newChannel();
    this.#channels.set(channel, { client, bridge, onText });
    bridge.core.channelOpened(this.now, channel, path);
    return channel;
  }

  channelText(channel: number, text: string): void {
    this.#channels.get(channel)?.bridge.core.channelText(this.now, channel as ChannelId, text);
  }

  closeChannel(channel: number): void {
    const bridge = this.#channels.get(channel)?.bridge;
    this.#channels.delete(channel);
    bridge?.core.channelClosed(channel as ChannelId);
  }

  // --- datagrams

  toLoop(client: SimulatedClient, bytes: Uint8Array): void {
    this.network.send(bytes, (now, datagram) => {
      const bridge = this.#bridge;
      if (bridge === undefined || bridge.stalled) return;
      const memory = bridge.memory.bytes;
      writeAddress(memory, Layout.receiveAddresses, 4, client.path.address, client.path.port);
      memory.set(datagram, Layout.slots);
      bridge.loop.receive(now, 0, Layout.slots, datagram.length, Layout.receiveAddresses);
      bridge.loop.endBatch(now);
      this.pump();
    });
  }

  #fromLoop(outbox: Outbox): void {
    for (let run = 0; run < outbox.runCount; run++) {
      const name = outbox.runName[run] as number;
      const address = addressText(outbox.bytes, name);
      const port = addressPort(outbox.bytes, name);
      const client = this.clients.find((each) => each.path.port === port && each.path.address === address);
      const end = (outbox.runOffset[run] as number) + (outbox.runLength[run] as number);
      const segment = outbox.runSegment[run] as number;
      for (let at = outbox.runOffset[run] as number; at < end; at += segment) {
        const bytes = outbox.bytes.slice(at, Math.min(end, at + segment));
        this.network.send(bytes, (now, datagram) => {
          if (client === undefined || client.gone) return;
          client.receive(now, datagram);
          this.pump();
        });
      }
    }
  }

  // --- what shells do: carry, until nobody has anything to say

  pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    let rounds = 0;
    while (this.#round()) if (++rounds > MAX_ROUNDS) throw new Error("the parts never stop talking");
    this.#pumping = false;
  }

  #round(): boolean {
    let busy = false;
    const focus = this.#focus;
    for (const stanza of focus?.stream?.all() ?? []) {
      busy = true;
      if (focus !== undefined) this.#perform(focus.core.handle(this.now, { kind: "stanza", via: "client", stanza }));
    }
    if (this.#bridge?.stalled === false && this.#bridgeRound(this.#bridge)) busy = true;
    for (const client of this.clients) if (client.read()) busy = true;
    return busy;
  }

  #bridgeRound(bridge: RunningBridge): boolean {
    let busy = false;
    const { core, loop, woken } = bridge;
    for (const stanza of bridge.stream?.all() ?? []) {
      busy = true;
      core.stanza(this.now, this.#wall, stanza);
    }
    for (const link of woken) {
      busy = true;
      woken.delete(link);
      core.woken(this.now, link);
    }
    const { events } = bridge;
    if (events.length > 0) {
      busy = true;
      bridge.events = [];
      core.mediaEvents(this.now, events);
    }
    const commands: MediaCommand[] = [];
    for (const action of core.take()) {
      busy = true;
      if (action.type === "media") commands.push(action.command);
      else if (action.type === "stanza") this.#write(bridge.stream, action.stanza);
      else if (action.type === "channel-text") this.#channels.get(action.channel)?.onText(action.text);
      else if (action.type === "channel-close") this.#closedByBridge(action.channel);
      else if (action.type === "log") this.#hear("bridge", action.level, action.message);
    }
    if (commands.length > 0) {
      loop.apply(this.now, commands);
      loop.flush();
    }
    return busy;
  }

  #closedByBridge(channel: number): void {
    const open = this.#channels.get(channel);
    this.#channels.delete(channel);
    open?.client.channelLost(channel);
  }

  #perform(actions: readonly FocusAction[]): void {
    for (const action of actions) {
      if (action.kind === "send") this.#write(this.#focus?.stream, action.stanza);
      else if (action.kind === "log")
        this.#hear("focus", action.level, `${action.message} ${JSON.stringify(action.fields)}`);
    }
  }

  #hear(part: string, level: string, message: string): void {
    this.#say(`${part}: ${message}`);
    if (level === "warn" || level === "error") this.warnings.push(`${part}: ${message}`);
  }

  #say(what: string): void {
    this.log.push(`${(this.now / 1000).toFixed(3)} ${what}`);
  }

  #write(stream: Participant | undefined, stanza: Element): void {
    if (stream === undefined) return; // as a shell does that has no session: the stanza is lost
    this.#syncXmpp();
    stream.send(stanza.toString());
  }

  #syncXmpp(): void {
    const xmpp = this.#xmpp;
    if (xmpp === undefined) return;
    const ahead = this.now + xmpp.ahead - xmpp.server.now;
    if (ahead > 0) xmpp.server.advance(ahead);
  }
}

function running<Part>(part: Part | undefined): Part {
  if (part === undefined) throw new Error("that part is down at this moment");
  return part;
}
