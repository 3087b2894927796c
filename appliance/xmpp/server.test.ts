import { describe, expect, test } from "bun:test";
import { conditionOf, DialogueServer } from "../../tests/xmpp-dialogue.ts";
import { attr } from "../wire/xml.ts";

describe("a guest over WebSocket", () => {
  test("logs in, binds, pings, resumes as the same user after a drop and gets what it missed", () => {
    const box = new DialogueServer();
    const ana = box.guest({ room: "standup" });
    expect(ana.jid).toMatch(/^[0-9a-f]{8}-[0-9a-f-]{27}@meet\.test\/[\w-]+$/);
    expect(attr(ana.ask("get", "meet.test", `<ping xmlns="urn:xmpp:ping"/>`), "type")).toBe("result");
    const ben = box.guest();
    ana.send("<presence/>");
    ana.expect("presence");
    ana.drop();
    ben.send(`<message to="${ana.jid}" type="chat"><body>while away</body></message>`);
    const again = box.websocket({ room: "standup", previd: ana.resumptionId });
    again.loginAnonymously();
    again.resume(ana);
    expect(again.expect("message").getChildText("body")).toBe("while away");
    expect(attr(again.ask("get", "meet.test", `<ping xmlns="urn:xmpp:ping"/>`), "to")).toBe(ana.jid);
  });

  test("a service reaches the focus through the client proxy and back", () => {
    const box = new DialogueServer();
    const focus = box.service("focus");
    const ana = box.guest();
    ana.send(
      `<iq type="set" id="c7" to="focus.meet.test"><conference xmlns="http://jitsi.org/protocol/focus" room="a@muc.meet.test"/></iq>`,
    );
    const request = focus.expect("iq");
    expect(attr(request, "from")).toBe(`focus.meet.test/${ana.jid}`);
    focus.send(`<iq type="result" id="c7" to="${attr(request, "from")}"/>`);
    expect(attr(ana.expect("iq"), "from")).toBe("focus.meet.test");
    expect(conditionOf(ana.ask("get", "nowhere.test", "<ping xmlns='urn:xmpp:ping'/>"))).toBe("not-allowed");
  });
});

test("the HTTP side says how many are logged in", () => {
  const box = new DialogueServer();
  box.guest();
  box.guest().drop();
  expect(box.core.httpGet(box.now, "/sessions", new Map())).toEqual({ status: 200, type: "text/plain", body: "2" });
});
