/**
 * Error answers as rooms give them: `by` names who refuses, further elements may follow the error (signaling.md 3.7, 6.3).
 */
import { NS } from "../../wire/namespaces.ts";
import { CONDITIONS, type StanzaError } from "../../wire/stanza.ts";
import { attr, type Element, xml } from "../../wire/xml.ts";
import type { Refusal } from "./feature.ts";

export const refuse = (error: StanzaError): { readonly type: "refuse"; readonly refusal: Refusal } => ({
  type: "refuse",
  refusal: { error },
});

/** The error stanza; `by` as an address. */
export function refusalStanza(stanza: Element, refusal: Refusal, by?: string): Element {
  const { error } = refusal;
  return xml(
    stanza.getName(),
    { xmlns: NS.client, type: "error", id: attr(stanza, "id"), from: attr(stanza, "to"), to: attr(stanza, "from") },
    xml(
      "error",
      { type: error.type ?? CONDITIONS[error.condition], code: refusal.code, by },
      xml(error.condition, { xmlns: NS.stanzas }),
      error.text !== undefined && xml("text", { xmlns: NS.stanzas }, error.text),
      error.extra,
    ),
    refusal.after,
  );
}
