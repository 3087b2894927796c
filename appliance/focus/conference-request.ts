/**
 * The conference request in both dresses, XMPP and HTTP: reading it, answering it. Pure. signaling.md 2.
 */
import { bareText, parseJid } from "../wire/jid.ts";
import { NS } from "../wire/namespaces.ts";
import { errorReply, iqResult, type StanzaError } from "../wire/stanza.ts";
import { attr, children, type Element, xml } from "../wire/xml.ts";

export interface ConferenceRequest {
  /** Bare, lower case. Undefined: none, or no room address. */
  readonly room: string | undefined;
  readonly machineUid: string | undefined;
  readonly sessionId: string | undefined;
  readonly properties: ReadonlyMap<string, string>;
}

/** What the client is told. */
export type ConferenceAnswer =
  | {
      readonly kind: "ready";
      readonly room: string;
      readonly ready: boolean;
      readonly focusJid: string;
      readonly sessionId: string | undefined;
      readonly identity: string | undefined;
      readonly properties: readonly (readonly [string, string])[];
    }
  /** Log in first. */
  | { readonly kind: "not-authorized" }
  | { readonly kind: "invalid-session" }
  | { readonly kind: "not-acceptable" }
  | { readonly kind: "bad-request"; readonly text: string }
  /** Not now: later perhaps. */
  | { readonly kind: "busy"; readonly text: string }
  | { readonly kind: "failed"; readonly text: string };

export interface HttpAnswer {
  readonly status: number;
  /** JSON text, or plain text for errors. */
  readonly body: string;
  readonly json: boolean;
}

const MAX_PROPERTIES = 50;

/** The room's bare address in canonical form; undefined: no address of a room. */
export function roomAddress(source: string | undefined): string | undefined {
  const parsed = parseJid(source);
  return parsed?.local === undefined ? undefined : bareText(parsed);
}

export function readConferenceIq(conference: Element): ConferenceRequest {
  const properties = new Map<string, string>();
  for (const each of children(conference, "property").slice(0, MAX_PROPERTIES)) {
    const name = attr(each, "name");
    const value = attr(each, "value");
    if (name !== undefined && value !== undefined) properties.set(name, value);
  }
  return {
    room: roomAddress(attr(conference, "room")),
    machineUid: attr(conference, "machine-uid"),
    sessionId: attr(conference, "session-id"),
    properties,
  };
}

/** Reads the JSON body; undefined when it is none. */
export function readConferenceJson(body: unknown): ConferenceRequest | undefined {
  if (typeof body !== "object" || body === null) return undefined;
  const source = body as Record<string, unknown>;
  const string = (name: string): string | undefined => {
    const value = source[name];
    return typeof value === "string" ? value : undefined;
  };
  const properties = new Map<string, string>();
  const given = source["properties"];
  if (typeof given === "object" && given !== null)
    for (const [name, value] of Object.entries(given).slice(0, MAX_PROPERTIES))
      if (typeof value === "string" || typeof value === "number" || typeof value === "boolean")
        properties.set(name, String(value));
  return {
    room: roomAddress(string("room")),
    machineUid: string("machineUid"),
    sessionId: string("sessionId"),
    properties,
  };
}

/** A participant count from which newcomers start muted. */
export function countProperty(request: ConferenceRequest, name: string): number | undefined {
  const value = Number(request.properties.get(name) ?? Number.NaN);
  return Number.isInteger(value) && value >= 0 ? value : undefined;
}

export function conferenceIqAnswer(iq: Element, answer: ConferenceAnswer): Element {
  if (answer.kind === "ready")
    return iqResult(
      iq,
      xml(
        "conference",
        {
          xmlns: NS.focus,
          room: answer.room,
          focusjid: answer.focusJid,
          ready: answer.ready,
          "session-id": answer.sessionId,
          identity: answer.identity,
        },
        answer.properties.map(([name, value]) => xml("property", { name, value })),
      ),
    );
  return errorReply(iq, stanzaError(answer));
}

function stanzaError(answer: Exclude<ConferenceAnswer, { kind: "ready" }>): StanzaError {
  switch (answer.kind) {
    case "not-authorized":
      return { condition: "not-authorized", text: "not authorized user domain" };
    case "invalid-session":
      return {
        condition: "not-acceptable",
        text: "invalid session",
        extra: [xml("session-invalid", { xmlns: NS.focus })],
      };
    case "not-acceptable":
      return { condition: "not-acceptable" };
    case "bad-request":
      return { condition: "bad-request", text: answer.text };
    case "busy":
      return { condition: "resource-constraint", text: answer.text };
    case "failed":
      return { condition: "internal-server-error", text: answer.text };
  }
}

export function conferenceHttpAnswer(answer: ConferenceAnswer): HttpAnswer {
  switch (answer.kind) {
    case "ready": {
      const body = {
        ready: answer.ready,
        focusJid: answer.focusJid,
        room: answer.room,
        ...(answer.sessionId !== undefined ? { sessionId: answer.sessionId } : {}),
        ...(answer.identity !== undefined ? { identity: answer.identity } : {}),
        properties: Object.fromEntries(answer.properties),
      };
      return { status: 200, body: JSON.stringify(body), json: true };
    }
    case "not-authorized":
      return { status: 403, body: "Error: 403 not-authorized", json: false };
    case "invalid-session":
      // The client looks for exactly this text, not at the beginning (signaling.md 2.2).
      return { status: 400, body: "Error: 400 invalid-session", json: false };
    case "not-acceptable":
      return { status: 406, body: "Error: 406 not-acceptable", json: false };
    case "bad-request":
      return { status: 400, body: `Error: 400 bad-request: ${answer.text}`, json: false };
    case "busy":
      return { status: 503, body: `Error: 503 ${answer.text}`, json: false };
    case "failed":
      return { status: 500, body: `Error: 500 ${answer.text}`, json: false };
  }
}
