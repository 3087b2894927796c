/**
 * From settings to the slices that the parts get (config.ts). Pure: secrets, certificates and what other parts of this machine listen on come in.
 */
import type {
  BridgeConfig,
  FocusConfig,
  GatewayConfig,
  ListenAddress,
  ServerTrust,
  ServiceAccount,
  ServiceLogin,
  TlsIdentity,
  XmppConfig,
  XmppDomains,
} from "../config.ts";
import type { Settings } from "./options.ts";

export const domainsOf = (settings: Settings): XmppDomains => ({
  domain: settings["domains.domain"],
  auth: settings["domains.auth"],
  muc: settings["domains.muc"],
  internalMuc: settings["domains.internal_muc"],
  focus: settings["domains.focus"],
  hidden: settings["domains.hidden"],
});

/** `::` takes both families; a machine without IPv6 has only the other. */
export const listenHost = (settings: Settings, ipv6: boolean): string =>
  settings["listen.lan"] ? (ipv6 ? "::" : "0.0.0.0") : settings["listen.address"];

const WILDCARD = new Set(["0.0.0.0", "::"]);

/** How this machine reaches a port that was opened on `address`. */
export const reachable = (address: string): string => (WILDCARD.has(address) ? "127.0.0.1" : address);

export const httpUrl = (listen: ListenAddress): string => {
  const host = reachable(listen.host);
  return `http://${host.includes(":") ? `[${host}]` : host}:${listen.port}`;
};

export interface SliceContext {
  readonly settings: Settings;
  readonly ipv6: boolean;
  readonly focusPassword: string;
  readonly bridgePassword: string;
}

/** Where services log in: the local xmpp's port when it runs in this run, else what is configured. */
const login = (
  context: SliceContext,
  user: string,
  password: string,
  trust: ServerTrust,
  localPort: number | undefined,
): ServiceLogin => {
  const { settings } = context;
  const local = localPort !== undefined;
  return {
    host: local ? reachable(listenHost(settings, context.ipv6)) : settings["server.host"],
    port: localPort ?? settings["server.port"],
    domain: settings["domains.auth"],
    user,
    password,
    tls: trust,
  };
};

export const xmppSlice = (context: SliceContext, tls: TlsIdentity): XmppConfig => {
  const { settings } = context;
  const auth = settings["domains.auth"];
  const service = (user: string, password: string, admin: boolean): ServiceAccount => ({
    user,
    domain: auth,
    password,
    admin,
  });
  return {
    domains: domainsOf(settings),
    c2s: { host: listenHost(settings, context.ipv6), port: settings["xmpp.port"] },
    http: { host: settings["xmpp.http_address"], port: settings["xmpp.http_port"] },
    tls,
    accounts: [
      service(settings["focus.user"], context.focusPassword, true),
      service(settings["bridge.user"], context.bridgePassword, false),
      ...settings["xmpp.accounts"].map((account) => ({
        ...account,
        domain: account.domain === "" ? auth : account.domain,
      })),
    ],
    limits: {
      serviceStanzaBytes: settings["xmpp.limits.service_stanza_bytes"],
      clientStanzaBytes: settings["xmpp.limits.client_stanza_bytes"],
      depth: settings["xmpp.limits.depth"],
      attributes: settings["xmpp.limits.attributes"],
      bytesPerSecond: settings["xmpp.limits.bytes_per_second"],
      stanzasPerSecond: settings["xmpp.limits.stanzas_per_second"],
      connections: settings["xmpp.limits.connections"],
      connectionsPerAddress: settings["xmpp.limits.connections_per_address"],
      rooms: settings["xmpp.limits.rooms"],
      occupantsPerRoom: settings["xmpp.limits.occupants_per_room"],
      roomsPerUser: settings["xmpp.limits.rooms_per_user"],
      resumeSeconds: settings["xmpp.limits.resume_seconds"],
      serviceResumeSeconds: settings["xmpp.limits.service_resume_seconds"],
    },
    focusAccount: settings["focus.account"],
    trustedProxies: settings["xmpp.trusted_proxies"],
    ...(settings["xmpp.region_header"] === "" ? {} : { regionHeader: settings["xmpp.region_header"].toLowerCase() }),
    externalServices: settings["xmpp.external_services"].map(({ secret, ...service }) =>
      secret === "" ? service : { ...service, secret },
    ),
  };
};

