import { expect, test } from "bun:test";
import { attr, child, type Element, parse } from "../../appliance/wire/xml.ts";
import { IncomingRequests } from "./incoming-requests.ts";
import type { SessionEvent } from "./session-events.ts";

const FOCUS = "standup@muc.meet.test/focus";
const iq = (payload: string, from = FOCUS, type = "set"): Element => {
  const stanza = parse(
    `<iq xmlns='jabber:client' type='${type}' id='1' from='${from}' to='u@meet.test/r'>${payload}</iq>`,
  );
  if (stanza === undefined) throw new Error(payload);
  return stanza;
};
const jingle = (action: string, sid: string): string =>
  `<jingle xmlns='urn:xmpp:jingle:1' action='${action}' sid='${sid}' initiator='${FOCUS}'><startmuted xmlns='http://jitsi.org/jitmeet/start-muted' audio='true'/></jingle>`;

function bed(focus: string | null = FOCUS) {
  const events: SessionEvent[] = [];
  const accepted: string[] = [];
  const handled: string[] = [];
  const sent: string[] = [];
  const requests = new IncomingRequests({
    media: {
      session: undefined,
      accept: (offer) => accepted.push(offer.sid),
      handle: (each) => handled.push(each.sid) > 0 && each.sid === "known",
    },
    emit: (event) => events.push(event),
    afterReply: (work) => queueMicrotask(work),
    request: (to, payload) => sent.push(`${attr(payload, "action")} ${attr(payload, "sid")} ${to}`),
    transport: () => "websocket",
    capsVer: () => "ver",
    focusAddress: () => focus ?? undefined,
    endpoint: () => "abcdabcd",
    ownAddress: () => "u@meet.test/r",
  });
  return { requests, events, accepted, handled, sent };
}
const conditionOf = (answer: Element | undefined): string | undefined =>
  answer === undefined ? undefined : child(answer, "error")?.getChildElements()[0]?.getName();

test("features are told under no node and under ours, a ping is answered, what is unknown is not", () => {
  const { requests } = bed();
  const disco = (node: string) => iq(`<query xmlns='http://jabber.org/protocol/disco#info'${node}/>`, "x@y/z", "get");
  expect(attr(requests.answer(disco("")) as Element, "type")).toBe("result");
  expect(conditionOf(requests.answer(disco(" node='other#ver'")))).toBe("item-not-found");
  expect(attr(requests.answer(iq("<ping xmlns='urn:xmpp:ping'/>", "x@y/z", "get")) as Element, "type")).toBe("result");
  expect(requests.answer(iq("<unknown xmlns='urn:none'/>"))).toBeUndefined();
});

test("an offer of the focus is taken, after its answer; nobody else's is", async () => {
  const { requests, accepted, events, sent } = bed();
  expect(attr(requests.answer(iq(jingle("session-initiate", "one"))) as Element, "type")).toBe("result");
  expect(accepted).toEqual([]);
  await Promise.resolve();
  expect(accepted).toEqual(["one"]);
  expect(events).toEqual([{ kind: "start-muted", audio: true, video: false }]);
  // A peer's is declined; in no room there is nobody to take one from.
  const peer = "standup@muc.meet.test/peer";
  expect(attr(requests.answer(iq(jingle("session-initiate", "two"), peer)) as Element, "type")).toBe("result");
  const outside = bed(null);
  expect(conditionOf(outside.requests.answer(iq(jingle("session-initiate", "two"))))).toBe("service-unavailable");
  await Promise.resolve();
  expect(accepted).toEqual(["one"]);
  expect(sent).toEqual([`session-terminate two ${peer}`]);
});

test("news of a session go to it; of an unknown one they are refused", () => {
  const { requests, handled } = bed();
  expect(attr(requests.answer(iq(jingle("source-add", "known"))) as Element, "type")).toBe("result");
  expect(conditionOf(requests.answer(iq(jingle("source-add", "other"))))).toBe("item-not-found");
  expect(handled).toEqual(["known", "other"]);
});

test("the focus mutes us on behalf of somebody; others cannot", () => {
  const { requests, events } = bed();
  const mute = "<mute xmlns='http://jitsi.org/jitmeet/audio' actor='standup@muc.meet.test/mod'>true</mute>";
  expect(requests.answer(iq(mute, "standup@muc.meet.test/peer"))).toBeUndefined();
  expect(events).toEqual([]);
  expect(attr(requests.answer(iq(mute)) as Element, "type")).toBe("result");
  expect(events).toEqual([{ kind: "muted-by", media: "audio", actor: "mod" }]);
});
