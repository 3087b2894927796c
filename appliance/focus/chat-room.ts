/**
 * A meeting room as the focus lives in it: joining, ownership, configuration, occupants, its own presence. signaling.md 3.4–3.6.
 */
import { type Deadline, Deadlines } from "../deadlines.ts";
import { later, type Millis, seconds } from "../time.ts";
import { NS } from "../wire/namespaces.ts";
import { readError } from "../wire/stanza.ts";
import { attr, child, children, childText, clone, descend, type Element, xml } from "../wire/xml.ts";
import { capsElement } from "./caps.ts";
import type { FocusContext } from "./context.ts";
import { type Member, readMember } from "./member.ts";

export const FOCUS_NICK = "focus";

/** What the owner form says about the room. */
export interface RoomConfiguration {
  readonly meetingId: string | undefined;
  readonly isBreakout: boolean;
  readonly mainRoom: string | undefined;
}

export interface ChatRoomEvents {
  /** Joined, owner, configured. */
  ready(now: Millis, configuration: RoomConfiguration): void;
  /** The room is of no use: could not be joined, is not ours, destroyed us or threw us out. */
  gone(now: Millis, reason: string): void;
  memberJoined(now: Millis, member: Member): void;
  memberChanged(now: Millis, member: Member, before: Member): void;
  memberLeft(now: Millis, member: Member): void;
}

const JOIN_TIMEOUT = seconds(15);
const RETRY_AFTER = seconds(1);
const MAX_RETRIES = 5;
const MAX_MEMBERS = 2_000;

export class ChatRoom {
  /** Bare room JID. */
  readonly jid: string;
  readonly #context: FocusContext;
  readonly #events: ChatRoomEvents;
  readonly #deadlines = new Deadlines<"join" | "retry">();
  readonly members = new Map<string, Member>();
  #state: "joining" | "configuring" | "ready" | "gone" = "joining";
  #retries = 0;
  #published = "";

  constructor(jid: string, context: FocusContext, events: ChatRoomEvents) {
    this.jid = jid;
    this.#context = context;
    this.#events = events;
  }

  get ready(): boolean {
    return this.#state === "ready";
  }

  join(now: Millis): void {
    this.#state = "joining";
    this.#deadlines.set("join", later(now, JOIN_TIMEOUT));
    this.#send(xml("x", { xmlns: NS.muc }));
  }

