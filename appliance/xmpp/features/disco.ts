/**
 * XEP-0030 (2.5) for the domains and accounts, XEP-0115 (1.6) for the domains. The main domain shows the identities by which clients find the
 * components (signaling.md 1.9).
 */
import { createHash } from "node:crypto";
import { NS } from "../../wire/namespaces.ts";
import { errorReply, iqResult } from "../../wire/stanza.ts";
import { attr, type Element, is, xml } from "../../wire/xml.ts";
import type { AdvertisedIdentity } from "../host.ts";
import type { IqFeature } from "./iq-feature.ts";

export interface DiscoInfo {
  readonly identities: readonly AdvertisedIdentity[];
  readonly features: readonly string[];
}

export const CAPS_NODE = "https://parley.example/xmpp";

export const discoInfoQuery = (info: DiscoInfo, node?: string): Element =>
  xml(
    "query",
    { xmlns: NS.discoInfo, node },
    info.identities.map(({ category, type, name }) => xml("identity", { category, type, name })),
    info.features.map((each) => xml("feature", { var: each })),
  );

/** XEP-0115 §5.1 with SHA-1, without forms. */
export function capsVersion(info: DiscoInfo): string {
  const identities = info.identities.map(({ category, type, name }) => `${category}/${type}//${name}<`).sort();
  const features = [...info.features].sort().map((each) => `${each}<`);
  return createHash("sha1")
    .update([...identities, ...features].join(""))
    .digest("base64");
}

export interface DiscoContent {
  readonly info: (domain: string) => DiscoInfo;
  readonly items: (domain: string) => readonly string[];
}

export const disco = (content: DiscoContent): IqFeature => ({
  features: [NS.discoInfo, NS.discoItems],
  handle: (_now, iq, payload, sender, target) => {
    if (attr(iq, "type") !== "get") return undefined;
    const node = attr(payload, "node");
    if (is(payload, "query", NS.discoInfo)) {
      if (target.kind === "account") {
        const identities = [
          { category: "account", type: sender.kind === "guest" ? "anonymous" : "registered", name: "" },
        ];
        return iqResult(iq, discoInfoQuery({ identities, features: [NS.discoInfo, NS.discoItems, NS.ping] }, node));
      }
      const info = content.info(target.jid.domain);
      if (node !== undefined && node !== `${CAPS_NODE}#${capsVersion(info)}`)
        return errorReply(iq, { condition: "item-not-found" });
      return iqResult(iq, discoInfoQuery(info, node));
    }
    if (!is(payload, "query", NS.discoItems)) return undefined;
    if (node !== undefined) return errorReply(iq, { condition: "item-not-found" });
    const items = target.kind === "account" ? [] : content.items(target.jid.domain);
    return iqResult(
      iq,
      xml(
        "query",
        { xmlns: NS.discoItems },
        items.map((jid) => xml("item", { jid })),
      ),
    );
  },
});
