/**
 * Tests only: a whole appliance in one process and virtual time: the cores of xmpp, focus, bridge and media loop, as their shells put them
 * together, on a simulated network that loses, delays and reorders datagrams. XMPP and the bridge channel run over what TCP makes of it: in order and whole.
 */
import { Bridge } from "../../appliance/bridge/bridge.ts";
import { parseChannelPath } from "../../appliance/bridge/channel-path.ts";
import type { TransportFactory } from "../../appliance/bridge/context.ts";
import type { Link } from "../../appliance/bridge/link.ts";
import type { MediaCommand, MediaEvent, Path } from "../../appliance/bridge/media-commands.ts";
import { addressPort, addressText, writeAddress } from "../../appliance/bridge/media-loop/addresses.ts";
import { Layout, MEMORY_PAGES } from "../../appliance/bridge/media-loop/layout.ts";
import { MediaLoop } from "../../appliance/bridge/media-loop/media-loop.ts";
import type { Outbox } from "../../appliance/bridge/media-loop/outbox.ts";
import { DtlsContext } from "../../appliance/bridge/transport/dtls.ts";
import type { PacketMemory } from "../../appliance/bridge/transport/srtp.ts";
import { nodeProvider } from "../../appliance/bridge/transport/srtp-node.ts";
import { StunDemux } from "../../appliance/bridge/transport/stun-demux.ts";
import { PROFILES, TEST_RETRANSMISSION, testCertificate } from "../../appliance/bridge/transport/transport-pair.ts";
import type { FocusConfig } from "../../appliance/config.ts";
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

export class WholeBox {
  readonly domains = TEST_DOMAINS;
  readonly network: SimulatedNetwork;
  readonly xmpp: DialogueServer;
  readonly focus: Focus;
  readonly bridge: Bridge;
  readonly loop: MediaLoop;
  readonly clients: SimulatedClient[] = [];
  /** Where clients see the bridge. */
  readonly mediaPath: Path = { socket: 0, address: "10.9.200.1", port: 10_000 };
  /** Warnings of focus and bridge: a healthy meeting has none. */
  readonly warnings: string[] = [];
  readonly #memory: PacketMemory;
  readonly #focusStream: Participant;
  readonly #bridgeStream: Participant;
  readonly #offset: number;
  readonly #channels = new Map<number, (text: string) => void>();
  readonly #woken = new Set<Link>();
  #events: MediaEvent[] = [];
  #pumping = false;
  #made = 0;

