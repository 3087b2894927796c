/**
 * Shell: one bridge. Starts the media loop, the XMPP sessions, the channel's WebSocket server and the private HTTP, and carries between them and the core.
 */
import { randomBytes } from "node:crypto";
import { networkInterfaces, type as osType } from "node:os";
import packageJson from "../../package.json";
import { monotonicNow, wallNow } from "../clock.ts";
import type { BridgeConfig } from "../config.ts";
import { DeadlineTimer } from "../deadline-timer.ts";
import type { PartEnvironment, RunningPart } from "../part.ts";
import { threadCount } from "../threads.ts";
import { type InterfaceAddress, plainAddress, readPublicAddress, selectAddresses } from "./addresses.ts";
import { Bridge } from "./bridge.ts";
import { type ColibriWs, type ColibriWsEvents, startColibriWs } from "./colibri-ws.ts";
import type { BridgeAction, RandomBytes, TransportFactory } from "./context.ts";
import { startBridgeHttp } from "./http.ts";
import type { Link } from "./link.ts";
import type { MediaCommand, MediaEvent, SrtpProfile } from "./media-commands.ts";
import { type MediaLoopHandle, startMediaLoop } from "./media-loop/start.ts";
import { MucSessions } from "./muc-sessions.ts";
import { Taps } from "./taps.ts";
import { CERTIFICATE_RENEWAL_MS, makeCertificate } from "./transport/certificate.ts";
import { openedDataChannel, sctpDataChannel } from "./transport/data-channel.ts";
import { DtlsContext } from "./transport/dtls.ts";
import { StunDemux } from "./transport/stun-demux.ts";
import { Transport } from "./transport/transport.ts";

const READY_TIMEOUT_MS = 15_000;
const MAX_CONFERENCES = 1_000;
/** What the goodbye to the brewery gets before the process ends by a fault. */
const LEAVE_MS = 200;
const SHUTDOWN_MS = 5_000;

type Ready = Extract<MediaEvent, { type: "ready" }>;

const random: RandomBytes = (count) => new Uint8Array(randomBytes(count));

function ownAddresses(): InterfaceAddress[] {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .map(({ address, family, internal }) => ({
      address: address.replace(/%.*$/, ""),
      family: family === "IPv6" ? 6 : 4,
      internal,
    }));
}

/** DTLS contexts with a certificate that is renewed every day; endpoints keep the one they were made with. */
class Transports implements TransportFactory {
  #context: DtlsContext;
  readonly #profiles: readonly SrtpProfile[];
  readonly #renewal: ReturnType<typeof setInterval>;

  constructor(providers: Ready["providers"]) {
    const cost = (profile: SrtpProfile): number => providers[profile].microsPerPacket;
    const profiles: SrtpProfile[] = ["AEAD_AES_128_GCM", "AES128_CM_HMAC_SHA1_80"];
    this.#profiles = profiles.sort((a, b) => cost(a) - cost(b));
    this.#context = this.#newContext();
    this.#renewal = setInterval(() => {
      const former = this.#context;
      this.#context = this.#newContext();
      former.close();
    }, CERTIFICATE_RENEWAL_MS);
  }

  get fingerprint(): string {
    return this.#context.certificate.fingerprint;
  }

  get profiles(): readonly SrtpProfile[] {
    return this.#profiles;
  }

  create(options: Parameters<TransportFactory["create"]>[0]): Transport {
    const { sctp, ...rest } = options;
    return new Transport({
      ...rest,
      dtls: this.#context,
      random,
      ...(sctp === undefined ? {} : { dataChannel: sctp === "client" ? openedDataChannel : sctpDataChannel }),
    });
  }

  stop(): void {
    clearInterval(this.#renewal);
    this.#context.close();
  }

  #newContext(): DtlsContext {
    return new DtlsContext(makeCertificate(wallNow(), random), this.#profiles);
  }
}

/** What the media core takes for one forwarded packet, as far as can be told at start: the preferred profile's cipher and the kernel's part. */
const forwardingMicros = ({ providers, datagramMicros }: Ready): number =>
  Math.min(...Object.values(providers).map((each) => each.microsPerPacket)) + datagramMicros;

