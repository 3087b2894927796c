/**
 * A component of the server as a host: takes messages, answers disco and ping, has an identity in the main domain's disco (signaling.md 1.9, 6.1).
 */

import type { Deadline } from "../../deadlines.ts";
import type { Millis } from "../../time.ts";
import { jidText } from "../../wire/jid.ts";
import { isRecord } from "../../wire/json.ts";
import { NS } from "../../wire/namespaces.ts";
import { errorReply, iqResult, type StanzaError } from "../../wire/stanza.ts";
import { attr, type Element, xml } from "../../wire/xml.ts";
import type { AdvertisedIdentity, Host, HostAction, Sender } from "../host.ts";
import { Budgets, type Rate, TOO_FAST } from "../muc/budgets.ts";
import { Turn } from "../muc/turn.ts";

/** What a command that nobody takes gets, as from the original (transcripts ws-polls…, ws-odd…). */
export const UNHEARD: StanzaError = { condition: "service-unavailable" };

/** Commands of one client to a component: many make it speak to a whole room. */
export const COMMAND_RATE: Rate = { burst: 40, perSecond: 5 };

export interface ComponentOptions {
  readonly domain: string;
  /** `av_moderation` and the like. */
  readonly type: string;
  /** An error refuses the command; undefined: dealt with. */
  readonly message: (turn: Turn, message: Element, sender: Sender) => StanzaError | undefined;
  readonly nextDeadline?: () => Deadline | undefined;
  readonly handleTimeout?: (turn: Turn) => void;
}

export class Component implements Host {
  readonly domain: string;
  readonly listed = true;
  readonly advertised: readonly AdvertisedIdentity[];

  readonly #budgets = new Budgets(COMMAND_RATE);

  constructor(readonly options: ComponentOptions) {
    this.domain = options.domain;
    this.advertised = [{ category: "component", type: options.type, name: options.domain }];
  }

  handle(now: Millis, stanza: Element, sender: Sender): readonly HostAction[] {
    const turn = new Turn(now);
    const type = attr(stanza, "type");
    const answers = type === "error" || type === "result";
    if (attr(stanza, "to") !== this.domain) {
      if (answers || stanza.getName() === "presence") turn.drop("component-address");
      else turn.send(errorReply(stanza, { condition: "item-not-found" }));
    } else if (stanza.getName() === "message" && type !== "error") {
      const spent = !sender.admin && this.#budgets.take(jidText(sender.jid), now) > 0;
      const error = spent ? TOO_FAST : this.options.message(turn, stanza, sender);
      if (error !== undefined) turn.send(errorReply(stanza, error));
    } else if (stanza.getName() === "iq" && !answers) this.iq(turn, stanza, type);
    else turn.drop("component-stanza");
    return turn.actions;
  }

  nextDeadline(): Deadline | undefined {
    return this.options.nextDeadline?.();
  }

  handleTimeout(now: Millis): readonly HostAction[] {
    const turn = new Turn(now);
    this.options.handleTimeout?.(turn);
    return turn.actions;
  }

  private iq(turn: Turn, stanza: Element, type: string | undefined): void {
    const query = stanza.getChildElements()[0];
    const ns = query?.getNS();
    if (query === undefined) turn.send(errorReply(stanza, { condition: "bad-request" }));
    else if (type === "get" && ns === NS.ping) turn.send(iqResult(stanza));
    else if (type === "get" && ns === NS.discoInfo && attr(query, "node") === undefined)
      turn.send(
        iqResult(
          stanza,
          xml(
            "query",
            { xmlns: NS.discoInfo },
            xml("identity", { category: "component", type: this.options.type, name: this.domain }),
            [NS.discoInfo, NS.discoItems, NS.ping].map((feature) => xml("feature", { var: feature })),
          ),
        ),
      );
    else if (type === "get" && ns === NS.discoItems)
      turn.send(iqResult(stanza, xml("query", { xmlns: NS.discoItems })));
    else turn.send(errorReply(stanza, { condition: "service-unavailable" }));
  }
}

/** What components say to clients (signaling.md 6.1): JSON in a message without type. */
export const jsonMessage = (from: string, to: string, json: unknown, room?: string): Element =>
  xml(
    "message",
    { xmlns: NS.client, from, to },
    xml("json-message", { xmlns: NS.jitmeet, room }, JSON.stringify(json)),
  );

/** The JSON object in an element's text; undefined when it is none. */
export function readJson(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined; // the sender's fault: the caller answers or drops
  }
}

/** The name that a participant shows (signaling.md 3.3), from his presence children. */
export function displayName(children: readonly (Element | string)[]): string | undefined {
  for (const each of children)
    if (typeof each !== "string" && each.getName() === "nick" && each.getNS() === NS.nick) {
      const name = each.getText().trim();
      return name === "" ? undefined : name;
    }
  return undefined;
}
