import { describe, expect, test } from "bun:test";
import { BoshPoster } from "../../tests/bosh-poster.ts";
import { DialogueServer } from "../../tests/xmpp-dialogue.ts";
import { seconds } from "../time.ts";
import { NS } from "../wire/namespaces.ts";
import { attr } from "../wire/xml.ts";

const PING = `<iq id="p" to="meet.test" type="get" xmlns="jabber:client"><ping xmlns="urn:xmpp:ping"/></iq>`;

describe("transcript bosh-session", () => {
  test("creation: the attributes of the original, and features in the first body", () => {
    const poster = new BoshPoster(new DialogueServer());
    const body = poster.open();
    expect(body.attrs).toMatchObject({
      hold: "1",
      ver: "1.6",
      from: "meet.test",
      secure: "true",
      wait: "60",
      polling: "5",
      inactivity: "60",
      requests: "2",
      "xmpp:version": "1.0",
    });
    expect(attr(body, "authid")).toBe(attr(body, "sid"));
    expect(body.getChild("features")?.toString()).toContain("<mechanism>ANONYMOUS</mechanism>");
    expect(body.toString()).not.toContain(NS.sm);
  });

  test("login, several stanzas in a body, held request, terminate with its last words", () => {
    const box = new DialogueServer();
    const poster = new BoshPoster(box, { room: "recbosh" });
    poster.login();
    const two = poster.answer(poster.post(PING + PING.replace('"p"', '"q"')));
    expect(two.getChildren("iq").map((each) => attr(each, "id"))).toEqual(["p", "q"]);
    const held = poster.post();
    expect(poster.waits(held)).toBe(true);
    const ana = box.guest();
    poster.post("<presence xmlns='jabber:client'/>");
    expect(poster.answer(held).getChild("presence")).toBeDefined();
    ana.send(`<message to="${poster.jid}"><body>over websocket</body></message>`);
    const last = poster.post();
    const end = poster.post("<presence type='unavailable' xmlns='jabber:client'/>", "type='terminate'");
    expect([poster.answer(last), poster.answer(end)].map((each) => attr(each, "type"))).toContain("terminate");
    ana.send(`<message to="${poster.jid}"><body>?</body></message>`);
    expect(attr(ana.expect("message"), "type")).toBe("error");
  });
});

describe("the window", () => {
  test("requests that overtake each other are worked off in order", () => {
    const poster = new BoshPoster(new DialogueServer());
    poster.login();
    const second = poster.post(PING.replace('"p"', '"second"'), "", poster.rid + 2);
    expect(poster.waits(second)).toBe(true);
    const first = poster.post(PING.replace('"p"', '"first"'), "", poster.rid + 1);
    const ids = poster
      .answer(first)
      .getChildren("iq")
      .map((each) => attr(each, "id"));
    expect(ids).toEqual(["first", "second"]);
    expect(poster.waits(second)).toBe(true);
  });

  test("a repeated request gets the same answer and is not worked off twice", () => {
    const poster = new BoshPoster(new DialogueServer());
    poster.login();
    const first = poster.answer(poster.post(PING));
    const again = poster.answer(poster.post(PING, "", poster.rid));
    expect(again.toString()).toBe(first.toString());
  });

  test("a held request whose connection breaks can be repeated", () => {
    const box = new DialogueServer();
    const poster = new BoshPoster(box);
    poster.login();
    const held = poster.post();
    box.feed({ type: "bosh-aborted", request: held });
    const again = poster.post("", "", poster.rid);
    expect(poster.waits(again)).toBe(true);
    const next = poster.post(PING);
    expect(poster.answer(again).getChild("iq")).toBeDefined();
    expect(poster.waits(next)).toBe(true);
  });

  for (const [what, offset] of [
    ["beyond the window", 9],
    ["long past", -9],
  ] as const)
    test(`a rid ${what} ends the session with item-not-found`, () => {
      const poster = new BoshPoster(new DialogueServer());
      poster.login();
      const body = poster.answer(poster.post("", "", poster.rid + offset));
      expect([attr(body, "type"), attr(body, "condition")]).toEqual(["terminate", "item-not-found"]);
      expect(attr(poster.answer(poster.post()), "condition")).toBe("item-not-found");
    });

  test("a second request releases the first, empty, when nothing is to be said", () => {
    const poster = new BoshPoster(new DialogueServer());
    poster.login();
    const first = poster.post();
    const second = poster.post();
    expect(poster.answer(first).children).toEqual([]);
    expect(poster.waits(second)).toBe(true);
  });
});

