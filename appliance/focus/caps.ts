/**
 * Entity capabilities: ours (XEP-0115) and the features of clients, asked once per `ver`. signaling.md 3.4.
 */
import { createHash } from "node:crypto";
import type { Millis } from "../time.ts";
import { NS } from "../wire/namespaces.ts";
import { attr, child, children, type Element, xml } from "../wire/xml.ts";
import { DEFAULT_FEATURES } from "./codecs.ts";
import type { Member } from "./member.ts";
import type { Requests } from "./requests.ts";

const NODE = "http://jitsi.org/jicofo";
const IDENTITY = { category: "client", type: "pc", name: "Parley focus" };
/** What we answer to disco#info; the second is asked for by clients before they terminate with restart. */
const FEATURES = [
  NS.caps,
  NS.discoInfo,
  NS.muc,
  "https://jitsi.org/meet/jicofo/terminate-restart",
  NS.version,
  NS.ping,
].sort();

/** XEP-0115 §5.1. */
const VERIFICATION = createHash("sha1")
  .update(`${IDENTITY.category}/${IDENTITY.type}//${IDENTITY.name}<${FEATURES.join("<")}<`)
  .digest("base64");

export const capsElement = (): Element => xml("c", { xmlns: NS.caps, hash: "sha-1", node: NODE, ver: VERIFICATION });

export const ourDiscoInfo = (node: string | undefined): Element =>
  xml(
    "query",
    { xmlns: NS.discoInfo, node },
    xml("identity", IDENTITY),
    FEATURES.map((name) => xml("feature", { var: name })),
  );

const MAX_CACHED = 500;
const MAX_FEATURES = 200;

/** Features by caps hash. Only answers that hash to the announced `ver` are remembered, so that a client can lie about itself alone (XEP-0115 §5.4). */
export class CapsCache {
  readonly #requests: Requests;
  readonly #known = new Map<string, ReadonlySet<string>>();
  readonly #uses = new Map<string, number>();

  constructor(requests: Requests) {
    this.#requests = requests;
  }

  entries(): ReadonlyMap<string, ReadonlySet<string>> {
    return this.#known;
  }

  /** How many members had the features of that entry. */
  uses(key: string): number {
    return this.#uses.get(key) ?? 0;
  }

  /** Calls back at once when known, otherwise after asking the member. */
  features(now: Millis, member: Member, then: (now: Millis, features: ReadonlySet<string>) => void): void {
    const key = member.caps === undefined ? undefined : `${member.caps.node}#${member.caps.ver}`;
    const known = key === undefined ? undefined : this.#known.get(key);
    if (key !== undefined && known !== undefined) {
      this.#uses.set(key, this.uses(key) + 1);
      then(now, known);
      return;
    }
    // Not shared: a second member with the same hash is asked itself, so that a silent first one cannot hold it up.
    const query = xml("query", { xmlns: NS.discoInfo, node: key });
    this.#requests.request(now, member.occupantJid, "get", query, (at, answer) => {
      if (answer.kind !== "result") {
        then(at, DEFAULT_FEATURES);
        return;
      }
      const features = readFeatures(answer.stanza);
      if (key !== undefined && verification(answer.stanza) === member.caps?.ver) this.#remember(key, features);
      then(at, features.size > 0 ? features : DEFAULT_FEATURES);
    });
  }

  #forget(key: string): void {
    this.#known.delete(key);
    this.#uses.delete(key);
  }

  #remember(key: string, features: ReadonlySet<string>): void {
    if (this.#known.size >= MAX_CACHED) {
      const oldest = this.#known.keys().next();
      if (oldest.done !== true) this.#forget(oldest.value);
    }
    this.#known.set(key, features);
    this.#uses.set(key, this.uses(key) + 1);
  }
}

function readFeatures(result: Element): Set<string> {
  const query = child(result, "query", NS.discoInfo);
  return new Set(
    query === undefined
      ? []
      : children(query, "feature")
          .slice(0, MAX_FEATURES)
          .flatMap((each) => attr(each, "var") ?? []),
  );
}

/** The hash that the answer's content gives, XEP-0115 §5.1; forms are left out, as clients of this field have none. */
function verification(result: Element): string | undefined {
  const query = child(result, "query", NS.discoInfo);
  if (query === undefined) return undefined;
  const identities = children(query, "identity")
    .map((each) => ["category", "type", "xml:lang", "name"].map((name) => attr(each, name) ?? "").join("/"))
    .sort();
  const features = children(query, "feature")
    .flatMap((each) => attr(each, "var") ?? [])
    .sort();
  const text = [...identities, ...features].map((each) => `${each}<`).join("");
  return createHash("sha1").update(text).digest("base64");
}