  leave(): void {
    if (this.#state === "gone") return;
    this.#state = "gone";
    this.#sendUnavailable();
  }

  /** What our presence carries; sent when it differs from what was sent last. */
  publish(children: readonly Element[]): void {
    if (this.#state !== "ready") return;
    const serialized = children.map(String).join("");
    if (serialized === this.#published) return;
    this.#published = serialized;
    this.#send(...children.map(clone));
  }

  stanza(now: Millis, presence: Element): void {
    if (this.#state === "gone") return;
    const from = attr(presence, "from") ?? "";
    const type = attr(presence, "type");
    const nick = from.slice(this.jid.length + 1);
    if (type === "error") {
      if (this.#state === "joining") this.#refused(now, presence);
      return;
    }
    const statuses = this.#statuses(presence);
    if (nick === FOCUS_NICK) {
      this.#own(now, presence, type, statuses);
      return;
    }
    if (type === "unavailable") {
      const member = this.members.get(nick);
      if (member === undefined) return;
      this.members.delete(nick);
      if (this.#state === "ready") this.#events.memberLeft(now, member);
      return;
    }
    if (type !== undefined) return;
    const { hidden, auth } = this.#context.settings.domains;
    const member = readMember(presence, [hidden, auth]);
    if (member === undefined || nick === "") {
      this.#context.stats.drop("presence without item");
      return;
    }
    const before = this.members.get(nick);
    if (before === undefined && this.members.size >= MAX_MEMBERS) {
      this.#context.stats.drop("room too large");
      return;
    }
    this.members.set(nick, member);
    if (this.#state !== "ready") return; // all of them are announced when the room is ready
    if (before === undefined) this.#events.memberJoined(now, member);
    else this.#events.memberChanged(now, member, before);
  }

  /** Makes the member an owner: moderator in Jitsi's sense (signaling.md 3.5). */
  grantOwner(now: Millis, member: Member): void {
    this.#affiliation(now, member, "owner");
  }

  revokeOwner(now: Millis, member: Member): void {
    this.#affiliation(now, member, "none");
  }

  tick(now: Millis): void {
    for (const due of this.#deadlines.due(now)) {
      if (due === "retry") this.join(now);
      else if (this.#state === "joining") this.#abandon(now, "joining timed out");
    }
  }

  nextDeadline(): Deadline | undefined {
    return this.#deadlines.soonest();
  }

  #affiliation(now: Millis, member: Member, affiliation: "owner" | "none"): void {
    const bare = member.realJid?.split("/")[0];
    if (bare === undefined) return;
    const item = xml("item", { affiliation, jid: bare });
    this.#context.requests.request(now, this.jid, "set", xml("query", { xmlns: NS.mucAdmin }, item), (_, answer) => {
      if (answer.kind === "error")
        this.#context.outbox.log("warn", "affiliation refused", { room: this.jid, condition: answer.error.condition });
    });
  }

  #send(...children: Element[]): void {
    this.#context.outbox.send(
      xml(
        "presence",
        { xmlns: NS.client, to: `${this.jid}/${FOCUS_NICK}` },
        xml("priority", {}, "0"),
        children,
        capsElement(),
      ),
    );
  }

  #statuses(presence: Element): Set<string> {
    const user = child(presence, "x", NS.mucUser);
    return new Set(user === undefined ? [] : children(user, "status").flatMap((each) => attr(each, "code") ?? []));
  }

  #own(now: Millis, presence: Element, type: string | undefined, statuses: ReadonlySet<string>): void {
    if (type === "unavailable") {
      if (this.#state === "joining") return; // of an earlier stay: what refuses a join is an error
      const user = child(presence, "x", NS.mucUser);
      const destroyed = user !== undefined && child(user, "destroy") !== undefined;
      this.#end(now, destroyed ? "room destroyed" : statuses.has("307") ? "kicked" : "left");
      return;
    }
    if (type !== undefined) return;
    const user = child(presence, "x", NS.mucUser);
    const item = user === undefined ? undefined : child(user, "item");
    const own = item === undefined ? undefined : attr(item, "affiliation");
    if (this.#state !== "joining") {
      if (own !== "owner") this.#abandon(now, "no longer owner of the room");
      return;
    }
    if (!statuses.has("110")) return;
    this.#deadlines.clear("join");
    if (own !== "owner") {
      // Only an owner can grant rights and configure; somebody else made this room.
      this.#abandon(now, "not owner of the room");
      return;
    }
    this.#configure(now);
  }

  #configure(now: Millis): void {
    this.#state = "configuring";
    const owner = (...content: Element[]): Element => xml("query", { xmlns: NS.mucOwner }, content);
    this.#context.requests.request(now, this.jid, "get", owner(), (at, form) => {
      if (this.#state !== "configuring") return;
      if (form.kind !== "result") {
        this.#abandon(at, "the room's configuration cannot be read");
        return;
      }
      const configuration = readConfiguration(form.stanza);
      const field = (name: string, value: string): Element => xml("field", { var: name }, xml("value", {}, value));
      const submit = xml(
        "x",
        { xmlns: NS.dataForms, type: "submit" },
        field("FORM_TYPE", NS.mucRoomConfig),
        field("muc#roomconfig_whois", "anyone"),
      );
      this.#context.requests.request(at, this.jid, "set", owner(submit), (then, result) => {
        if (this.#state !== "configuring") return;
        if (result.kind !== "result") {
          this.#abandon(then, "the room's configuration was refused");
          return;
        }
        this.#state = "ready";
        this.#events.ready(then, configuration);
        for (const member of [...this.members.values()]) this.#events.memberJoined(then, member);
      });
    });
  }

  #refused(now: Millis, presence: Element): void {
    const condition = readError(presence)?.condition ?? "undefined-condition";
    this.#deadlines.clear("join");
    // An earlier session of ours may not have left the room yet.
    if ((condition === "conflict" || condition === "recipient-unavailable") && this.#retries++ < MAX_RETRIES) {
      this.#deadlines.set("retry", later(now, RETRY_AFTER));
      return;
    }
    this.#end(now, `joining refused: ${condition}`);
  }

  #sendUnavailable(): void {
    this.#context.outbox.send(
      xml("presence", { xmlns: NS.client, to: `${this.jid}/${FOCUS_NICK}`, type: "unavailable" }),
    );
  }

  /** Leaves because the room is of no use to us. */
  #abandon(now: Millis, reason: string): void {
    this.#sendUnavailable();
    this.#end(now, reason);
  }

  #end(now: Millis, reason: string): void {
    if (this.#state === "gone") return;
    this.#state = "gone";
    this.#deadlines.clear("join");
    this.#deadlines.clear("retry");
    this.#events.gone(now, reason);
  }
}

function readConfiguration(result: Element): RoomConfiguration {
  const form = descend(result, "query", "x");
  const value = (name: string): string | undefined => {
    const field = form === undefined ? undefined : children(form, "field").find((each) => attr(each, "var") === name);
    const text = field === undefined ? undefined : childText(field, "value");
    return text === undefined || text === "" ? undefined : text;
  };
  return {
    meetingId: value("muc#roominfo_meetingId")?.slice(0, 200),
    isBreakout: value("muc#roominfo_isbreakout") !== undefined,
    mainRoom: value("muc#roominfo_breakout_main_room"),
  };
}
