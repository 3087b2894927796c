/**
 * From settings to the slices that the parts get (config.ts). Pure: secrets, certificates and what other parts of this machine listen on come in.
 */
import type {
  BridgeConfig,
  FocusConfig,
  FocusOptions,
  GatewayConfig,
  ListenAddress,
  OutsideSystem,
  ServerTrust,
  ServiceAccount,
  ServiceLogin,
  TlsIdentity,
  XmppConfig,
  XmppDomains,
  XmppFederation,
  XmppRooms,
  XmppTokens,
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
  /** `parley.sqlite` of the data folder; undefined: nothing is kept. */
  readonly database?: string;
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

/** `federationRoots`: content of xmpp.federation.roots; undefined where none is named. */
export const xmppSlice = (context: SliceContext, tls: TlsIdentity, federationRoots?: string): XmppConfig => {
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
      loginsPerSecond: settings["xmpp.limits.logins_per_second"],
      loginSeconds: settings["xmpp.limits.login_seconds"],
      serviceResumeSeconds: settings["xmpp.limits.service_resume_seconds"],
    },
    focusAccount: settings["focus.account"],
    trustedProxies: settings["xmpp.trusted_proxies"],
    ...(settings["xmpp.region_header"] === "" ? {} : { regionHeader: settings["xmpp.region_header"].toLowerCase() }),
    ...(settings["xmpp.components"].length === 0
      ? {}
      : {
          component: { host: settings["xmpp.component_address"], port: settings["xmpp.component_port"] },
          components: settings["xmpp.components"],
        }),
    ...(settings["xmpp.guest_domain"] === "" ? {} : { guestDomain: settings["xmpp.guest_domain"] }),
    ...(settings["xmpp.tokens.app_id"] === "" ? {} : { tokens: tokensSlice(settings) }),
    pushDiscovery: settings["xmpp.push_discovery"],
    ...registrationSlice(settings),
    ...(context.database === undefined ? {} : { database: context.database }),
    rooms: roomsSlice(settings),
    ...(settings["xmpp.federation.enabled"] ? { federation: federationSlice(context, federationRoots) } : {}),
    externalServices: settings["xmpp.external_services"].map(({ secret, ...service }) =>
      secret === "" ? service : { ...service, secret },
    ),
  };
};

const registrationSlice = (settings: Settings): Pick<XmppConfig, "registration"> => {
  const from = settings["xmpp.registration.from"];
  return from === "nobody" ? {} : { registration: { from, accounts: settings["xmpp.registration.accounts"] } };
};

const tokensSlice = (settings: Settings): XmppTokens => {
  const text = <Name extends string>(name: Name, value: string) =>
    value === "" ? {} : ({ [name]: value } as Record<Name, string>);
  const issuers = settings["xmpp.tokens.accepted_issuers"];
  return {
    appId: settings["xmpp.tokens.app_id"],
    ...text("secret", settings["xmpp.tokens.secret"]),
    ...text("keyServer", settings["xmpp.tokens.key_server"]),
    ...text("keyCache", settings["xmpp.tokens.key_cache"]),
    ...(issuers.length === 0 ? {} : { acceptedIssuers: issuers }),
    acceptedAudiences: settings["xmpp.tokens.accepted_audiences"],
    allowEmpty: settings["xmpp.tokens.allow_empty"],
    requireRoom: settings["xmpp.tokens.require_room"],
  };
};

const roomsSlice = (settings: Settings): XmppRooms => {
  const joins = settings["xmpp.rooms.joins_per_second"];
  const outside = (url: string, headers: Readonly<Record<string, string>>): OutsideSystem => ({
    urlPrefix: url,
    headers,
  });
  const events = settings["xmpp.rooms.event_sync.url"];
  const reservations = settings["xmpp.rooms.reservations.url"];
  return {
    owners: settings["xmpp.rooms.owners"],
    verifyTenant: settings["xmpp.rooms.verify_tenant"],
    waitForHost: settings["xmpp.rooms.wait_for_host"],
    ...(joins === 0 ? {} : { joinsPerSecond: joins }),
    tenants: settings["xmpp.rooms.tenants"],
    plain: settings["xmpp.rooms.plain"],
    fileSharing: settings["xmpp.rooms.file_sharing"],
    ...(events === "" ? {} : { eventSync: outside(events, settings["xmpp.rooms.event_sync.headers"]) }),
    ...(reservations === ""
      ? {}
      : { reservations: outside(reservations, settings["xmpp.rooms.reservations.headers"]) }),
  };
};

const federationSlice = (context: SliceContext, roots: string | undefined): XmppFederation => {
  const { settings } = context;
  return {
    listen: { host: listenHost(settings, context.ipv6), port: settings["xmpp.federation.port"] },
    domains: settings["xmpp.federation.domains"],
    certificatesRequired: settings["xmpp.federation.certificates_required"],
    routes: settings["xmpp.federation.routes"],
    ...(roots === undefined ? {} : { roots }),
  };
};

