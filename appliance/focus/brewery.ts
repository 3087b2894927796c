/**
 * A brewery as the focus lives in it: joined, kept joined, made non-anonymous where it is ours. signaling.md 5.7, bridge.md 1.11.
 */
import { type Deadline, Deadlines } from "../deadlines.ts";
import { later, type Millis, seconds } from "../time.ts";
import { parseJid } from "../wire/jid.ts";
import { NS } from "../wire/namespaces.ts";
import { attr, child, children, type Element, xml } from "../wire/xml.ts";
import { capsElement } from "./caps.ts";
import { FOCUS_NICK } from "./chat-room.ts";
import type { Outbox } from "./outbox.ts";
import type { Requests } from "./requests.ts";

const REJOIN = seconds(1);
const JOIN_TIMEOUT = seconds(10);

export class Brewery {
  readonly jid: string;
  readonly #outbox: Outbox;
  readonly #requests: Requests;
  readonly #occupant: (now: Millis, presence: Element) => void;
  readonly #lost: (now: Millis) => void;
  readonly #serviceDomains: readonly string[];
  readonly #deadlines = new Deadlines<"join">();
  #joined = false;

  /** `serviceDomains`: whose accounts are believed. A server that does not guard the brewery lets anybody in who calls himself a bridge. */
  constructor(
    jid: string,
    serviceDomains: readonly string[],
    outbox: Outbox,
    requests: Requests,
    handlers: { occupant: (now: Millis, presence: Element) => void; lost: (now: Millis) => void },
  ) {
    this.jid = jid;
    this.#serviceDomains = serviceDomains;
    this.#outbox = outbox;
    this.#requests = requests;
    this.#occupant = handlers.occupant;
    this.#lost = handlers.lost;
  }

  get joined(): boolean {
    return this.#joined;
  }

  join(now: Millis): void {
    this.#joined = false;
    this.#deadlines.set("join", later(now, JOIN_TIMEOUT));
    this.#outbox.send(
      xml(
        "presence",
        { xmlns: NS.client, to: `${this.jid}/${FOCUS_NICK}` },
        xml("priority", {}, "0"),
        xml("x", { xmlns: NS.muc }),
        capsElement(),
      ),
    );
  }

  /** We are offline: nothing is known of it any more. */
  reset(now: Millis): void {
    this.#joined = false;
    this.#deadlines.clear("join");
    this.#lost(now);
  }

  stanza(now: Millis, presence: Element): void {
    if (attr(presence, "from") !== `${this.jid}/${FOCUS_NICK}`) {
      if (attr(presence, "type") !== undefined || this.#isService(presence)) this.#occupant(now, presence);
      return;
    }
    const type = attr(presence, "type");
    if (type === "error" || type === "unavailable") {
      if (this.#joined || type === "error")
        this.#outbox.log("warn", "not in the brewery, joining again", { brewery: this.jid, type });
      if (this.#joined) this.#lost(now);
      this.#joined = false;
      this.#deadlines.set("join", later(now, REJOIN));
      return;
    }
    if (type !== undefined || this.#joined) return;
    this.#joined = true;
    this.#deadlines.clear("join");
    const user = child(presence, "x", NS.mucUser);
    const items = user === undefined ? [] : children(user, "item");
    if (items.some((each) => attr(each, "affiliation") === "owner")) this.#configure(now);
  }

  #isService(presence: Element): boolean {
    const user = child(presence, "x", NS.mucUser);
    const item = user === undefined ? undefined : child(user, "item");
    const jid = item === undefined ? undefined : attr(item, "jid");
    if (this.#serviceDomains.includes(parseJid(jid)?.domain ?? "")) return true;
    this.#outbox.log("warn", "somebody in the brewery is no service account", {
      brewery: this.jid,
      cause: jid === undefined ? "the room hides addresses (muc#roomconfig_whois is not anyone)" : "another domain",
    });
    return false;
  }

  tick(now: Millis): void {
    if (this.#deadlines.due(now).length > 0) this.join(now);
  }

  nextDeadline(): Deadline | undefined {
    return this.#deadlines.soonest();
  }

  #configure(now: Millis): void {
    const field = (name: string, value: string): Element => xml("field", { var: name }, xml("value", {}, value));
    this.#requests.request(now, this.jid, "get", xml("query", { xmlns: NS.mucOwner }), (at, form) => {
      if (form.kind !== "result") return;
      const submit = xml(
        "x",
        { xmlns: NS.dataForms, type: "submit" },
        field("FORM_TYPE", NS.mucRoomConfig),
        field("muc#roomconfig_whois", "anyone"),
      );
      this.#requests.request(at, this.jid, "set", xml("query", { xmlns: NS.mucOwner }, submit));
    });
  }
}
