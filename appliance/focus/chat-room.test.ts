/**
 * The room as the focus lives in it: joins that go wrong, ownership lost, its own presence.
 */
import { describe, expect, test } from "bun:test";
import { later, type Millis, millis } from "../time.ts";
import { NS } from "../wire/namespaces.ts";
import { attr, children, type Element, parse, xml } from "../wire/xml.ts";
import { CapsCache } from "./caps.ts";
import { ChatRoom } from "./chat-room.ts";
import type { FocusContext } from "./context.ts";
import { Outbox } from "./outbox.ts";
import { Requests } from "./requests.ts";
import { focusSettings } from "./settings.ts";
import { testConfig } from "./simulated-world.ts";
import { FocusStats } from "./stats.ts";

const JID = "standup@muc.meet.test";

class Room {
  readonly events: string[] = [];
  readonly sent: Element[] = [];
  readonly room: ChatRoom;
  readonly #outbox = new Outbox();
  readonly #requests = new Requests(this.#outbox, "t");
  now: Millis = millis(0);

  constructor() {
    const context: FocusContext = {
      settings: focusSettings(testConfig()),
      outbox: this.#outbox,
      requests: this.#requests,
      random: { id: () => "x", uuid: () => "u" },
      stats: new FocusStats(),
      caps: new CapsCache(this.#requests),
    };
    this.room = new ChatRoom(JID, context, {
      ready: () => this.events.push("ready"),
      gone: (_, reason) => this.events.push(`gone: ${reason}`),
      memberJoined: (_, member) => this.events.push(`+${member.nick}`),
      memberChanged: (_, member) => this.events.push(`~${member.nick}`),
      memberLeft: (_, member) => this.events.push(`-${member.nick}`),
    });
    this.room.join(this.now);
    this.#collect();
  }
  #collect(): void {
    for (const action of this.#outbox.take())
      if (action.kind === "send") this.sent.push(parse(String(action.stanza)) ?? xml("x"));
  }
  presence(
    nick: string,
    options: { type?: string; affiliation?: string; codes?: string[]; error?: string } = {},
  ): this {
    const {
      type,
      affiliation = nick === "focus" ? "owner" : "none",
      codes = nick === "focus" ? ["110"] : [],
      error,
    } = options;
    this.room.stanza(
      this.now,
      xml(
        "presence",
        { xmlns: NS.client, from: `${JID}/${nick}`, type },
        error !== undefined && xml("error", { type: "cancel" }, xml(error, { xmlns: NS.stanzas })),
        xml(
          "x",
          { xmlns: NS.mucUser },
          xml("item", { jid: `${nick}@meet.test/r`, affiliation, role: "participant" }),
          codes.map((code) => xml("status", { code })),
        ),
      ),
    );
    this.#collect();
    return this;
  }
  /** The server answers our last request. */
  answer(type: "result" | "error" = "result"): this {
    const asked = this.sent.findLast((each) => each.getName() === "iq");
    const content =
      type === "error"
        ? xml("error", { type: "auth" }, xml("forbidden", { xmlns: NS.stanzas }))
        : xml("query", { xmlns: NS.mucOwner });
    this.#requests.answer(
      this.now,
      xml("iq", { xmlns: NS.client, type, id: attr(asked ?? xml("x"), "id"), from: JID }, content),
    );
    this.#collect();
    return this;
  }
  wait(ms: number): this {
    this.now = later(this.now, ms);
    this.#requests.tick(this.now);
    this.room.tick(this.now);
    this.#collect();
    return this;
  }
  ready(): this {
    return this.presence("focus").answer().answer();
  }
  left(): boolean {
    return attr(this.sent.at(-1) ?? xml("x"), "type") === "unavailable";
  }
}

describe("joining", () => {
  test("owner, form read, form submitted: ready; members of before are told then, in order", () => {
    const one = new Room()
      .presence("ana")
      .presence("ben")
      .presence("focus", { codes: ["110", "201"] });
    expect(one.events).toEqual([]);
    one.answer().presence("eve").presence("ben", { type: "unavailable" }).answer();
    expect(one.events).toEqual(["ready", "+ana", "+eve"]);
  });
  test("the echo of an earlier leave does not count", () => {
    expect(new Room().presence("focus", { type: "unavailable" }).ready().events).toEqual(["ready"]);
  });
  test("not owner: left again", () => {
    const one = new Room().presence("focus", { affiliation: "none" });
    expect(one.events).toEqual(["gone: not owner of the room"]);
    expect(one.left()).toBe(true);
  });
  test("a refusal is final, a nick that is still ours is tried again five times", () => {
    expect(new Room().presence("focus", { type: "error", error: "registration-required" }).events).toEqual([
      "gone: joining refused: registration-required",
    ]);
    const one = new Room();
    for (let i = 0; i < 5; i++) one.presence("focus", { type: "error", error: "conflict" }).wait(1_000);
    expect(one.events).toEqual([]);
    expect(one.sent.filter((each) => each.getName() === "presence")).toHaveLength(6);
    one.presence("focus", { type: "error", error: "conflict" });
    expect(one.events).toEqual(["gone: joining refused: conflict"]);
  });
  test("no answer for 15 s: given up and left, should it come later", () => {
    const one = new Room().wait(15_000);
    expect(one.events).toEqual(["gone: joining timed out"]);
    expect(one.left()).toBe(true);
    expect(one.ready().events).toHaveLength(1);
  });
  test("a form that is refused or never comes", () => {
    expect(new Room().presence("focus").answer("error").events).toEqual([
      "gone: the room's configuration cannot be read",
    ]);
    expect(new Room().presence("focus").answer().answer("error").events).toEqual([
      "gone: the room's configuration was refused",
    ]);
    expect(new Room().presence("focus").wait(15_000).events).toEqual(["gone: the room's configuration cannot be read"]);
  });
});

describe("afterwards", () => {
  test("ownership taken away: the focus leaves", () => {
    const one = new Room().ready().presence("focus", { affiliation: "member" });
    expect(one.events.at(-1)).toBe("gone: no longer owner of the room");
    expect(one.left()).toBe(true);
  });
  test("kicked or the room destroyed: gone without a word", () => {
    const one = new Room().ready().presence("focus", { type: "unavailable", codes: ["110", "307"] });
    expect(one.events.at(-1)).toBe("gone: kicked");
    expect(one.left()).toBe(false);
  });
  test("members come, change, leave; strangers' errors and pieces without item are nothing", () => {
    const one = new Room().ready().presence("ana").presence("ana").presence("ana", { type: "unavailable" });
    one
      .presence("ana", { type: "unavailable" })
      .presence("ben", { type: "error", error: "gone" })
      .presence("ben", { type: "subscribe" });
    one.room.stanza(one.now, xml("presence", { from: `${JID}/bare` }));
    expect(one.events).toEqual(["ready", "+ana", "~ana", "-ana"]);
  });
  test("presence is sent when it differs from what was sent last", () => {
    const one = new Room().ready();
    const presences = (): number => one.sent.filter((each) => each.getName() === "presence").length;
    const before = presences();
    one.room.publish([xml("a", { b: 1 })]);
    one.room.publish([xml("a", { b: 1 })]);
    one.room.publish([xml("a", { b: 2 })]);
    one.presence("ana"); // collects
    expect(presences()).toBe(before + 2);
    const [priority, content, caps] = children(
      one.sent.findLast((each) => each.getName() === "presence") ?? xml("x"),
    ).map((each) => each.getName());
    expect([priority, content, caps]).toEqual(["priority", "a", "c"]);
  });
});
