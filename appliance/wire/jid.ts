/**
 * XMPP addresses, RFC 7622. `parseJid` enforces the structure and the length limits (1023 bytes a part); the local part and the domain
 * are lower-cased, forbidden characters of the local part refused (RFC 7622 §3.3.1). Full PRECIS tables are not applied: beyond case
 * folding and NFC normalisation two look-alike strings stay two addresses.
 */
export interface Jid {
  readonly local: string | undefined;
  readonly domain: string;
  readonly resource: string | undefined;
}

const PART_LIMIT_BYTES = 1023;
// RFC 7622 §3.3.1: " & ' / : < > @ are not allowed in a localpart; nor are spaces and controls (RFC 8265 §3.3).
const FORBIDDEN_LOCAL = /["&'/:<>@\s\p{Cc}]/u;
const FORBIDDEN_DOMAIN = /[\s\p{Cc}"&'<>@/]/u;
const FORBIDDEN_RESOURCE = /\p{Cc}/u;

const withinLimit = (part: string): boolean =>
  part.length <= PART_LIMIT_BYTES && (part.length * 3 <= PART_LIMIT_BYTES || byteLength(part) <= PART_LIMIT_BYTES);
const byteLength = (value: string): number => new TextEncoder().encode(value).length;

/** Undefined when the text is no address. */
export function parseJid(source: string | undefined): Jid | undefined {
  if (source === undefined || source.length === 0 || source.length > 3 * PART_LIMIT_BYTES + 2) return undefined;
  const slash = source.indexOf("/");
  const bare = slash === -1 ? source : source.slice(0, slash);
  const resource = slash === -1 ? undefined : source.slice(slash + 1).normalize("NFC");
  const at = bare.indexOf("@");
  const local = at === -1 ? undefined : bare.slice(0, at).normalize("NFC").toLowerCase();
  const domain = bare
    .slice(at + 1)
    .normalize("NFC")
    .toLowerCase()
    .replace(/\.$/, "");
  if (domain === "" || FORBIDDEN_DOMAIN.test(domain) || !withinLimit(domain)) return undefined;
  if (local !== undefined && (local === "" || FORBIDDEN_LOCAL.test(local) || !withinLimit(local))) return undefined;
  if (resource !== undefined && (resource === "" || FORBIDDEN_RESOURCE.test(resource) || !withinLimit(resource)))
    return undefined;
  return { local, domain, resource };
}

export const jid = (local: string | undefined, domain: string, resource?: string): Jid => ({ local, domain, resource });

export const bareText = (address: Jid): string =>
  address.local === undefined ? address.domain : `${address.local}@${address.domain}`;

export const jidText = (address: Jid): string =>
  address.resource === undefined ? bareText(address) : `${bareText(address)}/${address.resource}`;

export const bare = (address: Jid): Jid => ({ local: address.local, domain: address.domain, resource: undefined });

export const withResource = (address: Jid, resource: string): Jid => ({ ...bare(address), resource });

export const sameJid = (a: Jid, b: Jid): boolean =>
  a.local === b.local && a.domain === b.domain && a.resource === b.resource;

export const sameBare = (a: Jid, b: Jid): boolean => a.local === b.local && a.domain === b.domain;
