/**
 * The MUC services of the box and Jitsi's components, as one graph of cores (signaling.md 6.1): meeting rooms, their lobbies and breakout rooms,
 * breweries, and what serves them. The graph is one because its members change each other's rooms; outside of it they are hosts like others.
 */
import type { OutsideSystem, XmppDomains } from "../../config.ts";
import type { EpochMillis, Millis } from "../../time.ts";
import type { Host, Sender } from "../host.ts";
import { AvModeration } from "../jitsi/av-moderation.ts";
import { BreakoutRooms } from "../jitsi/breakout-rooms.ts";
import { Census } from "../jitsi/census.ts";
import { Component } from "../jitsi/component.ts";
import { conferenceDuration } from "../jitsi/conference-duration.ts";
import { endConference } from "../jitsi/end-conference.ts";
import { EventSync } from "../jitsi/event-sync.ts";
import { FileSharing } from "../jitsi/file-sharing.ts";
import { flip } from "../jitsi/flip.ts";
import { HoldUntilFocus } from "../jitsi/hold-until-focus.ts";
import { JoinRate } from "../jitsi/join-rate.ts";
import { Lobby } from "../jitsi/lobby.ts";
import { meetingIds } from "../jitsi/meeting-id.ts";
import { Meetings } from "../jitsi/meetings.ts";
import { messageFilter } from "../jitsi/message-filter.ts";
import { nickRule } from "../jitsi/nick-rule.ts";
import { permissions } from "../jitsi/permissions.ts";
import { Polls } from "../jitsi/polls.ts";
import { presenceIdentity } from "../jitsi/presence-identity.ts";
import { ReservationGate } from "../jitsi/reservations.ts";
import { RoomMetadata } from "../jitsi/room-metadata.ts";
import { SpeakerStats } from "../jitsi/speaker-stats.ts";
import { TenantHost, TenantNames } from "../jitsi/tenants.ts";
import { type OwnerPolicy, ownerPolicy } from "../jitsi/token-moderator.ts";
import { tokenRoom } from "../jitsi/token-room.ts";
import { waitForHost } from "../jitsi/wait-for-host.ts";
import { description } from "./description.ts";
import type { RoomFeature } from "./feature.ts";
import { fullPresence, noHistory } from "./fixed-options.ts";
import { FloodGuard } from "./flood.ts";
import { history } from "./history.ts";
import { invite } from "./invite.ts";
import { lock } from "./lock.ts";
import { locking } from "./locking.ts";
import { maxUsers } from "./max-users.ts";
import { moderated } from "./moderated.ts";
import type { Occupant } from "./occupants.ts";
import { password } from "./password.ts";
import { persistence } from "./persistence.ts";
import { privateMessages } from "./private-messages.ts";
import { publicRoom } from "./public.ts";
import { registration } from "./registration.ts";
import { MucService } from "./service.ts";
import type { MucLimits, MucServiceOptions } from "./service-view.ts";
import { subject } from "./subject.ts";
import type { Turn } from "./turn.ts";
import { voice } from "./voice.ts";
import { whois } from "./whois.ts";

export interface MucHostsOptions {
  readonly domains: XmppDomains;
  readonly limits: MucLimits;
  /** Bare address of the focus's account. */
  readonly focusAccount: string;
  /** Fresh UUIDs, unguessable. */
  readonly newId: () => string;
  /** The wall clock at an instant of the monotonic one. */
  readonly toEpoch: (now: Millis) => EpochMillis;
  /** TURN services for an occupant, in the client's form, told with the room metadata (signaling.md 6.5). */
  readonly services?: (turn: Turn, occupant: Occupant) => readonly unknown[];
  /** Tokens (signaling.md 6.9); absent: rooms are open to whoever may log in. */
  readonly token?: { readonly required: boolean; readonly requireRoom: boolean; readonly verifyTenant: boolean };
  /** Who becomes moderator (signaling.md 3.5); default: whom the focus chooses. */
  readonly owners?: OwnerPolicy;
  /** Guests wait in the lobby until somebody with an account or a token is there; default no. */
  readonly waitForHost?: boolean;
  /** Joins a room takes a second, the rest wait (signaling.md 6.8); default unlimited. */
  readonly joinsPerSecond?: number;
  /** Tenants in room names (signaling.md 6.1); default no. */
  readonly tenants?: boolean;
  /** Where events go (signaling.md 6.10); default nowhere. */
  readonly eventSync?: OutsideSystem;
  /** Who is asked before a new meeting (signaling.md 6.10); default nobody. */
  readonly reservations?: OutsideSystem;
  /** A list of shared files (signaling.md 6.7); default no. */
  readonly fileSharing?: boolean;
  /** Rooms for any XMPP client: made by whoever comes first, no focus, any nick, no Jitsi features; default no. */
  readonly plain?: boolean;
}

export interface MeetingServices {
  /** All hosts, the breweries' included. */
  readonly hosts: readonly Host[];
  readonly census: Census;
  /** What stands before the host that takes conference requests: reservations, tenants. */
  focusHost(inner: Host): Host;
}

