import { expect, test } from "bun:test";
import { isJingleFault, jingleChild, readJingle } from "../../appliance/wire/jingle.ts";
import { attr, child, children, parse, text } from "../../appliance/wire/xml.ts";
import { declinePeer, type PeerAnswer } from "./peer-to-peer.ts";

function ask(jingle: string): PeerAnswer {
  const request = parse(
    `<iq xmlns="jabber:client" type="set" id="p1" from="r@muc.meet.test/1d3c36d7" to="me@meet.test/x">${jingle}</iq>`,
  );
  const element = request === undefined ? undefined : jingleChild(request);
  const read = element === undefined ? undefined : readJingle(element);
  if (request === undefined || read === undefined || isJingleFault(read)) throw new Error("does not parse");
  return declinePeer(request, read);
}

const offer = (action: string, contents = "") =>
  `<jingle xmlns="urn:xmpp:jingle:1" action="${action}" initiator="r@muc.meet.test/1d3c36d7" sid="130220306d04">${contents}</jingle>`;

test("an offer of a peer is answered and declined: the peer's library ends its session and adds to it no more", () => {
  const { reply, after } = ask(
    offer("session-initiate", `<content creator="initiator" name="0" senders="both"/><content name="1"/>`),
  );
  expect([attr(reply, "type"), attr(reply, "id"), attr(reply, "to")]).toEqual([
    "result",
    "p1",
    "r@muc.meet.test/1d3c36d7",
  ]);
  if (after === undefined) throw new Error("nothing follows");
  expect([attr(after, "action"), attr(after, "sid")]).toEqual(["session-terminate", "130220306d04"]);
  const reason = child(after, "reason");
  expect(reason === undefined ? [] : children(reason).map((each) => [each.getName(), text(each)])).toEqual([
    ["decline", ""],
    ["text", "P2P disabled"],
  ]);
});

test("candidates for a session that was declined: there is none; its end by the peer is taken", () => {
  const late = ask(offer("transport-info", `<content name="0"/>`));
  const error = child(late.reply, "error");
  expect(error === undefined ? [] : children(error).map((each) => each.getName())).toContain("unknown-session");
  expect(late.after).toBeUndefined();
  const end = ask(offer("session-terminate"));
  expect([attr(end.reply, "type"), end.after]).toEqual(["result", undefined]);
});
