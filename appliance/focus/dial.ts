/**
 * Dial-out and transcription by Jigasi: `<dial>` goes to a gateway of the brewery, its answer back to the client. signaling.md 5.5.
 */
import type { Millis } from "../time.ts";
import { NS } from "../wire/namespaces.ts";
import { boolean } from "../wire/numbers.ts";
import { type Condition, errorReply, iqResult } from "../wire/stanza.ts";
import { attr, child, children, clone, type Element } from "../wire/xml.ts";
import type { Conference } from "./conference.ts";
import type { FocusContext } from "./context.ts";
import { isModerator } from "./member.ts";
import type { Participant } from "./participant.ts";

interface Gateway {
  readonly jid: string;
  participants: number;
  sip: boolean;
  transcription: boolean;
  leaving: boolean;
}

export const RAYO_NS = "urn:xmpp:rayo:1";
const TRANSCRIBE = "jitsi_meet_transcribe";
const FURTHER_TRIES = 2;
const MAX_GATEWAYS = 1_000;

export class DialOut {
  readonly #context: FocusContext;
  readonly #gateways = new Map<string, Gateway>();

  constructor(context: FocusContext) {
    this.#context = context;
  }

  get count(): number {
    return this.#gateways.size;
  }

  clear(): void {
    this.#gateways.clear();
  }

  presence(stanza: Element): void {
    const jid = attr(stanza, "from");
    if (jid === undefined) return;
    const type = attr(stanza, "type");
    if (type === "unavailable") {
      this.#gateways.delete(jid);
      return;
    }
    const stats = child(stanza, "stats", NS.colibri);
    if (type !== undefined || stats === undefined || this.#gateways.size >= MAX_GATEWAYS) return;
    const value = (name: string): string | undefined => {
      const stat = children(stats, "stat").find((each) => attr(each, "name") === name);
      return stat === undefined ? undefined : attr(stat, "value");
    };
    this.#gateways.set(jid, {
      jid,
      participants: Number(value("participants") ?? 0) || 0,
      // COMPAT: gateways before 2020 do not say what they can, and can only dial.
      sip: value("supports_sip") === undefined || boolean(value("supports_sip")),
      transcription: boolean(value("supports_transcription")),
      leaving: boolean(value("graceful_shutdown")),
    });
  }

  request(now: Millis, conference: Conference, sender: Participant, iq: Element, dial: Element): void {
    const refuse = (condition: Condition): void =>
      this.#context.outbox.send(errorReply(iq, { condition }, clone(dial)));
    if (this.#context.settings.jigasiBrewery === undefined) {
      refuse("feature-not-implemented");
      return;
    }
    const to = attr(dial, "to");
    if (to === undefined || to === "") {
      refuse("bad-request");
      return;
    }
    const header = children(dial, "header").find((each) => attr(each, "name") === "JvbRoomName");
    const named = header === undefined ? undefined : attr(header, "value");
    if (!isModerator(sender.member) || (named !== undefined && named !== conference.jid)) {
      refuse("forbidden");
      return;
    }
    this.#try(now, iq, dial, to === TRANSCRIBE, new Set(), refuse);
  }

  #try(
    now: Millis,
    iq: Element,
    dial: Element,
    transcribe: boolean,
    tried: Set<string>,
    refuse: (condition: Condition) => void,
  ): void {
    const gateway = [...this.#gateways.values()]
      .filter((each) => !each.leaving && !tried.has(each.jid) && (transcribe ? each.transcription : each.sip))
      .sort((a, b) => a.participants - b.participants)[0];
    if (gateway === undefined) {
      refuse(tried.size === 0 ? "service-unavailable" : "remote-server-timeout");
      return;
    }
    tried.add(gateway.jid);
    this.#context.requests.request(now, gateway.jid, "set", clone(dial), (at, answer) => {
      if (answer.kind === "result") {
        const ref = child(answer.stanza, "ref", RAYO_NS);
        this.#context.outbox.send(iqResult(iq, ref === undefined ? undefined : clone(ref)));
        return;
      }
      if (tried.size <= FURTHER_TRIES) this.#try(at, iq, dial, transcribe, tried, refuse);
      else refuse(answer.kind === "timeout" ? "remote-server-timeout" : "undefined-condition");
    });
  }
}
