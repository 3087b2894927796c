import { describe, expect, test } from "bun:test";
import { conditionOf, DialogueServer, type Participant } from "../../tests/xmpp-dialogue.ts";
import { seconds } from "../time.ts";
import { NS } from "../wire/namespaces.ts";
import { attr, type Element, xml } from "../wire/xml.ts";
import type { Host, HostAction } from "./host.ts";

const bare = (participant: Participant): string => participant.jid.split("/")[0] ?? "";
const say = (to: string, type: string | undefined, from: Participant): void =>
  from.send(`<message id="m" to="${to}"${type === undefined ? "" : ` type="${type}"`}><body>x</body></message>`);

describe("messages to an account (RFC 6121 §8.5)", () => {
  const cases: readonly (readonly [
    string,
    "available" | "quiet" | "gone",
    string | undefined,
    "arrives" | "error" | "nothing",
  ])[] = [
    ["full", "quiet", "chat", "arrives"],
    ["full", "quiet", "groupchat", "arrives"],
    ["full", "gone", "chat", "error"],
    ["full", "gone", undefined, "error"],
    ["full", "gone", "groupchat", "error"],
    ["full", "gone", "headline", "nothing"],
    ["full", "gone", "error", "nothing"],
    ["bare", "available", "chat", "arrives"],
    ["bare", "available", undefined, "arrives"],
    ["bare", "available", "headline", "arrives"],
    ["bare", "available", "groupchat", "error"],
    ["bare", "quiet", "chat", "error"],
    ["bare", "gone", "headline", "nothing"],
    ["bare", "gone", "chat", "error"],
  ];
  for (const [address, state, type, outcome] of cases)
    test(`${type ?? "no type"} to the ${address} address of somebody ${state}: ${outcome}`, () => {
      const box = new DialogueServer();
      const ana = box.guest();
      const ben = box.guest({}, { management: false });
      if (state === "available") {
        ben.send("<presence/>");
        ben.expect("presence");
      }
      if (state === "gone") ben.drop();
      say(address === "full" ? ben.jid : bare(ben), type, ana);
      expect(ben.all().map((each) => each.name)).toEqual(outcome === "arrives" ? ["message"] : []);
      expect(ana.all().map((each) => conditionOf(each))).toEqual(outcome === "error" ? ["service-unavailable"] : []);
    });
  test("a negative priority takes no messages for the account", () => {
    const box = new DialogueServer();
    const [ana, ben] = [box.guest(), box.guest()];
    ben.send("<presence><priority>-1</priority></presence>");
    say(bare(ben), "chat", ana);
    expect(conditionOf(ana.expect("message"))).toBe("service-unavailable");
  });
});

describe("presence", () => {
  test("is told to the account's own resources, and unavailable to wherever it was directed", () => {
    const box = new DialogueServer();
    const phone = box.service("jvb", { resource: "phone", presence: false });
    const desk = box.service("jvb", { resource: "desk", presence: false });
    const other = box.service("plain");
    phone.send("<presence id='p1'/>");
    expect(phone.expect("presence").attrs).toMatchObject({ from: "jvb@auth.meet.test/phone", id: "p1" });
    desk.send("<presence/>");
    expect(attr(phone.expect("presence"), "from")).toBe(desk.jid);
    desk.expect("presence", (each) => attr(each, "from") === phone.jid);
    phone.send(`<presence to="${other.jid}"/>`);
    other.expect("presence");
    phone.send("<presence type='unavailable'/>");
    expect(
      attr(
        desk.expect("presence", (each) => attr(each, "type") === "unavailable"),
        "from",
      ),
    ).toBe(phone.jid);
    expect(other.expect("presence").attrs).toMatchObject({ type: "unavailable", from: phone.jid, to: other.jid });
  });
  test("of a socket that drops: unavailable at once without resumption, after the hibernation with it", () => {
    const box = new DialogueServer();
    const other = box.guest();
    for (const management of [false, true]) {
      const ana = box.guest({}, { management });
      ana.send(`<presence to="${other.jid}"/>`);
      other.all();
      ana.drop();
      if (management) {
        box.advance(seconds(59));
        other.send(`<iq type="get" id="alive" to="meet.test"><ping xmlns="${NS.ping}"/></iq>`);
        expect(other.all().filter((each) => each.name === "presence")).toEqual([]);
        box.advance(seconds(2));
      }
      expect(other.expect("presence").attrs).toMatchObject({ type: "unavailable", from: ana.jid });
    }
  });
  test("subscriptions are answered for the account: none", () => {
    const box = new DialogueServer();
    const [ana, ben] = [box.guest(), box.guest()];
    ana.send(`<presence type="subscribe" to="${bare(ben)}"/>`);
    expect(ana.expect("presence").attrs).toMatchObject({ type: "unsubscribed", from: bare(ben) });
    ben.expectNothing();
  });
});

