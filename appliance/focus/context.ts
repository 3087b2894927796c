/**
 * What all cores of the focus share: settings, the way out, requests, randomness, counters.
 */
import type { XmppDomains } from "../config.ts";
import type { TokenRules } from "../jwt.ts";
import type { BridgeSettings } from "./bridges.ts";
import type { CapsCache } from "./caps.ts";
import type { CodecSettings } from "./codecs.ts";
import type { Outbox } from "./outbox.ts";
import type { Requests } from "./requests.ts";
import type { FocusStats } from "./stats.ts";

export interface FocusSettings {
  /** Bare JID of the account: `focus@auth.meet.jitsi`. */
  readonly focusJid: string;
  /** Resource of its login. */
  readonly focusResource: string;
  readonly domains: XmppDomains;
  readonly brewery: string;
  readonly sctp: "off" | "on" | "fallback";
  readonly minParticipants: number;
  readonly maxSsrcsPerParticipant: number;
  readonly maxSsrcGroupsPerParticipant: number;
  readonly maxAudioSenders: number;
  readonly maxVideoSenders: number;
  readonly codecs: CodecSettings;
  readonly bridges: BridgeSettings;
  readonly ssrcRewriting: boolean;
  readonly jsonSources: boolean;
  readonly autoOwner: boolean;
  readonly iceRestart: boolean;
  /** ms without a participant after which the focus leaves. */
  readonly initialTimeout: number;
  /** ms alone after which the session of the last one ends. */
  readonly singleParticipantTimeout: number;
  readonly authentication: AuthenticationSettings | undefined;
  /** Rooms at the same time. */
  readonly maxConferences: number;
  /** Breweries of recorders and SIP gateways (full room JIDs). */
  readonly jibriBrewery: string | undefined;
  readonly sipJibriBrewery: string | undefined;
  readonly jigasiBrewery: string | undefined;
  readonly version: string;
}

export interface AuthenticationSettings {
  readonly kind: "xmpp" | "jwt";
  /** Users of this domain are authenticated. */
  readonly loginDomain: string;
  /** ms. */
  readonly sessionLifetime: number;
  readonly loginUrl?: string;
  readonly logoutUrl?: string;
  /** How tokens of HTTP requests are verified; absent: they are not. */
  readonly tokens?: TokenSettings;
}

export interface TokenSettings {
  readonly rules: TokenRules;
  /** The subject of a token is the room's tenant. */
  readonly verifyTenant: boolean;
}

/** Randomness of the focus; the shell's is cryptographic. */
export interface FocusRandom {
  /** Lower-case letters and digits. */
  id(length: number): string;
  uuid(): string;
}

export interface FocusContext {
  readonly settings: FocusSettings;
  readonly outbox: Outbox;
  readonly requests: Requests;
  readonly random: FocusRandom;
  readonly stats: FocusStats;
  readonly caps: CapsCache;
}