  constructor(options: LinkOptions & { readonly seed: number }) {
    const { seed } = options;
    this.network = new SimulatedNetwork(options);
    const random = seededBytes(seed + 1);
    this.xmpp = new DialogueServer({ hosts: (environment) => createMucHosts(environment) });
    this.#offset = this.xmpp.now;
    const text = (length: number): string => Buffer.from(random(length)).toString("hex").slice(0, length);
    const config: FocusConfig = {
      login: { host: "", port: 0, domain: TEST_DOMAINS.auth, user: "focus", password: "", tls: { kind: "insecure" } },
      domains: TEST_DOMAINS,
      brewery: `jvbbrewery@${TEST_DOMAINS.internalMuc}`,
      http: { host: "", port: 0 },
      sctp: "off",
      minParticipants: 2,
      maxSsrcsPerParticipant: 20,
      maxParticipants: 100,
    };
    this.focus = new Focus(focusSettings(config), {
      id: text,
      uuid: () => `${text(8)}-${text(4)}-4${text(3)}-8${text(3)}-${text(12)}`,
    });

    const memory = new WebAssembly.Memory({ initial: MEMORY_PAGES, maximum: MEMORY_PAGES });
    this.#memory = { memory, bytes: new Uint8Array(memory.buffer), base: 0 };
    const provider = nodeProvider(this.#memory);
    this.loop = new MediaLoop({
      memory: this.#memory,
      drain: (outbox) => this.#fromLoop(outbox),
      emit: (event) => this.#events.push(event),
      random: seededRandom(seed + 2),
      provider: () => provider,
    });
    this.loop.sockets([4]);

    const dtls = new DtlsContext(testCertificate(seed), PROFILES, TEST_RETRANSMISSION);
    const transports: TransportFactory = {
      fingerprint: dtls.certificate.fingerprint,
      create: ({ sctp: _, ...rest }) => new PatientTransport({ ...rest, dtls, random }),
    };
    this.bridge = new Bridge({
      settings: {
        brewery: config.brewery,
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
      wake: (link) => this.#woken.add(link),
    });

    this.#focusStream = this.xmpp.service("focus");
    this.#bridgeStream = this.xmpp.service("jvb", { resource: "jvb", presence: false });
    this.bridge.mediaReady(this.now, [{ address: this.mediaPath.address, family: 4, port: this.mediaPath.port }]);
    this.#perform(this.focus.handle(this.now, { kind: "online", via: "client" }));
    this.bridge.xmppOnline(this.now, false);
    this.pump();

    this.network.add({
      nextDeadline: () => {
        const deadline = this.xmpp.core.nextDeadline();
        return deadline === undefined ? undefined : { ...deadline, at: later(deadline.at, -this.#offset) };
      },
      handleTimeout: () => {
        this.#syncXmpp();
        this.pump();
      },
    });
    this.network.add({
      nextDeadline: () => this.focus.nextDeadline(),
      handleTimeout: (now) => {
        this.#perform(this.focus.handle(now, { kind: "tick" }));
        this.pump();
      },
    });
    this.network.add({
      nextDeadline: () => this.bridge.nextDeadline(),
      handleTimeout: (now) => {
        this.bridge.handleTimeout(now, this.#wall);
        this.pump();
      },
    });
    this.network.add({
      nextDeadline: () =>
        Number.isFinite(this.loop.nextTick) ? { at: this.loop.nextTick as Millis, why: "loop tick" } : undefined,
      handleTimeout: (now) => {
        this.loop.tick(now);
        this.pump();
      },
    });
  }

  get now(): Millis {
    return this.network.now;
  }

  get #wall(): EpochMillis {
    return (EPOCH + this.now) as EpochMillis;
  }

  /** A client that joins at once. */
  join(name: string, room = "simulated"): SimulatedClient {
    this.#syncXmpp();
    const client = new SimulatedClient(this, name, room, ++this.#made);
    this.clients.push(client);
    this.network.add({
      nextDeadline: () => (client.gone ? undefined : client.nextDeadline()),
      handleTimeout: (now) => {
        client.handleTimeout(now);
        this.pump();
      },
    });
    client.join();
    this.pump();
    return client;
  }

  /** Something a client does at this instant. */
  act(work: () => void): void {
    this.#syncXmpp();
    work();
    this.pump();
  }

  /** Virtual time passes. */
  run(ms: number): void {
    this.network.run(() => false, ms);
  }

  /** Runs until it is so; false after that much virtual time. */
  runUntil(done: () => boolean, ms: number): boolean {
    return this.network.run(done, ms);
  }

  get present(): SimulatedClient[] {
    return this.clients.filter((client) => !client.gone);
  }

  // --- the bridge channel

  openChannel(url: URL, onText: (text: string) => void): number {
    const path = parseChannelPath(url.pathname, url.search.slice(1));
    if (path === undefined) throw new Error(`no channel at ${url}`);
    const refusal = this.bridge.channelRefusal(path);
    if (refusal !== undefined) throw new Error(`the channel was refused: ${refusal}`);
    const channel = this.bridge.context.newChannel();
    this.#channels.set(channel, onText);
    this.bridge.channelOpened(this.now, channel, path);
    return channel;
  }

  channelText(channel: number, text: string): void {
    this.bridge.channelText(this.now, channel, text);
  }

  closeChannel(channel: number): void {
    if (this.#channels.delete(channel)) this.bridge.channelClosed(channel);
  }

  // --- datagrams

  toLoop(client: SimulatedClient, bytes: Uint8Array): void {
    this.network.send(bytes, (now, datagram) => {
      const memory = this.#memory.bytes;
      writeAddress(memory, Layout.receiveAddresses, 4, client.path.address, client.path.port);
      memory.set(datagram, Layout.slots);
      this.loop.receive(now, 0, Layout.slots, datagram.length, Layout.receiveAddresses);
      this.loop.endBatch(now);
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
    for (const stanza of this.#focusStream.all()) {
      busy = true;
      this.#perform(this.focus.handle(this.now, { kind: "stanza", via: "client", stanza }));
    }
    for (const stanza of this.#bridgeStream.all()) {
      busy = true;
      this.bridge.stanza(this.now, this.#wall, stanza);
    }
    for (const link of this.#woken) {
      busy = true;
      this.#woken.delete(link);
      this.bridge.woken(this.now, link);
    }
    const events = this.#events;
    if (events.length > 0) {
      busy = true;
      this.#events = [];
      this.bridge.mediaEvents(this.now, events);
    }
    const commands: MediaCommand[] = [];
    for (const action of this.bridge.take()) {
      busy = true;
      if (action.type === "media") commands.push(action.command);
      else if (action.type === "stanza") this.#write(this.#bridgeStream, action.stanza);
      else if (action.type === "channel-text") this.#channels.get(action.channel)?.(action.text);
      else if (action.type === "channel-close") this.#channels.delete(action.channel);
      else if (action.type === "log" && action.level === "warn") this.warnings.push(`bridge: ${action.message}`);
    }
    if (commands.length > 0) {
      this.loop.apply(this.now, commands);
      this.loop.flush();
    }
    for (const client of this.clients) if (client.read()) busy = true;
    return busy;
  }

  #perform(actions: readonly FocusAction[]): void {
    for (const action of actions) {
      if (action.kind === "send") this.#write(this.#focusStream, action.stanza);
      else if (action.kind === "log" && (action.level === "warn" || action.level === "error"))
        this.warnings.push(`focus: ${action.message}`);
    }
  }

  #write(stream: Participant, stanza: Element): void {
    this.#syncXmpp();
    stream.send(stanza.toString());
  }

  #syncXmpp(): void {
    const ahead = this.now + this.#offset - this.xmpp.now;
    if (ahead > 0) this.xmpp.advance(ahead);
  }
}