const focusOptionsSlice = (settings: Settings): FocusOptions => {
  const kind = settings["focus.authentication.kind"];
  const loginUrl = settings["focus.authentication.login_url"];
  const logoutUrl = settings["focus.authentication.logout_url"];
  const jibri = settings["focus.jibri_brewery"];
  const sipJibri = settings["focus.sip_jibri_brewery"];
  const jigasi = settings["focus.jigasi_brewery"];
  return {
    maxSsrcGroupsPerParticipant: settings["focus.max_ssrc_groups_per_participant"],
    maxAudioSenders: settings["focus.max_audio_senders"],
    maxVideoSenders: settings["focus.max_video_senders"],
    codecs: {
      video: settings["focus.codecs.video"].filter(
        (codec): codec is "AV1" | "VP8" | "H264" | "VP9" =>
          codec === "AV1" || codec === "VP8" || codec === "H264" || codec === "VP9",
      ),
      audioRed: settings["focus.codecs.audio_red"],
      mid: settings["focus.codecs.mid"],
      transportCc: settings["focus.codecs.transport_cc"],
      absSendTime: settings["focus.codecs.abs_send_time"],
      dependencyDescriptor: settings["focus.codecs.dependency_descriptor"],
      videoLayersAllocation: settings["focus.codecs.video_layers_allocation"],
    },
    bridgeHealth: settings["focus.bridge_health"],
    bridgeOverload: settings["focus.bridge_overload"],
    refuseCamerasAt: settings["focus.refuse_cameras_at"],
    refuseConferencesAt: settings["focus.refuse_conferences_at"],
    bridgeStrategy: settings["focus.bridge_strategy"],
    bridgeMixedVersions: settings["focus.bridge_mixed_versions"],
    ...(settings["focus.region"] === "" ? {} : { region: settings["focus.region"] }),
    regionGroups: settings["focus.region_groups"].map((group) => group.split(" ")),
    ssrcRewriting: settings["focus.ssrc_rewriting"],
    jsonSources: settings["focus.json_sources"],
    autoOwner: settings["focus.auto_owner"],
    iceRestart: settings["focus.ice_restart"],
    initialTimeoutMs: settings["focus.initial_timeout"] * 1_000,
    singleParticipantTimeoutMs: settings["focus.single_participant_timeout"] * 1_000,
    maxConferences: settings["focus.max_conferences"],
    ...(kind === "none"
      ? {}
      : {
          authentication: {
            kind,
            loginDomain: settings["focus.authentication.login_domain"],
            ...(loginUrl === "" ? {} : { loginUrl }),
            ...(logoutUrl === "" ? {} : { logoutUrl }),
            ...(kind === "jwt"
              ? { tokens: { rules: tokensSlice(settings), verifyTenant: settings["xmpp.rooms.verify_tenant"] } }
              : {}),
          },
        }),
    ...(jibri === "" ? {} : { jibriBrewery: jibri }),
    ...(sipJibri === "" ? {} : { sipJibriBrewery: sipJibri }),
    ...(jigasi === "" ? {} : { jigasiBrewery: jigasi }),
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
    options: focusOptionsSlice(settings),
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
    advertise: settings["bridge.advertise"],
    advertisePrivate: settings["bridge.advertise_private"],
    lan: settings["listen.lan"],
    http: { host: settings["bridge.http_address"], port: nth(settings["bridge.http_port"]) },
    colibri: { host: settings["bridge.colibri_address"], port: nth(settings["bridge.colibri_port"]) },
    channelHost: settings["bridge.channel_host"] === "" ? channelHost : settings["bridge.channel_host"],
    ...(settings["bridge.relay_url"] === "" ? {} : { relayUrl: settings["bridge.relay_url"] }),
    serverId: serverId(settings, index),
    ...(settings["bridge.region"] === "" ? {} : { region: settings["bridge.region"] }),
    ...(settings["bridge.release"] === "" ? {} : { release: settings["bridge.release"] }),
    sctp: settings["bridge.sctp"],
    loudestSpeakers: settings["bridge.loudest_speakers"],
    srtpProvider: settings["bridge.srtp_provider"],
    holdMaxMs: settings["bridge.hold_max_ms"],
    holdFromPercent: settings["bridge.hold_from_percent"],
    maxCameras: settings["bridge.max_cameras"],
    ...(settings["bridge.pin"] ? { pin: index } : {}),
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
    clients: {
      ...(settings["xmpp.guest_domain"] === "" ? {} : { guestDomain: settings["xmpp.guest_domain"] }),
      ...(settings["focus.authentication.login_url"] === ""
        ? {}
        : { loginUrl: settings["focus.authentication.login_url"] }),
      ssrcRewriting: settings["focus.ssrc_rewriting"],
      sctp: settings["focus.sctp"],
      recorders: settings["focus.jibri_brewery"] !== "",
    },
    client: settings["gateway.client"],
    boxName: around.boxName,
  };
};
