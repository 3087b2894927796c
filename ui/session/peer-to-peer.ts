/**
 * Peer-to-peer sessions, which stock clients begin when they see one other person (signaling.md 4.12): not offered by us and not taken (design.md 3). A core.
 * An IQ error is no refusal to lib-jitsi-meet: it goes on with a session that is pending, and what is added to it later, a screen, waits for ever. So an offer
 * is answered and ended with the reason that a stock client without peer-to-peer gives.
 */
import { type Jingle, jingleElement } from "../../appliance/wire/jingle.ts";
import { NS } from "../../appliance/wire/namespaces.ts";
import { errorReply, iqResult } from "../../appliance/wire/stanza.ts";
import { type Element, xml } from "../../appliance/wire/xml.ts";

export interface PeerAnswer {
  readonly reply: Element;
  /** Payload of an IQ to the same peer, to send after the reply. */
  readonly after?: Element;
}

/** What somebody who is not the focus asks of a session with us. */
export function declinePeer(request: Element, jingle: Jingle): PeerAnswer {
  switch (jingle.action) {
    case "session-initiate":
      return {
        reply: iqResult(request),
        after: jingleElement({
          action: "session-terminate",
          sid: jingle.sid,
          contents: [],
          sources: new Map(),
          reason: { condition: "decline", text: "P2P disabled" },
        }),
      };
    case "session-terminate":
      return { reply: iqResult(request) }; // both may end it at once
    default:
      return {
        reply: errorReply(request, {
          condition: "item-not-found",
          extra: [xml("unknown-session", { xmlns: NS.jingleErrors })],
        }),
      };
  }
}
