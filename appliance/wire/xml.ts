/**
 * XML in our words: ltx elements at the edge, built and read by the functions here (design.md 3).
 * Network text becomes an element only through `parse`, which never throws.
 *
 * Namespaces: write `xmlns` on every element that has one of its own (signaling.md 1.3), never prefixes.
 */
import { Element, clone as ltxClone, parse as ltxParse } from "ltx";

export { Element };

export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;
export type Child = Element | string | undefined | false | readonly (Element | string | undefined | false)[];

/** Builds an element; undefined attributes and children are left out. */
export function xml(name: string, attributes: Attributes = {}, ...children: readonly Child[]): Element {
  const attrs: Record<string, string> = {};
  for (const [key, value] of Object.entries(attributes)) if (value !== undefined) attrs[key] = String(value);
  const element = new Element(name, attrs);
  for (const child of children.flat()) if (child !== undefined && child !== false) element.cnode(child);
  return element;
}

/** Attribute by exact name. */
export const attr = (element: Element, name: string): string | undefined => element.attrs[name];

/** First child element of that local name and, if given, namespace. */
export function child(element: Element, name: string, ns?: string): Element | undefined {
  for (const each of element.children)
    if (typeof each !== "string" && each.getName() === name && (ns === undefined || each.getNS() === ns)) return each;
  return undefined;
}

/** All child elements of that local name (every name when undefined) and, if given, namespace. */
export function children(element: Element, name?: string, ns?: string): Element[] {
  const found: Element[] = [];
  for (const each of element.children)
    if (
      typeof each !== "string" &&
      (name === undefined || each.getName() === name) &&
      (ns === undefined || each.getNS() === ns)
    )
      found.push(each);
  return found;
}

/** Follows a path of local names. */
export function descend(element: Element, ...path: readonly string[]): Element | undefined {
  let at: Element | undefined = element;
  for (const name of path) at = at === undefined ? undefined : child(at, name);
  return at;
}

/** Text of the element itself (not of its children). */
export const text = (element: Element): string => element.getText();

/** Text of the first child of that name. */
export const childText = (element: Element, name: string, ns?: string): string | undefined => {
  const found = child(element, name, ns);
  return found === undefined ? undefined : found.getText();
};

export const is = (element: Element, name: string, ns?: string): boolean =>
  element.getName() === name && (ns === undefined || element.getNS() === ns);

/** A deep copy without a parent. */
export const clone = (element: Element): Element => ltxClone(element);

/** A whole document or stanza; undefined when it is not well-formed. Bounded by the caller (length) and here (depth 64). */
export function parse(source: string): Element | undefined {
  try {
    const element = ltxParse(source);
    return element instanceof Element && depth(element, 0) <= 64 ? element : undefined;
  } catch {
    return undefined; // not well-formed: the caller answers or drops, and counts
  }
}

function depth(element: Element, level: number): number {
  if (level > 64) return level;
  let deepest = level;
  for (const each of element.children)
    if (typeof each !== "string") deepest = Math.max(deepest, depth(each, level + 1));
  return deepest;
}
