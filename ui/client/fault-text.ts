/** What a fault of joining says to a person. */
import type { JoinFault } from "../session/session-events.ts";
import { type Text, text } from "./state.ts";

export function faultText(fault: JoinFault): Text {
  switch (fault.kind) {
    case "refused":
      return text(`fault.join.${fault.refusal.kind}`);
    case "token":
    case "reservation":
      return text(`fault.${fault.kind}`, fault.text);
    default:
      return text(`fault.${fault.kind}`);
  }
}
