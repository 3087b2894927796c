/** The part of ltx 3 that this project uses; the package ships no types of its own. */
declare module "ltx" {
  export type Attributes = Record<string, string | undefined>;
  export type Node = Element | string;
  export class Element {
    constructor(name: string, attrs?: Attributes | string);
    name: string;
    parent: Element | null;
    children: Node[];
    attrs: Attributes;
    is(name: string, xmlns?: string): boolean;
    /** Local name without prefix. */
    getName(): string;
    /** Resolved namespace of this element. */
    getNS(): string | undefined;
    findNS(prefix?: string): string | undefined;
    getChild(name: string, xmlns?: string): Element | undefined;
    getChildren(name: string, xmlns?: string): Element[];
    getChildElements(): Element[];
    getChildText(name: string, xmlns?: string): string | null;
    getText(): string;
    text(value?: string): string;
    cnode<T extends Node>(child: T): T;
    append(...children: Node[]): void;
    remove(child: Node | string, xmlns?: string): this;
    toString(): string;
    root(): Element;
    up(): Element;
    c(name: string, attrs?: Attributes | string): Element;
    t(text: string): this;
  }
  export class Parser {
    on(event: "startElement" | "start" | "element" | "end" | "error", listener: (value: never) => void): this;
    write(data: string): void;
    end(data?: string): void;
  }
  export function parse(text: string): Element;
  export function escapeXML(text: string): string;
  export function escapeXMLText(text: string): string;
  export function clone(element: Element): Element;
  export function equal(a: Element, b: Element): boolean;
}
declare module "ltx/src/parsers/ltx.js" {
  export default class SaxLtx {
    on(event: "startElement", listener: (name: string, attributes: Record<string, string>) => void): this;
    on(event: "endElement", listener: (name: string, selfClosing: boolean) => void): this;
    on(event: "text", listener: (text: string) => void): this;
    on(event: "error", listener: (error: Error) => void): this;
    write(data: string): void;
    end(data?: string): void;
  }
}