async function readyInTime(loop: MediaLoopHandle): Promise<Ready> {
  const late = Promise.withResolvers<never>();
  const limit = setTimeout(() => late.reject(new Error("the media loop did not start in time")), READY_TIMEOUT_MS);
  try {
    return await Promise.race([loop.ready, late.promise]);
  } catch (error) {
    await loop.stop();
    throw error;
  } finally {
    clearTimeout(limit);
  }
}

/** Starts a bridge; rejects when no media socket can be opened or a port is taken. */
export async function startBridge(config: BridgeConfig, environment: PartEnvironment): Promise<RunningPart> {
  const { log } = environment;
  const own = ownAddresses();
  const addresses = config.mediaAddresses.length > 0 ? config.mediaAddresses : selectAddresses(own, config.lan);

  const onlyFrom = config.lan ? undefined : own.map((each) => plainAddress(each.address));

  let deliver: (events: readonly MediaEvent[]) => void = () => {}; // nothing but `ready` comes before the core is there
  const loop = startMediaLoop(
    {
      addresses,
      port: config.mediaPort,
      srtpProvider: config.srtpProvider,
      holding: { maxMs: config.holdMaxMs ?? 0, fromLoad: (config.holdFromPercent ?? 100) / 100 },
      ...(onlyFrom === undefined ? {} : { onlyFrom }),
      ...(config.pin === undefined ? {} : { pin: config.pin }),
    },
    (events) => deliver(events),
  );
  const media = await readyInTime(loop);

  const transports = new Transports(media.providers);
  const { serverId } = config;
  const bridge = new Bridge({
    settings: {
      brewery: config.brewery,
      serverId,
      channelHost: config.channelHost,
      ...(config.relayUrl !== undefined ? { relayUrl: config.relayUrl } : {}),
      region: config.region,
      release: config.release,
      sctp: config.sctp,
      loudestSpeakers: config.loudestSpeakers,
      advertise: (config.advertise ?? []).map(readPublicAddress),
      advertisePrivate: config.advertisePrivate ?? true,
      version: packageJson.version,
      os: osType(),
      maxEndpoints: loop.maxEndpoints,
      maxSources: loop.maxSources,
      maxConferences: MAX_CONFERENCES,
      maxCameras: config.maxCameras ?? 0,
      microsPerPacket: forwardingMicros(media),
      srtp: media.providers,
    },
    transports,
    demux: new StunDemux<Link>(),
    random,
    onlyFrom: onlyFrom === undefined ? undefined : new Set(onlyFrom),
    threads: threadCount,
    wake: (link) =>
      queueMicrotask(() => {
        bridge.woken(monotonicNow(), link);
        done();
      }),
  });

  const timer = new DeadlineTimer(() => {
    bridge.handleTimeout(monotonicNow(), wallNow());
    done();
  });
  let stopped = false;
  const done = (): void => {
    const commands: MediaCommand[] = [];
    for (const action of bridge.take()) perform(action, commands);
    if (commands.length > 0) loop.send(commands);
    timer.set(stopped ? undefined : bridge.nextDeadline());
  };

  const channelEvents: ColibriWsEvents = {
    refusal: (path) => bridge.channelRefusal(path),
    newChannel: () => bridge.context.newChannel(),
    opened(channel, path) {
      bridge.channelOpened(monotonicNow(), channel, path);
      done();
    },
    dialled(channel) {
      bridge.channelDialled(monotonicNow(), channel);
      done();
    },
    text(channel, text) {
      bridge.channelText(monotonicNow(), channel, text);
      done();
    },
    closed(channel, orderly) {
      bridge.channelClosed(channel, orderly);
      done();
    },
    dropped: (reason) => bridge.context.counters.drop(reason),
  };
  let channels: ColibriWs;
  try {
    channels = startColibriWs(config.colibri, config.login.tls, channelEvents);
  } catch (error) {
    await loop.stop(); // the port is taken
    transports.stop();
    throw error;
  }

  const taps = new Taps({
    opened(tap, address, port) {
      bridge.tapOpened(tap, address, port);
      done();
    },
    datagram(tap, bytes) {
      bridge.tapDatagram(tap, bytes);
      done();
    },
    dropped: (reason) => bridge.context.counters.drop(reason),
  });

  const xmpp = new MucSessions(config.login, serverId, log.child({ what: "xmpp" }), {
    online(client, resumed) {
      bridge.xmppOnline(monotonicNow(), resumed, client);
      done();
    },
    stanza(client, stanza) {
      const since = monotonicNow();
      bridge.stanza(since, wallNow(), stanza, client);
      done();
      bridge.debugStats.handled(stanza, monotonicNow() - since);
    },
    offline(client) {
      bridge.xmppOffline(client);
      done();
    },
  });

  const perform = (action: BridgeAction, commands: MediaCommand[]): void => {
    switch (action.type) {
      case "media":
        commands.push(action.command);
        break;
      case "stanza":
        xmpp.send(action.client, action.stanza);
        break;
      case "muc-client-open":
        xmpp.open(action.client, action.login);
        break;
      case "muc-client-close":
        xmpp.close(action.client);
        break;
      case "channel-text":
        channels.send(action.channel, action.text);
        break;
      case "channel-close":
        channels.close(action.channel, action.code, action.reason);
        break;
      case "channel-dial":
        channels.dial(action.channel, action.url, action.headers);
        break;
      case "channel-redial":
        channels.redial(action.channel);
        break;
      case "tap-open":
        taps.open(action.tap, action.address);
        break;
      case "tap-close":
        taps.close(action.tap);
        break;
      case "log":
        log[action.level](action.message, action.fields);
        break;
      case "shutdown":
        over();
        break;
    }
  };

  const http = await startBridgeHttp(config.http, bridge, done).catch(async (error: unknown) => {
    await channels.stop();
    await loop.stop();
    transports.stop();
    throw error;
  });

  const stop = async (deadlineMs: number): Promise<void> => {
    if (stopped) return;
    stopped = true;
    bridge.stop(monotonicNow());
    done();
    await xmpp.stop(deadlineMs);
    taps.stop();
    await Promise.all([channels.stop(), http.stop(), loop.stop()]);
    transports.stop();
  };
  const over = (): void => {
    log.info("shutdown complete");
    stop(SHUTDOWN_MS)
      .catch((error: unknown) => log.error("stopping failed", { error: String(error) }))
      // Asked for over HTTP, so nobody else will end the process: the same way out as a service manager's.
      .finally(() => process.kill(process.pid, "SIGTERM"));
  };

  deliver = (events) => {
    const now = monotonicNow();
    bridge.mediaEvents(now, events);
    // What is due and could wait is done while the processor is awake.
    if (events.some(({ type }) => type === "levels")) bridge.handleTimeout(now, wallNow());
    done();
    const fault = events.find((event) => event.type === "fault");
    if (fault === undefined || stopped) return;
    log.error("the media loop cannot go on, the bridge ends", { fault: fault.message });
    // Ours to blame (style 3.6): the focus sees the bridge leave, and whoever supervises the process starts it again.
    setTimeout(() => {
      throw new Error(`media loop: ${fault.message}`);
    }, LEAVE_MS);
  };
  bridge.mediaReady(monotonicNow(), media.sockets);
  done();
  xmpp.start();
  log.info("bridge started", {
    addresses: media.sockets.map((socket) => `${socket.address}:${socket.port}`).join(" "),
    profiles: transports.profiles.map((profile) => `${profile} by ${media.providers[profile].name}`).join(", "),
    srtpMicros: transports.profiles.map((profile) => media.providers[profile].microsPerPacket.toFixed(2)).join(", "),
    datagramMicros: media.datagramMicros.toFixed(2),
    ...(media.core === undefined ? {} : { core: media.core }),
    receiveBufferBytes: media.receiveBufferBytes,
  });

  return {
    ports: { media: media.sockets[0]?.port ?? 0, colibri: channels.port, bridgeHttp: http.port },
    health() {
      const fault = bridge.health();
      if (stopped) return "stopped";
      if (fault !== undefined) return fault;
      return bridge.joined ? undefined : (xmpp.health() ?? `not yet in the brewery ${config.brewery}`);
    },
    stop,
  };
}