describe("time", () => {
  test("a held request is answered after wait; without requests the session ends after inactivity", () => {
    const box = new DialogueServer();
    const poster = new BoshPoster(box);
    poster.login();
    const held = poster.post();
    box.advance(seconds(59));
    expect(poster.waits(held)).toBe(true);
    box.advance(seconds(2));
    expect(attr(poster.answer(held), "type")).toBeUndefined();
    box.advance(seconds(61));
    expect(attr(poster.answer(poster.post()), "condition")).toBe("item-not-found");
    expect(box.core.sessionCount).toBe(0);
  });

  test("a pause outlasts inactivity and answers at once", () => {
    const box = new DialogueServer();
    const poster = new BoshPoster(box);
    poster.login();
    const held = poster.post();
    const pause = poster.post("", "pause='110'");
    expect([poster.waits(held), poster.waits(pause)]).toEqual([false, false]);
    box.advance(seconds(100));
    expect(poster.answer(poster.post(PING)).getChild("iq")).toBeDefined();
    expect(attr(poster.answer(poster.post("", "pause='9999'")), "condition")).toBe("policy-violation");
  });

  test("who holds nothing must not poll without pause", () => {
    const box = new DialogueServer();
    const poster = new BoshPoster(box);
    poster.open(`hold="0" wait="60"`);
    expect(attr(poster.answer(poster.post()), "condition")).toBeUndefined();
    expect(attr(poster.answer(poster.post()), "condition")).toBe("policy-violation");
  });
});

describe("hostile", () => {
  const box = new DialogueServer();
  const victim = new BoshPoster(box);
  victim.login();
  const condition = (source: string): string | undefined => attr(victim.answer(victim.raw(source)), "condition");
  test("what is no body is a bad request", () => {
    for (const source of [
      "",
      "x",
      "<body",
      "<body/>",
      `<body xmlns="${NS.httpbind}"/>`,
      `<body xmlns="${NS.httpbind}" rid="x"/>`,
      `<body xmlns="${NS.httpbind}" rid="99999999999999999999"/>`,
      "<!DOCTYPE a><body/>",
      `<body xmlns="${NS.httpbind}" rid="1">`,
      `<body xmlns="${NS.httpbind}" rid="1"/><x/>`,
    ])
      expect(condition(source)).toBe("bad-request");
  });
  test("a guessed sid is item-not-found and disturbs nobody", () => {
    for (const sid of ["", "x", `${victim.sid}x`, victim.sid.slice(1)])
      expect(condition(`<body xmlns="${NS.httpbind}" rid="${victim.rid + 1}" sid="${sid}" type="terminate"/>`)).toBe(
        "item-not-found",
      );
    expect(victim.answer(victim.post(PING)).getChild("iq")).toBeDefined();
  });
  test("no domain, and one that is not ours", () => {
    expect(condition(`<body xmlns="${NS.httpbind}" rid="1"/>`)).toBe("improper-addressing");
    expect(condition(`<body xmlns="${NS.httpbind}" rid="1" to="elsewhere.test"/>`)).toBe("host-unknown");
  });
  test("a stream error ends with remote-stream-error and the error inside", () => {
    const poster = new BoshPoster(box);
    poster.login();
    const body = poster.answer(poster.post(`<foo xmlns="urn:foo"/>`));
    expect(attr(body, "condition")).toBe("remote-stream-error");
    expect(body.getChild("error")?.getChild("unsupported-stanza-type")).toBeDefined();
  });
  test("a prefix declared on the body does not tear what is forwarded", () => {
    const ana = box.guest();
    ana.send("<presence/>");
    ana.expect("presence");
    const poster = new BoshPoster(box);
    poster.login();
    poster.post(
      `<message xmlns="jabber:client" to="${ana.jid}" type="chat"><p:x/><body>x</body></message>`,
      `xmlns:p="urn:p"`,
    );
    expect(ana.expect("message").getChild("x")?.getNS()).toBe("urn:p");
  });
  test("more requests at once than agreed", () => {
    const poster = new BoshPoster(box);
    poster.login();
    for (const ahead of [2, 2, 2, 2]) poster.post("", "", poster.rid + ahead);
    expect(poster.box.core.sessionCount).toBeGreaterThan(0);
    const over = new BoshPoster(box);
    over.login();
    over.post("", "", over.rid + 2);
    expect(attr(over.answer(over.post("", "", over.rid + 3)), "condition")).toBe("item-not-found");
  });
});
