/**
 * RFC 6121 §2, as far as service accounts need it: the list is given, nobody can change it. It is empty except for the focus account, whose
 * contact is the address that clients ask for it (signaling.md 7.1).
 */
import { bareText } from "../../wire/jid.ts";
import { NS } from "../../wire/namespaces.ts";
import { errorReply, iqResult } from "../../wire/stanza.ts";
import { attr, is, xml } from "../../wire/xml.ts";
import type { IqFeature } from "./iq-feature.ts";

/** `contacts`: bare JID of an account → addresses that see its presence. */
export const roster = (contacts: ReadonlyMap<string, readonly string[]>): IqFeature => ({
  features: [],
  handle: (_now, iq, payload, _sender, target) => {
    if (target.kind !== "account" || !is(payload, "query", NS.roster)) return undefined;
    if (attr(iq, "type") === "set") return errorReply(iq, { condition: "not-allowed" });
    const items = (contacts.get(bareText(target.jid)) ?? []).map((jid) =>
      xml("item", { jid, subscription: "from", ask: "subscribe" }),
    );
    return iqResult(iq, xml("query", { xmlns: NS.roster, ver: "1" }, items));
  },
});