describe("hosts", () => {
  const host = (domain: string, handle: Host["handle"], more: Partial<Host> = {}): Host => ({
    domain,
    handle,
    ...more,
  });
  const send = (from: string, to: string): HostAction => ({
    type: "send",
    stanza: xml("message", { xmlns: NS.client, from, to }),
  });
  test("a chain of hosts that answer each other for ever ends", () => {
    const box = new DialogueServer({
      server: {
        hosts: [
          host("a.meet.test", () => [send("a.meet.test", "b.meet.test")]),
          host("b.meet.test", () => [send("b.meet.test", "a.meet.test")]),
        ],
      },
    });
    const ana = box.guest();
    say("a.meet.test", "chat", ana);
    expect(box.counted("routing-loop")).toBe(1);
    expect(attr(ana.ask("get", "meet.test", `<ping xmlns="${NS.ping}"/>`), "type")).toBe("result");
  });
  test("what one stanza causes is sent in the order in which it was caused", () => {
    const box = new DialogueServer({
      server: {
        hosts: [
          host("a.meet.test", (_now, stanza) =>
            [1, 2, 3].map((n) => ({
              type: "send",
              stanza: xml("message", { xmlns: NS.client, id: n, from: "a.meet.test", to: attr(stanza, "from") }),
            })),
          ),
        ],
      },
    });
    const ana = box.guest();
    say("x@a.meet.test", "chat", ana);
    expect(ana.all().map((each) => attr(each, "id"))).toEqual(["1", "2", "3"]);
  });
  test("a host speaks for this server only", () => {
    const box = new DialogueServer({
      server: { hosts: [host("a.meet.test", (_now, stanza) => [send("bank.test", attr(stanza, "from") ?? "")])] },
    });
    const ana = box.guest();
    say("a.meet.test", "chat", ana);
    ana.expectNothing();
    expect(box.counted("host-forged-from")).toBe(1);
  });
  test("further domains, time-outs, sessions that close, HTTP there and back", () => {
    const seen: string[] = [];
    let due: number | undefined;
    const box: DialogueServer = new DialogueServer({
      server: {
        hosts: [
          host(
            "a.meet.test",
            (now, stanza: Element) => {
              seen.push(`handle ${attr(stanza, "to")}`);
              due = now + 1_000;
              return [
                {
                  type: "http",
                  id: "q",
                  request: {
                    method: "POST",
                    url: "http://other.test/x",
                    headers: { "content-type": "text/plain" },
                    body: "b",
                  },
                },
              ];
            },
            {
              answersFor: (domain) => domain === "a.tenant.meet.test",
              nextDeadline: () => (due === undefined ? undefined : { at: due as never, why: "test" }),
              handleTimeout: () => {
                due = undefined;
                seen.push("timeout");
                return [];
              },
              sessionClosed: (_now, jid) => {
                seen.push(`closed ${jid.resource}`);
                return [];
              },
              httpAnswered: (_now, id, answer) => {
                seen.push(`http ${id} ${answer.status} ${answer.body}`);
                return [];
              },
              httpGet: (_now, path) =>
                path === "/room-size" ? { status: 200, type: "application/json", body: "{}" } : undefined,
            },
          ),
        ],
      },
    });
    const ana = box.guest({}, { management: false });
    say("x@a.tenant.meet.test", "chat", ana);
    const fetched = box.actions.find((each) => each.type === "fetch");
    expect(fetched).toMatchObject({ method: "POST", url: "http://other.test/x", body: "b" });
    box.feed({ type: "fetched", id: fetched?.type === "fetch" ? fetched.id : 0, status: 200, body: "fine" });
    box.feed({ type: "fetched", id: 12345, status: 200, body: "never asked" });
    box.advance(seconds(2));
    ana.drop();
    expect(seen).toEqual([
      "handle x@a.tenant.meet.test",
      "http q 200 fine",
      "timeout",
      `closed ${ana.jid.split("/")[1]}`,
    ]);
    expect(box.core.httpGet(box.now, "/room-size", new Map())?.status).toBe(200);
    expect(box.core.httpGet(box.now, "/nosuch", new Map())).toBeUndefined();
  });
});

test("a stanza to a domain of others is refused as recorded", () => {
  const box = new DialogueServer();
  const answer = box.guest().ask("get", "elsewhere.test", `<ping xmlns="${NS.ping}"/>`);
  expect(conditionOf(answer)).toBe("not-allowed");
  expect(answer.getChild("error")?.getChildText("text")).toBe("Communication with remote domains is not enabled");
});

test("requests that a lost session never acknowledged come back to their sender", () => {
  const box = new DialogueServer();
  const ana = box.guest();
  ana.rawManagement = true;
  const jvb = box.service("jvb");
  jvb.send(`<iq type="set" id="r1" to="${ana.jid}"><x xmlns="urn:x"/></iq>`);
  ana.drop();
  jvb.send(`<iq type="set" id="r2" to="${ana.jid}"><x xmlns="urn:x"/></iq>`);
  jvb.expectNothing();
  box.advance(seconds(59));
  jvb.send(`<iq type="get" id="alive" to="auth.meet.test"><ping xmlns="${NS.ping}"/></iq>`);
  jvb.expect("iq", (each) => attr(each, "id") === "alive");
  jvb.all();
  box.advance(seconds(2));
  expect(jvb.all().map((each) => [attr(each, "id"), conditionOf(each)])).toEqual([
    ["r1", "recipient-unavailable"],
    ["r2", "recipient-unavailable"],
  ]);
});

test("a guest's domain of its own: the main domain then wants an account", () => {
  const box = new DialogueServer({ server: { guestDomain: "guest.meet.test" } });
  const stranger = box.websocket();
  stranger.open();
  expect(stranger.expect("stream:features").toString()).not.toContain("ANONYMOUS");
  const guest = box.websocket();
  guest.open("guest.meet.test");
  expect(guest.expect("stream:features").toString()).toContain("ANONYMOUS");
});
