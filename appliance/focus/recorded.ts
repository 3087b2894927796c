/**
 * Tests only: recorded stanzas and ours in one form, so that they can be compared.
 */
import { decodeJsonSources } from "../wire/sources.ts";
import { children, type Element, text } from "../wire/xml.ts";

/** An element as a value without the order of attributes and children, and without what is not compared. */
export function canonical(element: Element, drop: (element: Element, attribute: string) => boolean): unknown {
  const attributes = Object.entries(element.attrs)
    .filter(([name]) => name !== "xmlns" && !drop(element, name))
    .map(([name, value]) => `${name}=${value}`)
    .sort();
  const content = text(element);
  const json = element.getName() === "json-message" && content !== "";
  return {
    name: `${element.getName()} ${element.getNS() ?? ""}`,
    attributes,
    ...(json ? { json: jsonValue(content) } : content.trim() !== "" ? { text: content } : {}),
    children: (drop === ignored && element.getName() === "transport" ? [] : children(element))
      .map((each) => canonical(each, drop))
      .sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)),
  };
}
const jsonValue = (content: string): unknown => {
  const decoded = decodeJsonSources(content);
  if ("reason" in decoded) return JSON.parse(content);
  // The bridge's own sources are that bridge's.
  return [...decoded]
    .filter(([owner]) => owner !== "jvb")
    .map(([owner, { sources, groups }]) => [
      owner,
      sources.map((each) => JSON.stringify(each)).sort(),
      groups.map((each) => JSON.stringify(each)).sort(),
    ])
    .sort();
};

/** Addresses, ids and what belongs to the bridge. */
export function ignored(element: Element, attribute: string): boolean {
  const name = element.getName();
  if (name === "iq") return attribute !== "type";
  if (attribute === "sid" || (name === "bridge-session" && attribute === "id")) return true;
  return ["transport", "candidate", "fingerprint", "web-socket"].includes(name);
}