/** Only accounts on the services' domain may enter breweries (signaling.md 6.1, muc_filter_access): recorders' call accounts are none of them. */
const isService = (sender: Sender, auth: string): boolean =>
  sender.admin || sender.kind === "component" || (sender.kind === "service" && sender.jid.domain === auth);

/** The features of XEP-0045 alone. `isOpen`: for people; else for services, without list and history. */
const plainFeatures = (
  toEpoch: MucHostsOptions["toEpoch"],
  exemptDomains: ReadonlySet<string>,
  isOpen: boolean,
): RoomFeature[] => [
  description,
  persistence,
  publicRoom(isOpen),
  moderated(true),
  whois,
  isOpen ? history(toEpoch) : noHistory,
  fullPresence,
  privateMessages,
  lock({ strangers: "remove" }),
  password({ exemptDomains }),
  invite(),
  voice,
  subject(toEpoch),
];

/** What all services of the graph have in common. */
const commonOptions = ({ limits, newId, toEpoch }: MucHostsOptions) =>
  ({ limits, occupantIdKey: newId(), newId, toEpoch }) as const;
type CommonOptions = ReturnType<typeof commonOptions>;

const breweryService = (common: CommonOptions, { domains }: MucHostsOptions): MucService =>
  new MucService({
    ...common,
    domain: domains.internalMuc,
    name: "Services",
    listed: false,
    nickChanges: true,
    kickResetsAffiliation: false,
    hidesRooms: true,
    mayCreate: () => undefined,
    mayEnter: (sender) => (isService(sender, domains.auth) ? undefined : { condition: "not-allowed" }),
    features: plainFeatures(common.toEpoch, new Set([domains.auth]), false),
  });

/** Rooms for any client, and the breweries. */
function createPlainServices(common: CommonOptions, options: MucHostsOptions): MeetingServices {
  const { domains } = options;
  const rooms = new MucService({
    ...common,
    domain: domains.muc,
    name: "Rooms",
    listed: true,
    nickChanges: true,
    kickResetsAffiliation: false,
    hidesRooms: false,
    mayCreate: (sender) =>
      sender.kind === "remote" ? { error: { condition: "not-allowed" }, by: "service" } : undefined,
    features: [new FloodGuard(), locking, registration, maxUsers, ...plainFeatures(common.toEpoch, new Set(), true)],
  });
  return {
    hosts: [rooms, breweryService(common, options)],
    census: new Census(rooms, domains.domain),
    focusHost: (inner) => inner,
  };
}

export const createMucHosts = (options: MucHostsOptions): readonly Host[] => createMeetingServices(options).hosts;

