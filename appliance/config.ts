/**
 * Every option of the appliance: the slices that the parts get. The table of keys with units, defaults, bounds and reasons is config/options.ts;
 * config/slices.ts makes these slices from it.
 */

/** Where a TCP service listens. Port 0: any free one. */
export interface ListenAddress {
  readonly host: string;
  /** 0 … 65535. */
  readonly port: number;
}

/** PEM texts. */
export interface TlsIdentity {
  readonly certificateChain: string;
  readonly privateKey: string;
}

/** Names of the XMPP hosts (signaling.md 6.1, docker's layout). */
export interface XmppDomains {
  /** `meet.jitsi`: the domain that clients log in to. */
  readonly domain: string;
  /** `auth.meet.jitsi`: service accounts. */
  readonly auth: string;
  /** `muc.meet.jitsi`: meeting rooms. */
  readonly muc: string;
  /** `internal-muc.meet.jitsi`: breweries. */
  readonly internalMuc: string;
  /** `focus.meet.jitsi`: what clients ask for a conference. */
  readonly focus: string;
  /** `hidden.meet.jitsi`: recorders. */
  readonly hidden: string;
}

/** How a service's login verifies the server (design.md 3). */
export type ServerTrust =
  | { readonly kind: "ca" /** PEM of the root(s). */; readonly certificates: string }
  | { readonly kind: "pin" /** SHA-256 of the server's certificate, lower-case hex. */; readonly sha256: string }
  | { readonly kind: "insecure" };

/** One XMPP login of a service. */
export interface ServiceLogin {
  readonly host: string;
  readonly port: number;
  readonly domain: string;
  readonly user: string;
  readonly password: string;
  readonly resource?: string;
  readonly tls: ServerTrust;
}

export interface XmppLimits {
  /** Bytes of one stanza from a service connection. */
  readonly serviceStanzaBytes: number;
  /** Bytes of one stanza from a client. */
  readonly clientStanzaBytes: number;
  readonly depth: number;
  readonly attributes: number;
  /** Per client connection. */
  readonly bytesPerSecond: number;
  readonly stanzasPerSecond: number;
  readonly connections: number;
  readonly connectionsPerAddress: number;
  readonly rooms: number;
  readonly occupantsPerRoom: number;
  readonly roomsPerUser: number;
  /** Seconds that a lost client's session hibernates. */
  readonly resumeSeconds: number;
  /** Logins an address may make in a second before it is slowed down for a minute; 0: any number. */
  readonly loginsPerSecond: number;
  /** Time to log in and bind. */
  readonly loginSeconds: number;
  /** Seconds that a lost service's session hibernates when it asked for resumption. */
  readonly serviceResumeSeconds: number;
}

export interface ServiceAccount {
  readonly user: string;
  readonly domain: string;
  readonly password: string;
  /** Owner of every room, may create rooms. */
  readonly admin: boolean;
}