export const focusSlice = (context: SliceContext, trust: ServerTrust, xmppPort: number | undefined): FocusConfig => {
  const { settings } = context;
  const server = login(context, settings["focus.user"], context.focusPassword, trust, xmppPort);
  return {
    login: { ...server, resource: "focus" },
    domains: domainsOf(settings),
    brewery: settings["focus.brewery"],
    http: { host: settings["focus.http_address"], port: settings["focus.http_port"] },
    ...(settings["focus.component_port"] === 0
      ? {}
      : {
          component: {
            host: server.host,
            port: settings["focus.component_port"],
            secret: settings["focus.component_secret"],
          },
        }),
    sctp: settings["focus.sctp"],
    minParticipants: settings["focus.min_participants"],
    maxSsrcsPerParticipant: settings["focus.max_ssrcs_per_participant"],
    maxParticipants: settings["focus.max_participants"],
  };
};

/** Bridge `index` of this machine: the configured ports for the first, the next ones for further ones; 0 stays 0. */
export const bridgeSlice = (
  context: SliceContext,
  trust: ServerTrust,
  index: number,
  xmppPort: number | undefined,
  channelHost: string,
): BridgeConfig => {
  const { settings } = context;
  const nth = (port: number): number => (port === 0 ? 0 : port + index);
  return {
    login: login(context, settings["bridge.user"], context.bridgePassword, trust, xmppPort),
    brewery: settings["bridge.brewery"],
    mediaPort: nth(settings["bridge.media_port"]),
    mediaAddresses: settings["bridge.media_addresses"],
    lan: settings["listen.lan"],
    http: { host: settings["bridge.http_address"], port: nth(settings["bridge.http_port"]) },
    colibri: { host: settings["bridge.colibri_address"], port: nth(settings["bridge.colibri_port"]) },
    channelHost: settings["bridge.channel_host"] === "" ? channelHost : settings["bridge.channel_host"],
    serverId: serverId(settings, index),
    ...(settings["bridge.region"] === "" ? {} : { region: settings["bridge.region"] }),
    sctp: settings["bridge.sctp"],
    loudestSpeakers: settings["bridge.loudest_speakers"],
    srtpProvider: settings["bridge.srtp_provider"],
  };
};

export const serverId = (settings: Settings, index: number): string =>
  `${settings["bridge.server_id"]}${index === 0 ? "" : `-${index + 1}`}`;

export interface GatewaySurroundings {
  readonly tls: TlsIdentity;
  /** PEM of the box's root, for people who want to trust it; empty where the certificate is another's. */
  readonly rootCertificate: string;
  readonly hosts: readonly string[];
  readonly boxName: string;
  readonly staticFolder: string;
  /** Of xmpp and focus in this process; undefined where they run elsewhere. */
  readonly xmppHttp: ListenAddress | undefined;
  readonly focusHttp: ListenAddress | undefined;
}

export const gatewaySlice = (context: SliceContext, around: GatewaySurroundings): GatewayConfig => {
  const { settings } = context;
  const xmppHttp = around.xmppHttp ?? { host: settings["server.host"], port: settings["xmpp.http_port"] };
  const focusHttp = around.focusHttp ?? { host: settings["server.host"], port: settings["focus.http_port"] };
  return {
    https: { host: listenHost(settings, context.ipv6), port: settings["gateway.https_port"] },
    http: { host: listenHost(settings, context.ipv6), port: settings["gateway.http_port"] },
    tls: around.tls,
    rootCertificate: around.rootCertificate,
    hosts: around.hosts,
    staticFolder: around.staticFolder,
    domains: domainsOf(settings),
    xmppHttp: settings["gateway.xmpp_http"] === "" ? httpUrl(xmppHttp) : settings["gateway.xmpp_http"],
    focusHttp: settings["gateway.focus_http"] === "" ? httpUrl(focusHttp) : settings["gateway.focus_http"],
    bridges: settings["gateway.bridges"],
    focusAccount: settings["focus.account"],
    frameAncestors: settings["gateway.frame_ancestors"],
    relaysPerAddress: settings["gateway.relays_per_address"],
    lan: settings["listen.lan"],
    client: settings["gateway.client"],
    boxName: around.boxName,
  };
};
