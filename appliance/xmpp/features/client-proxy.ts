/**
 * The address that clients ask for the focus (signaling.md 2.1): a host whose IQs and messages go to the focus account's session, with the
 * client's full JID as resource of the proxy's address, and whose answers come back from the proxy's bare address.
 *
 * While the focus is away (it restarts, or has not logged in yet) conference requests wait a moment instead of failing: stock clients take an
 * error for final. Bound: 500 requests, 5 s each; what finds no room or no focus gets service-unavailable.
 */
import type { Deadline } from "../../deadlines.ts";
import { later, type Millis, seconds } from "../../time.ts";
import { bareText, type Jid, jidText, parseJid } from "../../wire/jid.ts";
import { NS } from "../../wire/namespaces.ts";
import { errorReply } from "../../wire/stanza.ts";
import { attr, clone, type Element } from "../../wire/xml.ts";
import type { Host, HostAction, Sender } from "../host.ts";

const MAX_WAITING = 500;
const WAIT = seconds(5);

interface Waiting {
  readonly until: Millis;
  readonly stanza: Element;
  readonly from: Jid;
}

export interface ClientProxy extends Host {
  /** The focus account has become reachable. */
  targetAvailable(now: Millis): readonly HostAction[];
}

/** `target`: full JID of the session that serves, if any; `account`: bare JID whose answers are forwarded. */
export function clientProxy(domain: string, account: string, target: () => Jid | undefined): ClientProxy {
  let waiting: Waiting[] = [];

  const forward = (stanza: Element, from: Jid, to: Jid): HostAction => {
    const copy = clone(stanza);
    copy.attrs["from"] = `${domain}/${jidText(from)}`;
    copy.attrs["to"] = jidText(to);
    return { type: "send", stanza: copy };
  };
  const refuse = (stanza: Element): readonly HostAction[] =>
    isError(stanza) || isResult(stanza)
      ? [{ type: "drop", reason: "proxy-no-target" }]
      : [{ type: "send", stanza: errorReply(stanza, { condition: "service-unavailable" }) }];

  const fromTarget = (stanza: Element): readonly HostAction[] => {
    const to = parseJid(parseJid(attr(stanza, "to"))?.resource);
    if (to === undefined) return refuse(stanza);
    const copy = clone(stanza);
    copy.attrs["from"] = domain;
    copy.attrs["to"] = jidText(to);
    return [{ type: "send", stanza: copy }];
  };

  return {
    domain,
    listed: true,
    handle(now: Millis, stanza: Element, sender: Sender): readonly HostAction[] {
      if (stanza.name === "presence") return [{ type: "drop", reason: "proxy-presence" }];
      if (sender.kind === "remote") return refuse(stanza);
      if (sender.kind === "service" && bareText(sender.jid) === account) return fromTarget(stanza);
      if (isError(stanza) || isResult(stanza)) {
        const serving = target();
        return serving === undefined
          ? [{ type: "drop", reason: "proxy-no-target" }]
          : [forward(stanza, sender.jid, serving)];
      }
      const serving = target();
      if (serving !== undefined) return [forward(stanza, sender.jid, serving)];
      // Only what is the focus's own is worth waiting for; others walk all hosts by disco and must not be kept (Smack does at every login).
      const forFocus = stanza.getChildElements().some((each) => each.getNS() === NS.focus);
      if (!forFocus || waiting.length >= MAX_WAITING) return refuse(stanza);
      waiting.push({ until: later(now, WAIT), stanza, from: sender.jid });
      return [];
    },
    sessionClosed(_now: Millis, jid: Jid): readonly HostAction[] {
      const gone = jidText(jid);
      waiting = waiting.filter((each) => jidText(each.from) !== gone);
      return [];
    },
    nextDeadline(): Deadline | undefined {
      const first = waiting[0];
      return first === undefined ? undefined : { at: first.until, why: "client proxy: request waits for the focus" };
    },
    handleTimeout(now: Millis): readonly HostAction[] {
      const late = waiting.filter((each) => each.until <= now);
      if (late.length === 0) return [];
      waiting = waiting.filter((each) => each.until > now);
      return late.flatMap((each) => refuse(each.stanza));
    },
    targetAvailable(): readonly HostAction[] {
      const serving = target();
      if (serving === undefined) return [];
      const held = waiting;
      waiting = [];
      return held.map((each) => forward(each.stanza, each.from, serving));
    },
  };
}

const isError = (stanza: Element): boolean => attr(stanza, "type") === "error";
const isResult = (stanza: Element): boolean => stanza.name === "iq" && attr(stanza, "type") === "result";