export interface XmppConfig {
  readonly domains: XmppDomains;
  /** 5222. */
  readonly c2s: ListenAddress;
  /** 5280: BOSH and WebSocket, plain HTTP for the gateway. */
  readonly http: ListenAddress;
  readonly tls: TlsIdentity;
  readonly accounts: readonly ServiceAccount[];
  readonly limits: XmppLimits;
  /** Full JIDs' account that clients see as the focus: `focus@auth.meet.jitsi`. */
  readonly focusAccount: string;
  /** STUN and TURN services announced by XEP-0215. */
  readonly externalServices: readonly ExternalService[];
  /** Addresses of proxies (beside loopback) whose X-Forwarded-For is believed. File parser: list of IP addresses, default none, at most 32; a proxy on another machine needs it. */
  readonly trustedProxies?: readonly string[];
  /** HTTP header that carries the client's region, put there by the proxy (signaling.md 1.1: `x-proxy-region`). File parser: a header name, default none. */
  readonly regionHeader?: string;
  /** External components (XEP-0114), and where they connect: bare TCP. File parser: `xmpp.component` default 127.0.0.1:5347 when components are named, else absent; secrets may be file references. */
  readonly component?: ListenAddress;
  readonly components?: readonly { readonly domain: string; readonly secret: string; readonly admin: boolean }[];
  /** Guests log in there (`guest.meet.jitsi`); then the main domain wants an account. File parser: a domain, default absent. */
  readonly guestDomain?: string;
  /** Tokens (JWT, signaling.md 6.9). File parser: default absent: no tokens asked, none read. */
  readonly tokens?: XmppTokens;
  /** Clients get the discovery answer with the bind result (signaling.md 1.10). File parser: default false (stock clients then ask for no TURN services). */
  readonly pushDiscovery?: boolean;
  /** Server to server. File parser: default absent: off. */
  readonly federation?: XmppFederation;
  /** People make accounts on the main domain (XEP-0077), at most so many. File parser: `xmpp.registration.from` other than "nobody". */
  readonly registration?: { readonly from: "loopback" | "network"; readonly accounts: number };
  /** `parley.sqlite` of the data folder: accounts made over the wire, contact lists. Absent: nothing outlives the process. */
  readonly database?: string;
  /** Meeting rooms beyond their defaults. File parser: table `xmpp.rooms`, default absent, every key optional. */
  readonly rooms?: XmppRooms;
}

/** Policies of meeting rooms (signaling.md 3.5, 6.1, 6.3, 6.8–6.10). */
export interface XmppRooms {
  /** Who becomes moderator: whom the focus chooses, holders of a token that says so, everybody. Default "focus". */
  readonly owners?: "focus" | "token" | "everybody";
  /** Tokens open only rooms of the tenant in `sub`. Default false (as docker's template). */
  readonly verifyTenant?: boolean;
  /** Guests wait in the lobby until somebody with an account or a token is there. Default false. */
  readonly waitForHost?: boolean;
  /** Joins a room takes a second, further ones wait; 1 … 1000. Default absent: all at once. */
  readonly joinsPerSecond?: number;
  /** `room@muc.<tenant>.<domain>` is a room of its own. Default false. */
  readonly tenants?: boolean;
  /** Clients keep a list of shared files (signaling.md 6.7); the files lie elsewhere. Default false. */
  readonly fileSharing?: boolean;
  /** Rooms for any XMPP client instead of meetings: made by whoever comes first, no focus, any nick. Default false. */
  readonly plain?: boolean;
  /** Where events of rooms are POSTed: https (http on loopback), no slash at the end; headers may be file references. Default absent. */
  readonly eventSync?: OutsideSystem;
  /** Who is asked before a new meeting; likewise. Default absent. */
  readonly reservations?: OutsideSystem;
}

