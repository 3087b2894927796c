/**
 * From the configuration's slice to the focus's settings: defaults and their reasons.
 */
import type { FocusConfig } from "../config.ts";
import { DEFAULT_CODECS } from "./codecs.ts";
import type { FocusSettings } from "./context.ts";

/** Version that peers see; the appliance's. */
export const VERSION = "0.1.0";

export function focusSettings(config: FocusConfig): FocusSettings {
  const { options = {} } = config;
  return {
    focusJid: `${config.login.user}@${config.login.domain}`,
    focusResource: config.login.resource ?? "focus",
    domains: config.domains,
    brewery: config.brewery,
    sctp: config.sctp,
    minParticipants: config.minParticipants,
    maxSsrcsPerParticipant: config.maxSsrcsPerParticipant,
    maxSsrcGroupsPerParticipant: options.maxSsrcGroupsPerParticipant ?? 20,
    maxAudioSenders: options.maxAudioSenders ?? 999_999,
    maxVideoSenders: options.maxVideoSenders ?? 999_999,
    codecs: { ...DEFAULT_CODECS, ...options.codecs },
    bridges: {
      health: options.bridgeHealth ?? "iq",
      overload: options.bridgeOverload ?? 0.8,
      refuseCamerasAt: options.refuseCamerasAt ?? 0.9,
      refuseConferencesAt: options.refuseConferencesAt ?? 1,
      maxParticipants: config.maxParticipants,
      strategy: options.bridgeStrategy ?? "single",
      mixedVersions: options.bridgeMixedVersions ?? false,
      ...(options.region !== undefined ? { region: options.region } : {}),
      regionGroups: options.regionGroups ?? [],
    },
    ssrcRewriting: options.ssrcRewriting ?? false,
    jsonSources: options.jsonSources ?? true,
    autoOwner: options.autoOwner ?? true,
    iceRestart: options.iceRestart ?? true,
    initialTimeout: options.initialTimeoutMs ?? 15_000,
    singleParticipantTimeout: options.singleParticipantTimeoutMs ?? 20_000,
    authentication:
      options.authentication === undefined
        ? undefined
        : {
            ...options.authentication,
            // signaling.md 2.4: tokens are renewed by the page itself, logins by people.
            sessionLifetime: options.authentication.kind === "jwt" ? 60_000 : 86_400_000,
          },
    maxConferences: options.maxConferences ?? 2_000,
    jibriBrewery: options.jibriBrewery,
    sipJibriBrewery: options.sipJibriBrewery,
    jigasiBrewery: options.jigasiBrewery,
    version: VERSION,
  };
}
