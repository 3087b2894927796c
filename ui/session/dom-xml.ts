/**
 * Between the browser's DOM, in which strophe.js hands stanzas over, and the ltx elements of wire/.
 */
import { Element as XmlElement } from "../../appliance/wire/xml.ts";

/** A DOM element with everything below it; comments and processing instructions are left out. */
export function fromDom(element: Element): XmlElement {
  const attributes: Record<string, string> = {};
  for (const { name, value } of element.attributes) attributes[name] = value;
  const copy = new XmlElement(element.tagName, attributes);
  for (const node of element.childNodes) {
    if (node.nodeType === 1) copy.cnode(fromDom(node as Element));
    else if (node.nodeType === 3 || node.nodeType === 4) copy.cnode(node.nodeValue ?? "");
  }
  return copy;
}

/** A DOM element of its own document. Our own text, so it parses. */
export const toDom = (element: XmlElement): Element =>
  new DOMParser().parseFromString(element.toString(), "text/xml").documentElement;