export interface OutsideSystem {
  readonly urlPrefix: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface XmppFederation {
  /** 5269. */
  readonly listen: ListenAddress;
  /** Domains that may talk to us and be talked to; empty (default): all. At most 1000. */
  readonly domains: readonly string[];
  /** Dialback is not enough: peers need a certificate good for their name. Default false, because boxes in an office sign their own. */
  readonly certificatesRequired: boolean;
  /** Domain → `host:port`, asked before the DNS. Default none. */
  readonly routes: Readonly<Record<string, string>>;
  /** PEM of roots that peers' certificates are checked against; default: the system's. May be a file reference. */
  readonly roots?: string;
}

export interface XmppTokens {
  /** Issuer that tokens must name, unless others are accepted. */
  readonly appId: string;
  /** HS256; may be a file reference. */
  readonly secret?: string;
  /** RS256: keys are at `<keyServer>/<sha256 hex of kid>.pem`; https. */
  readonly keyServer?: string;
  /** RS256: URL of one JSON object, kid → PEM; https. */
  readonly keyCache?: string;
  /** Default: the app id. `*`: any. At most 32. */
  readonly acceptedIssuers?: readonly string[];
  /** Default `*`: any. At most 32. */
  readonly acceptedAudiences?: readonly string[];
  /** Connections without token are guests instead of refused. Default false. */
  readonly allowEmpty: boolean;
  /** A token must name its room. Default true. */
  readonly requireRoom?: boolean;
}

export interface ExternalService {
  readonly type: "stun" | "turn" | "turns";
  readonly host: string;
  readonly port: number;
  readonly transport: "udp" | "tcp";
  /** Shared secret for time-limited TURN credentials. */
  readonly secret?: string;
}

export interface FocusConfig {
  readonly login: ServiceLogin;
  readonly domains: XmppDomains;
  /** Full room JID. */
  readonly brewery: string;
  /** 8888. */
  readonly http: ListenAddress;
  /** External component login (XEP-0114) for a server without a client proxy. */
  readonly component?: { readonly host: string; readonly port: number; readonly secret: string };
  /** Whether offers carry a data content (design.md 3). */
  readonly sctp: "off" | "on" | "fallback";
  readonly minParticipants: number;
  readonly maxSsrcsPerParticipant: number;
  readonly maxParticipants: number;
  readonly options?: FocusOptions;
}

/** What of the focus is rarely changed; every one may be left out. (File parser: bounds and reasons stand here, defaults in appliance/focus/settings.ts.) */
export interface FocusOptions {
  /** 1 … 1000, default 20: groups of SSRCs per participant. */
  readonly maxSsrcGroupsPerParticipant?: number;
  /** 1 … 999999, default 999999: participants of a conference that may send audio (video) at the same time. */
  readonly maxAudioSenders?: number;
  readonly maxVideoSenders?: number;
  /** Parts of what is offered; default: AV1, VP8, H264, VP9, no RED, no mid (codecs.ts has the reasons). */
  readonly codecs?: {
    readonly video?: readonly ("AV1" | "VP8" | "H264" | "VP9")[];
    readonly audioRed?: boolean;
    readonly mid?: boolean;
    readonly transportCc?: boolean;
    readonly absSendTime?: boolean;
    readonly dependencyDescriptor?: boolean;
    readonly videoLayersAllocation?: boolean;
  };
  /** Default `iq`: ask bridges every 10 s; `presence`: believe their `healthy`. */
  readonly bridgeHealth?: "iq" | "presence";
  /** 0 … 1, default 0.8: stress from which a bridge is taken only when there is no other. */
  readonly bridgeOverload?: number;
  /** Stress, default 0.9: from here on a conference gets no further cameras. */
  readonly refuseCamerasAt?: number;
  /** Stress, default 1: a bridge above it gets no new conferences; where all are, new ones are refused. */
  readonly refuseConferencesAt?: number;
  /** Default `single`: a conference stays on one bridge. */
  readonly bridgeStrategy?: "single" | "region" | "intra-region" | "split";
  /** Default false: bridges of one conference have one version. */
  readonly bridgeMixedVersions?: boolean;
  readonly region?: string;
  /** Regions that are near each other. */
  readonly regionGroups?: readonly (readonly string[])[];
  /** Default false: the bridge keeps a pool of SSRCs for receivers that can (signaling.md 4.8). */
  readonly ssrcRewriting?: boolean;
  /** Default true. */
  readonly jsonSources?: boolean;
  /** Default true: the first participant becomes moderator. */
  readonly autoOwner?: boolean;
  /** Default true. */
  readonly iceRestart?: boolean;
  /** ms, default 15000: a conference that nobody joins ends. */
  readonly initialTimeoutMs?: number;
  /** ms, default 20000: the session of somebody alone ends. */
  readonly singleParticipantTimeoutMs?: number;
  /** Who may create conferences; left out: everybody. `loginUrl` may hold `{room}`. */
  readonly authentication?: {
    readonly kind: "xmpp" | "jwt";
    readonly loginDomain: string;
    readonly loginUrl?: string;
    readonly logoutUrl?: string;
    /** `jwt`: how tokens of HTTP requests are verified; the XMPP server's rules. Left out: they are not. */
    readonly tokens?: { readonly rules: XmppTokens; readonly verifyTenant: boolean };
  };
  /** Default 2000. */
  readonly maxConferences?: number;
  /** Full room JIDs of the breweries of recorders and SIP gateways; left out: none. */
  readonly jibriBrewery?: string;
  readonly sipJibriBrewery?: string;
  readonly jigasiBrewery?: string;
}

export interface BridgeConfig {
  /** Logins to XMPP servers whose brewery it joins. */
  readonly login: ServiceLogin;
  readonly brewery: string;
  /** 10000; the same on every suitable address. */
  readonly mediaPort: number;
  /** Addresses to bind and advertise; empty: all suitable ones of this machine. */
  readonly mediaAddresses: readonly string[];
  /** Public addresses that lead here (NAT, containers): `203.0.113.7` or `203.0.113.7#20000`; absent: none. */
  readonly advertise?: readonly string[];
  /** Absent: true. False: private addresses are told to those only who ask for them (recorders on the same network). */
  readonly advertisePrivate?: boolean;
  /** Without it the media port drops what does not come from this machine (design.md 5). */
  readonly lan: boolean;
  /** 8080. */
  readonly http: ListenAddress;
  /** 9090. */
  readonly colibri: ListenAddress;
  /** Host (and port) that clients reach the bridge channel at: `wss://<this>/colibri-ws/<serverId>/…`. */
  readonly channelHost: string;
  /** Absent: `wss://<channelHost>`. Scheme, host and port that other bridges reach the relay channel at. */
  readonly relayUrl?: string;
  readonly serverId: string;
  readonly region?: string;
  /** Bridges of one conference announce the same one (bridge.md 1.11); absent: none. */
  readonly release?: string;
  readonly sctp: boolean;
  /** 0: everybody is forwarded. */
  readonly loudestSpeakers: number;
  readonly srtpProvider: "auto" | "gnutls" | "libcrypto" | "vector" | "scalar" | "node";
  /** How long video may wait for more of its kind when the core is busy, ms; absent or 0: it never does. */
  readonly holdMaxMs?: number;
  /** Load of the media thread, per cent, above which it may wait. */
  readonly holdFromPercent?: number;
  /** Cameras forwarded at once, each counted once per receiver; absent or 0: what the machine carries. */
  readonly maxCameras?: number;
  /** The media loop's thread runs on one core only, counted from the last of those that the process may use (0: the last); absent: on any. */
  readonly pin?: number;
}

export interface GatewayConfig {
  readonly https: ListenAddress;
  readonly http: ListenAddress;
  readonly tls: TlsIdentity;
  /** Host names and addresses that requests may name. */
  readonly hosts: readonly string[];
  /** Built pages. */
  readonly staticFolder: string;
  readonly domains: XmppDomains;
  /** `http://127.0.0.1:5280`. */
  readonly xmppHttp: string;
  /** `http://127.0.0.1:8888`. */
  readonly focusHttp: string;
  /** Server id of a bridge → `http://host:port` of its colibri-ws. */
  readonly bridges: Readonly<Record<string, string>>;
  readonly focusAccount: string;
  /** PEM of the box's own root, offered for trusting; empty under a public certificate. */
  readonly rootCertificate: string;
  /** Sources of CSP's `frame-ancestors`. */
  readonly frameAncestors: readonly string[];
  /** Most WebSockets, and as many requests that parts answer, from one address at once. */
  readonly relaysPerAddress: number;
  /** Opened to the network: plain HTTP then sends others than this machine itself to https. */
  readonly lan: boolean;
  /** What config.js tells clients of the other parts' options. */
  readonly clients: {
    /** Domain of guests, where accounts or tokens are asked for. */
    readonly guestDomain?: string;
    /** Page where people log in for a token; `{room}` stands for the room. */
    readonly loginUrl?: string;
    readonly ssrcRewriting: boolean;
    readonly sctp: "off" | "on" | "fallback";
    readonly recorders: boolean;
  };
  /** Keys of config.js beside and above ours. */
  readonly client: Readonly<Record<string, unknown>>;
  /** Name of the box, for people. */
  readonly boxName: string;
}
