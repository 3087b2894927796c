/**
 * Data forms, XEP-0004: fields as plain values, to elements and back. Used by room configuration, room information and voice requests.
 */
import { NS } from "../../wire/namespaces.ts";
import { attr, child, children, type Element, text, xml } from "../../wire/xml.ts";
import { MUC_NS } from "./namespaces.ts";

export type FieldType =
  | "boolean"
  | "fixed"
  | "hidden"
  | "jid-multi"
  | "list-multi"
  | "list-single"
  | "text-multi"
  | "text-private"
  | "text-single";

export interface FormField {
  readonly type: FieldType;
  /** Absent on fixed fields only. */
  readonly name?: string;
  readonly label?: string;
  readonly description?: string;
  readonly values?: readonly string[];
  readonly options?: readonly { readonly label: string; readonly value: string }[];
  /** XEP-0122 data type, e.g. `xs:integer`. */
  readonly datatype?: string;
}

/** Submitted values by field name; a field without values maps to an empty list. */
export type FormValues = ReadonlyMap<string, readonly string[]>;

const MAX_FIELDS = 100;
const MAX_VALUES = 1_000;

export const fieldElement = (field: FormField): Element =>
  xml(
    "field",
    { type: field.type, var: field.name, label: field.label },
    field.description !== undefined && xml("desc", {}, field.description),
    field.datatype !== undefined && xml("validate", { xmlns: MUC_NS.validate, datatype: field.datatype }),
    (field.options ?? []).map((option) => xml("option", { label: option.label }, xml("value", {}, option.value))),
    (field.values ?? []).map((value) => xml("value", {}, value)),
  );

export interface FormHead {
  readonly type: "form" | "result" | "submit";
  readonly formType: string;
  readonly title?: string;
  readonly instructions?: string;
}

export const formElement = (head: FormHead, fields: readonly FormField[]): Element =>
  xml(
    "x",
    { xmlns: NS.dataForms, type: head.type },
    head.title !== undefined && xml("title", {}, head.title),
    head.instructions !== undefined && xml("instructions", {}, head.instructions),
    fieldElement({ type: "hidden", name: "FORM_TYPE", values: [head.formType] }),
    fields.map(fieldElement),
  );

/** The values of a submitted form; undefined when it has more fields or values than anybody needs. */
export function readForm(form: Element): FormValues | undefined {
  const values = new Map<string, readonly string[]>();
  let count = 0;
  for (const field of children(form, "field")) {
    const name = attr(field, "var");
    if (name === undefined) continue;
    const found = children(field, "value").map(text);
    count += found.length;
    if (values.size >= MAX_FIELDS || count > MAX_VALUES) return undefined;
    values.set(name, found);
  }
  return values;
}

/** The first value of a field; undefined when the field is absent, empty text when it has no value. */
export const formText = (values: FormValues, name: string): string | undefined => {
  const found = values.get(name);
  return found === undefined ? undefined : (found[0] ?? "");
};

/** A boolean as the wire has it (`1`, `0`, `true`, `false`); "bad" for anything else; undefined when absent. */
export function formBoolean(values: FormValues, name: string): boolean | "bad" | undefined {
  const found = formText(values, name);
  if (found === undefined) return undefined;
  if (found === "1" || found === "true") return true;
  if (found === "0" || found === "false" || found === "") return false;
  return "bad";
}

/** The form of that kind inside a query, whatever its FORM_TYPE. */
export const formIn = (query: Element): Element | undefined => child(query, "x", NS.dataForms);