export function createMeetingServices(options: MucHostsOptions): MeetingServices {
  const { domains, newId, toEpoch } = options;
  const { domain, auth, hidden } = domains;
  const common = commonOptions(options);
  if (options.plain === true) return createPlainServices(common, options);
  const restricted: MucServiceOptions["mayCreate"] = () => ({
    error: { condition: "not-allowed", text: "Room creation is restricted" },
    by: "service",
  });
  const basics: readonly RoomFeature[] = [
    description,
    persistence,
    publicRoom(false),
    moderated(false),
    whois,
    noHistory,
    fullPresence,
    privateMessages,
  ];

  const metadata = new RoomMetadata(`metadata.${domain}`, options.services);
  const avModeration = new AvModeration(`avmoderation.${domain}`, metadata);
  const speakerStats = new SpeakerStats(`speakerstats.${domain}`, hidden);
  const polls = new Polls(`polls.${domain}`, metadata);
  const files = options.fileSharing === true ? [new FileSharing(`filesharing.${domain}`)] : [];
  const lobby = new Lobby({ domain: `lobby.${domain}`, metadata, hiddenDomain: hidden });
  const breakout = new BreakoutRooms({ domain: `breakout.${domain}`, newId, toEpoch, hiddenDomain: hidden });
  const ids = meetingIds(newId).feature;
  const services: ReadonlySet<string> = new Set([auth, hidden]);
  const eventSync =
    options.eventSync === undefined
      ? []
      : [new EventSync({ ...options.eventSync, newId, toEpoch, mainOf: (room) => breakout.mainOf(room) })];
  const holds = [new HoldUntilFocus(options.focusAccount), new HoldUntilFocus(options.focusAccount)] as const;
  const rate = options.joinsPerSecond === undefined ? undefined : new JoinRate(options.joinsPerSecond);
  const token = options.token === undefined ? [] : [tokenRoom({ ...options.token, domain, exemptDomains: services })];

  // What is told to a newcomer after his self-presence comes in the order of these features (transcript ws-av-moderation).
  const told: readonly RoomFeature[] = [
    metadata,
    permissions,
    speakerStats,
    avModeration,
    polls,
    ...files,
    subject(toEpoch),
  ];
  const meetings = new MucService({
    ...common,
    domain: domains.muc,
    name: "Meeting rooms",
    listed: true,
    nickChanges: false,
    kickResetsAffiliation: true,
    hidesRooms: true,
    httpGet: (_service, path, query) => census.page(path, query),
    mayCreate: (sender, local) => (sender.admin ? undefined : restricted(sender, local)),
    features: [
      new FloodGuard(),
      nickRule,
      holds[0],
      ...(rate === undefined ? [] : [rate]),
      ...token,
      ...(options.owners === undefined ? [] : [ownerPolicy(options.owners)]),
      ...(options.waitForHost === true ? [waitForHost(lobby, hidden)] : []),
      ...basics,
      lock({
        strangers: "admit",
        elsewhere: (room) => breakout.roomsOf(room).flatMap((each) => [...each.occupants.all()]),
        exempt: (turn, join) => lobby.exempt(turn, join),
        refusal: (join) => lobby.refusal(join),
        changed: (turn, room, membersOnly, actor) => lobby.changed(turn, room, membersOnly, actor),
      }),
      password({ exemptDomains: services }),
      ids,
      flip,
      conferenceDuration(toEpoch),
      lobby.meetingFeature(),
      breakout.meetingFeature(),
      messageFilter(metadata),
      presenceIdentity,
      invite({ admitted: (turn, room, invited, by) => lobby.admitted(turn, room, invited, by) }),
      voice,
      ...eventSync,
      ...told,
    ],
  });
  const breakouts = new MucService({
    ...common,
    domain: `breakout.${domain}`,
    name: "Breakout rooms",
    listed: true,
    advertised: [{ category: "component", type: "breakout_rooms", name: `breakout.${domain}` }],
    nickChanges: false,
    kickResetsAffiliation: true,
    hidesRooms: true,
    mayCreate: (sender, local) => (sender.admin && breakout.isBreakout(local) ? undefined : restricted(sender, local)),
    affiliationElsewhere: (room, bare) => breakout.affiliation(room, bare),
    affiliationHome: (room) => breakout.mainOf(room),
    discoNode: (node) => (node === "breakout_rooms" ? ["http://jitsi.org/protocol/breakout_rooms#rename"] : undefined),
    serviceMessage: (turn, message, sender) => breakout.command(turn, message, sender),
    features: [
      new FloodGuard(),
      nickRule,
      holds[1],
      ...basics,
      lock({ strangers: "admit", home: (room) => breakout.mainOf(room) }),
      password({ exemptDomains: services }),
      ids,
      breakout.breakoutFeature(),
      messageFilter(metadata),
      presenceIdentity,
      ...eventSync,
      ...told,
    ],
  });
  const lobbies = new MucService({
    ...common,
    domain: `lobby.${domain}`,
    name: "Lobbies",
    listed: true,
    advertised: [{ category: "component", type: "lobbyrooms", name: `lobby.${domain}` }],
    nickChanges: false,
    kickResetsAffiliation: false,
    hidesRooms: true,
    mayCreate: restricted,
    affiliationElsewhere: (room, bare) => lobby.affiliation(room, bare),
    affiliationHome: (room) => lobby.meetingOf(room),
    discoNode: (node, sender) => lobby.discoNode(node, sender),
    features: [
      new FloodGuard(),
      nickRule,
      persistence,
      whois,
      moderated(false),
      lobby.lobbyFeature(),
      presenceIdentity,
    ],
  });
  const census = new Census(meetings, domain);
  holds[0].attach(meetings);
  holds[1].attach(breakouts);
  rate?.attach(meetings);
  lobby.attach(meetings, lobbies);
  breakout.attach(meetings, breakouts);

  const where = new Meetings([meetings, breakouts]);
  const component = (name: string, type: string, message: Component["options"]["message"]): Component =>
    new Component({ domain: `${name}.${domain}`, type, message });
  const components = [
    component("avmoderation", "av_moderation", (turn, message, sender) =>
      avModeration.command(where, turn, message, sender),
    ),
    component("metadata", "room_metadata", (turn, message, sender) => metadata.command(where, turn, message, sender)),
    component("speakerstats", "speakerstats", (turn, message, sender) =>
      speakerStats.command(where, turn, message, sender),
    ),
    component("polls", "polls", (turn, message, sender) => polls.command(where, turn, message, sender)),
    ...files.map((each) =>
      component("filesharing", "file-sharing", (turn, message, sender) => each.command(where, turn, message, sender)),
    ),
    component("endconference", "end_conference", (turn, message, sender) =>
      endConference(where, (room) => breakout.mainOf(room), turn, message, sender),
    ),
  ];
  const clientHosts: readonly Host[] = [meetings, breakouts, lobbies, ...components];
  const names = new TenantNames(domains.muc);
  const mapped = (host: Host): Host => (options.tenants === true ? new TenantHost(host, names, services) : host);
  const { reservations } = options;
  const reserved = (host: Host): Host =>
    reservations === undefined ? host : new ReservationGate(host, meetings, { ...reservations, newId, toEpoch });
  return {
    hosts: [...clientHosts.map(mapped), breweryService(common, options)],
    census,
    focusHost: (inner) => mapped(reserved(inner)),
  };
}
