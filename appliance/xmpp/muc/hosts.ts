/**
 * The MUC services of the box and what belongs to them, as one graph of cores (signaling.md 6.1): meeting rooms and breweries.
 */
import type { XmppDomains } from "../../config.ts";
import type { EpochMillis, Millis } from "../../time.ts";
import type { Host, Sender } from "../host.ts";
import { conferenceDuration } from "../jitsi/conference-duration.ts";
import { HoldUntilFocus } from "../jitsi/hold-until-focus.ts";
import { meetingIds } from "../jitsi/meeting-id.ts";
import { nickRule } from "../jitsi/nick-rule.ts";
import { description } from "./description.ts";
import { fixedOptions } from "./fixed-options.ts";
import { invite } from "./invite.ts";
import { lock } from "./lock.ts";
import { moderated } from "./moderated.ts";
import { password } from "./password.ts";
import { persistence } from "./persistence.ts";
import { privateMessages } from "./private-messages.ts";
import { publicRoom } from "./public.ts";
import { type MucLimits, MucService } from "./service.ts";
import { subject } from "./subject.ts";
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
}

/** Only the accounts of services may enter breweries (signaling.md 6.1, muc_filter_access). */
const isService = (sender: Sender): boolean => sender.admin || sender.kind === "service" || sender.kind === "component";

export function createMucHosts(options: MucHostsOptions): readonly Host[] {
  const { domains, limits, newId, toEpoch } = options;
  const occupantIdKey = newId();
  const hold = new HoldUntilFocus(options.focusAccount);
  const meetings = new MucService({
    domain: domains.muc,
    name: "Meeting rooms",
    listed: true,
    limits,
    occupantIdKey,
    newId,
    toEpoch,
    nickChanges: false,
    kickResetsAffiliation: true,
    hidesRooms: true,
    mayCreate: (sender) =>
      sender.admin
        ? undefined
        : { error: { condition: "not-allowed", text: "Room creation is restricted" }, by: "service" },
    features: [
      nickRule,
      hold,
      description,
      persistence,
      publicRoom,
      password({ exemptDomains: new Set([domains.auth, domains.hidden]) }),
      meetingIds(newId).feature,
      lock,
      moderated(false),
      whois,
      fixedOptions,
      privateMessages,
      conferenceDuration(toEpoch),
      invite(),
      voice,
      subject(toEpoch),
    ],
  });
  hold.attach(meetings);
  const breweries = new MucService({
    domain: domains.internalMuc,
    name: "Services",
    listed: false,
    limits,
    occupantIdKey,
    newId,
    toEpoch,
    nickChanges: true,
    kickResetsAffiliation: false,
    hidesRooms: true,
    mayCreate: () => undefined,
    mayEnter: (sender) => (isService(sender) ? undefined : { condition: "not-allowed" }),
    features: [
      description,
      persistence,
      publicRoom,
      password({ exemptDomains: new Set([domains.auth]) }),
      lock,
      moderated(true),
      whois,
      fixedOptions,
      privateMessages,
      invite(),
      voice,
      subject(toEpoch),
    ],
  });
  return [meetings, breweries];
}
