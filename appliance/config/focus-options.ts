/**
 * Options of the conference focus. Kinds of options are in option.ts; the whole table is options.ts.
 */
import { choice, fraction, integer, port, secret, text, texts, yesNo } from "./option.ts";
import { address, DOMAIN, known, optional, ROOM_JID, USER } from "./shapes.ts";

export const focusOptions = {
  "focus.user": text({
    default: "focus",
    pattern: USER,
    expects: "a user name",
    reason: "Account of the focus in domains.auth.",
  }),
  "focus.password": secret({ default: "", reason: "Its password. Empty: made at first start, in secrets/." }),
  "focus.account": text({
    default: (options) => `${known(options, "focus.user")}@${known(options, "domains.auth")}`,
    pattern: ROOM_JID,
    expects: "a bare JID",
    reason: "Account that clients see as the focus (focusUserJid).",
  }),
  "focus.brewery": text({
    default: (options) => `jvbbrewery@${known(options, "domains.internal_muc")}`,
    pattern: ROOM_JID,
    expects: "a room's JID",
    reason: "Room in which bridges announce themselves.",
  }),
  "focus.http_port": port({ default: 8_888, reason: "HTTP of the focus: conference requests, health, statistics." }),
  "focus.http_address": address("127.0.0.1", "Address of focus.http_port: loopback, because it has no TLS."),
  "focus.component_port": port({
    default: 0,
    reason:
      "External component port (XEP-0114) of a server without client proxy, where the focus logs in as domains.focus; 0: none.",
  }),
  "focus.component_secret": secret({ default: "", reason: "Secret of that component." }),
  "focus.sctp": choice({
    default: "fallback",
    of: ["off", "on", "fallback"],
    reason: "Whether offers carry a data channel: never, always, or for clients that cannot open a WebSocket.",
  }),
  "focus.min_participants": integer({
    default: 2,
    min: 1,
    max: 100,
    unit: "participants",
    reason: "How many make a conference: alone in a room there is nothing to send.",
  }),
  "focus.max_participants": integer({
    default: 200,
    min: 2,
    max: 10_000,
    unit: "participants",
    reason:
      "Participants of one conference on one bridge; where a conference may have several (focus.bridge_strategy), the next one takes further ones.",
  }),
  "focus.max_ssrcs_per_participant": integer({
    default: 20,
    min: 2,
    max: 1_000,
    unit: "SSRCs",
    reason: "Most sources of one participant: camera and screen with three layers and their RTX, and audio, are 14.",
  }),
  "focus.max_ssrc_groups_per_participant": integer({
    default: 20,
    min: 1,
    max: 1_000,
    unit: "groups",
    reason: "Most groups of SSRCs (simulcast, retransmission) of one participant.",
  }),
  "focus.max_audio_senders": integer({
    default: 999_999,
    min: 1,
    max: 999_999,
    unit: "participants",
    reason: "How many of a conference may have their microphone on at once; the others stay muted until one is free.",
  }),
  "focus.max_video_senders": integer({
    default: 999_999,
    min: 1,
    max: 999_999,
    unit: "participants",
    reason: "The same for cameras.",
  }),
  "focus.max_conferences": integer({
    default: 2_000,
    min: 1,
    max: 100_000,
    unit: "conferences",
    reason: "Conferences at once; requests for further ones are refused.",
  }),
  "focus.initial_timeout": integer({
    default: 15,
    min: 1,
    max: 3_600,
    unit: "s",
    reason: "A conference that was asked for and that nobody joins ends after this.",
  }),
  "focus.single_participant_timeout": integer({
    default: 20,
    min: 1,
    max: 3_600,
    unit: "s",
    reason: "The media session of somebody who is left alone ends after this; the room stays.",
  }),
  "focus.auto_owner": yesNo({ default: true, reason: "The first one in a room becomes its moderator." }),
  "focus.json_sources": yesNo({
    default: true,
    reason: "Sends sources as JSON to clients that can: a tenth of the bytes of XML.",
  }),
  "focus.ssrc_rewriting": yesNo({
    default: false,
    reason:
      "The bridge maps all sources onto a fixed pool per receiver: for rooms of hundreds. Below, it costs more than it saves.",
  }),
  "focus.ice_restart": yesNo({
    default: true,
    reason: "Repairs a client's media path by an ICE restart before it is invited anew.",
  }),
  "focus.bridge_health": choice({
    default: "iq",
    of: ["iq", "presence"],
    reason: "Whether bridges are asked for their health every 10 s, or what they announce is believed.",
  }),
  "focus.bridge_overload": fraction({
    default: 0.8,
    min: 0.05,
    max: 1,
    unit: "stress",
    reason: "A bridge above this share of what it can do is taken only when there is no other.",
  }),
  "focus.refuse_cameras_at": fraction({
    default: 0.9,
    min: 0.05,
    max: 10,
    unit: "stress",
    reason:
      "A conference on a bridge of ours above this share of what it can do gets no further cameras; the bridge makes pictures smaller before that, at 0.8.",
  }),
  "focus.refuse_conferences_at": fraction({
    default: 1,
    min: 0.05,
    max: 10,
    unit: "stress",
    reason: "A bridge of ours above this gets no new conferences; where all are above it, new ones are refused.",
  }),
  "focus.bridge_strategy": choice({
    default: "single",
    of: ["single", "region", "intra-region", "split"],
    reason:
      "One bridge per conference, one near each participant, several in the region of the first, or all in turn. One costs least.",
  }),
  "focus.bridge_mixed_versions": yesNo({
    default: false,
    reason:
      "Whether bridges of different versions, ours and Jitsi's too, may share a conference. Off: as the original.",
  }),
  "focus.region": text({
    default: "",
    pattern: /^[A-Za-z0-9._-]{0,64}$/,
    expects: "letters, digits, dots and hyphens",
    reason: "Region of clients that say none.",
  }),
  "focus.region_groups": texts({
    default: [],
    pattern: /^[A-Za-z0-9._-]{1,64}( [A-Za-z0-9._-]{1,64})+$/,
    expects: "names of regions with spaces between",
    reason: "Regions that are near each other: a bridge of the group is taken before any other.",
  }),
  "focus.codecs.video": texts({
    default: ["AV1", "VP8", "H264", "VP9"],
    pattern: /^(AV1|VP8|H264|VP9)$/,
    expects: "AV1, VP8, H264, VP9",
    reason: "Video codecs that are offered; which of them is used, the clients settle among themselves.",
  }),
  "focus.codecs.audio_red": yesNo({
    default: false,
    reason: "Offers redundant audio (RFC 2198): twice the bytes for fewer gaps on bad links.",
  }),
  "focus.codecs.mid": yesNo({
    default: false,
    reason:
      "Offers the MID header extension. Off: a bridge that forwards a client's own MID makes browsers mis-route media.",
  }),
  "focus.codecs.transport_cc": yesNo({
    default: true,
    reason: "Offers transport-wide feedback, by which senders know what the path carries.",
  }),
  "focus.codecs.abs_send_time": yesNo({
    default: true,
    reason: "Offers absolute send times, for estimates without transport-wide feedback.",
  }),
  "focus.codecs.dependency_descriptor": yesNo({
    default: true,
    reason: "Offers AV1's dependency descriptor, by which layers are told apart.",
  }),
  "focus.codecs.video_layers_allocation": yesNo({
    default: false,
    reason: "Offers the extension in which senders announce their layers.",
  }),
  "focus.authentication.kind": choice({
    default: "none",
    of: ["none", "xmpp", "jwt"],
    reason:
      "Who may open a conference: everybody, people with an account, or people with a token. Others wait until one of them is there.",
  }),
  "focus.authentication.login_domain": text({
    default: (options) => known(options, "domains.domain"),
    pattern: DOMAIN,
    expects: "a domain name in lower case",
    reason: "XMPP domain whose users count as logged in.",
  }),
  "focus.authentication.login_url": text({
    default: "",
    pattern: /^$|^https?:\/\/[^\s]+$/,
    expects: "a URL, in which {room} stands for the room",
    reason: "Where people log in, with kind jwt.",
  }),
  "focus.authentication.logout_url": text({
    default: "",
    pattern: /^$|^https?:\/\/[^\s]+$/,
    expects: "a URL",
    reason: "Where people log out.",
  }),
  "focus.jibri_brewery": text({
    default: "",
    pattern: optional(ROOM_JID),
    expects: "a room's JID",
    reason: "Room in which recorders (Jibri) announce themselves. Empty: none.",
  }),
  "focus.sip_jibri_brewery": text({
    default: "",
    pattern: optional(ROOM_JID),
    expects: "a room's JID",
    reason: "The same for SIP video gateways.",
  }),
  "focus.jigasi_brewery": text({
    default: "",
    pattern: optional(ROOM_JID),
    expects: "a room's JID",
    reason: "The same for SIP audio gateways (Jigasi).",
  }),
} as const;
