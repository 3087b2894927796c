/** What a fault of joining says to a person. */
import type { JoinFault } from "../session/session-events.ts";
import { type Text, text } from "./state.ts";

export function faultText(fault: JoinFault): Text {
  switch (fault.kind) {
    case "refused":
      return text(`fault.join.${fault.refusal.kind}`);
    case "token":
      // The server's words are protocol, and English: those that people can do something about have a text of ours.
      if (/expired/i.test(fault.text)) return text("fault.token-expired");
      return text(/not valid yet|nbf/i.test(fault.text) ? "fault.token-early" : "fault.token");
    case "reservation":
      return text(`fault.${fault.kind}`, fault.text);
    default:
      return text(`fault.${fault.kind}`);
  }
}
