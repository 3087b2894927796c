import { expect, test } from "bun:test";
import { jingleElement } from "../../appliance/wire/jingle.ts";
import { attr, child, children } from "../../appliance/wire/xml.ts";
import { restartAnswerOf } from "./own-sources.ts";
import type { SdpMedia } from "./sdp.ts";

const SECTION = {
  kind: "audio",
  mid: "0",
  ufrag: "8gPo",
  pwd: "TD8hXwRwYtX1yOkaHrLqRZNf",
  setup: "active",
  fingerprint: { hash: "sha-256", value: "C6:EB" },
} as unknown as SdpMedia;

test("the answer to an ICE restart carries our transport for both kinds, under the bridge's generation", () => {
  const element = jingleElement(restartAnswerOf([SECTION], "405thhbq5j47b", "room@muc.meet.test/focus", 2));
  expect(attr(element, "action")).toBe("transport-info");
  expect(attr(element, "sid")).toBe("405thhbq5j47b");
  expect(attr(element, "initiator")).toBe("room@muc.meet.test/focus");
  const contents = children(element, "content");
  expect(contents.map((each) => [attr(each, "creator"), attr(each, "name")])).toEqual([
    ["responder", "audio"],
    ["responder", "video"],
  ]);
  for (const content of contents) {
    const transport = child(content, "transport", "urn:xmpp:jingle:transports:ice-udp:1");
    if (transport === undefined) throw new Error("no transport");
    expect(attr(transport, "ice-generation")).toBe("2");
    expect(attr(transport, "ufrag")).toBe("8gPo");
    expect(attr(transport, "pwd")).toBe("TD8hXwRwYtX1yOkaHrLqRZNf");
    const fingerprint = child(transport, "fingerprint");
    expect(fingerprint === undefined ? undefined : attr(fingerprint, "setup")).toBe("active");
    expect(children(transport, "candidate")).toEqual([]); // the bridge learns us by our checks
  }
});
