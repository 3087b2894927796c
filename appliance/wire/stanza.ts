/**
 * Stanzas: results, errors and their conditions, RFC 6120 §8.
 */
import { NS } from "./namespaces.ts";
import { type Attributes, attr, type Child, type Element, xml } from "./xml.ts";

export type ErrorType = "auth" | "cancel" | "continue" | "modify" | "wait";

/** The conditions of RFC 6120 §8.3.3 with the error type that goes with each by default. */
export const CONDITIONS = {
  "bad-request": "modify",
  conflict: "cancel",
  "feature-not-implemented": "cancel",
  forbidden: "auth",
  gone: "cancel",
  "internal-server-error": "cancel",
  "item-not-found": "cancel",
  "jid-malformed": "modify",
  "not-acceptable": "modify",
  "not-allowed": "cancel",
  "not-authorized": "auth",
  "policy-violation": "modify",
  "recipient-unavailable": "wait",
  redirect: "modify",
  "registration-required": "auth",
  "remote-server-not-found": "cancel",
  "remote-server-timeout": "wait",
  "resource-constraint": "wait",
  "service-unavailable": "cancel",
  "subscription-required": "auth",
  "undefined-condition": "cancel",
  "unexpected-request": "wait",
} as const satisfies Record<string, ErrorType>;
export type Condition = keyof typeof CONDITIONS;

export interface StanzaError {
  readonly condition: Condition;
  readonly type?: ErrorType;
  readonly text?: string;
  /** Application-specific children beside the condition. */
  readonly extra?: readonly Element[];
}

export const iq = (type: "get" | "set" | "result" | "error", attributes: Attributes, ...children: Child[]): Element =>
  xml("iq", { xmlns: NS.client, type, ...attributes }, ...children);

/** An empty or filled result for a request, addresses swapped. */
export const iqResult = (request: Element, ...children: Child[]): Element =>
  iq("result", { id: attr(request, "id"), from: attr(request, "to"), to: attr(request, "from") }, ...children);

export const errorElement = (error: StanzaError): Element =>
  xml(
    "error",
    { type: error.type ?? CONDITIONS[error.condition] },
    xml(error.condition, { xmlns: NS.stanzas }),
    error.text !== undefined && xml("text", { xmlns: NS.stanzas, "xml:lang": "en" }, error.text),
    error.extra,
  );

/** The error answer to any stanza, addresses swapped; `echo` children go in front of the error. */
export const errorReply = (stanza: Element, error: StanzaError, ...echo: Child[]): Element =>
  xml(
    stanza.getName(),
    {
      xmlns: NS.client,
      type: "error",
      id: attr(stanza, "id"),
      from: attr(stanza, "to"),
      to: attr(stanza, "from"),
    },
    ...echo,
    errorElement(error),
  );

/** What an error stanza says. */
export function readError(stanza: Element): StanzaError | undefined {
  const error = stanza.getChild("error");
  if (error === undefined) return undefined;
  let condition: Condition = "undefined-condition";
  let message: string | undefined;
  const extra: Element[] = [];
  for (const each of error.getChildElements()) {
    if (each.getNS() !== NS.stanzas) extra.push(each);
    else if (each.getName() === "text") message = each.getText();
    else if (each.getName() in CONDITIONS) condition = each.getName() as Condition;
  }
  const type = attr(error, "type");
  const types: readonly string[] = ["auth", "cancel", "continue", "modify", "wait"];
  return {
    condition,
    extra,
    ...(type !== undefined && types.includes(type) ? { type: type as ErrorType } : {}),
    ...(message !== undefined ? { text: message } : {}),
  };
}
