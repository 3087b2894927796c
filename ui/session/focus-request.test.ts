import { expect, test } from "bun:test";
import { readError } from "../../appliance/wire/stanza.ts";
import { attr, type Element, parse } from "../../appliance/wire/xml.ts";
import type { IqAnswer } from "./connection.ts";
import { FocusRequest } from "./focus-request.ts";
import type { JoinFault } from "./session-events.ts";
import { readSettings } from "./settings.ts";

const ROOM = "standup@muc.meet.test";
const element = (text: string): Element => {
  const parsed = parse(text);
  if (parsed === undefined) throw new Error(text);
  return parsed;
};
const READY = "<conference xmlns='http://jitsi.org/protocol/focus' ready='true' focusjid='focus@auth.meet.test'";
const result = (attributes = ""): IqAnswer => ({
  kind: "result",
  stanza: element(`<iq xmlns='jabber:client' type='result'>${READY} ${attributes}/></iq>`),
});

/** A focus that answers as it is told, over one way or the other. */
class Bed {
  readonly faults: JoinFault[] = [];
  readonly asked: Element[] = [];
  readonly posted: { readonly url: string; readonly init: RequestInit }[] = [];
  readonly request: FocusRequest;
  answers: IqAnswer[] = [];
  response = new Response("{}");

  constructor(config: Record<string, unknown> = {}, search = "") {
    const settings = readSettings(config, { protocol: "https:", host: "h", pathname: "/standup", search, hash: "" });
    this.request = new FocusRequest({
      settings,
      connection: {
        request: (_type, _to, payload) => {
          this.asked.push(payload);
          return Promise.resolve(this.answers.shift() ?? { kind: "timeout" });
        },
      },
      fault: (fault) => this.faults.push(fault),
      fetch: (url, init) => {
        this.posted.push({ url: url.href, init });
        return Promise.resolve(this.response);
      },
      page: () => "https://h/standup",
    });
  }
  ask() {
    return this.request.ask(ROOM, "0123");
  }
}

test("over XMPP: the answer, and its session in the next request until the focus knows it no longer", async () => {
  const bed = new Bed();
  const invalid = `<error xmlns='jabber:client' type='cancel'><not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><session-invalid xmlns='http://jitsi.org/protocol/focus'/></error>`;
  const stanza = element(`<iq xmlns='jabber:client' type='error'>${invalid}</iq>`);
  const error = readError(stanza);
  if (error === undefined) throw new Error("no error");
  bed.answers = [result("session-id='s1'"), { kind: "error", error }, result()];
  expect(await bed.ask()).toMatchObject({ ready: true, focusUser: "focus@auth.meet.test", sessionId: "s1" });
  expect(await bed.ask()).toBeUndefined();
  expect(await bed.ask()).toMatchObject({ ready: true });
  expect(bed.asked.map((each) => attr(each, "session-id"))).toEqual([undefined, "s1", undefined]);
  expect(bed.asked.map((each) => attr(each, "room"))).toEqual([ROOM, ROOM, ROOM]);
  expect(bed.faults).toEqual([]);
});

test("over XMPP: no answer is asked again, a refusal for good stops", async () => {
  const bed = new Bed();
  expect(await bed.ask()).toBeUndefined();
  const stanza = element(
    "<iq xmlns='jabber:client' type='error'><error type='auth'><not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>",
  );
  const error = readError(stanza);
  if (error === undefined) throw new Error("no error");
  bed.answers = [{ kind: "error", error }];
  expect(await bed.ask()).toBe("stop");
  expect(bed.faults).toEqual([{ kind: "login-required" }]);
});

test("over HTTP: relative to the page, with the room, and with the link's token", async () => {
  const bed = new Bed({ conferenceRequestUrl: "/conference-request/v1" }, "?jwt=t.o.k");
  bed.response = Response.json({ ready: true, focusJid: "focus@auth.meet.test", room: ROOM });
  expect(await bed.ask()).toMatchObject({ ready: true, focusUser: "focus@auth.meet.test" });
  const [{ url, init } = { url: "", init: {} }] = bed.posted;
  expect(url).toBe("https://h/conference-request/v1?room=standup");
  expect(new Headers(init.headers).get("authorization")).toBe("Bearer t.o.k");
  expect(JSON.parse(String(init.body))).toMatchObject({ room: ROOM, machineUid: "0123" });
  const without = new Bed({ conferenceRequestUrl: "/conference-request/v1" });
  await without.ask();
  expect(new Headers(without.posted[0]?.init.headers).has("authorization")).toBe(false);
});

test("over HTTP: log in first, not now, full, an old session", async () => {
  const bed = new Bed({ conferenceRequestUrl: "/conference-request/v1" });
  bed.response = new Response("", { status: 403 });
  expect(await bed.ask()).toBe("stop");
  expect(bed.faults).toEqual([{ kind: "login-required" }]);
  bed.response = new Response("Error: 503 all bridges are full", { status: 503 });
  expect(await bed.ask()).toBe("full");
  bed.response = new Response("bad gateway", { status: 502 });
  expect(await bed.ask()).toBeUndefined();
  bed.response = Response.json({ ready: true, sessionId: "s1" });
  await bed.ask();
  bed.response = new Response("Error: 400 invalid-session", { status: 400 });
  expect(await bed.ask()).toBeUndefined();
  bed.response = Response.json({ ready: true });
  await bed.ask();
  const sessions = bed.posted.slice(-2).map(({ init }) => JSON.parse(String(init.body)).sessionId);
  expect(sessions).toEqual(["s1", undefined]);
});
