/**
 * Shell: asks the focus for the conference of a room, over XMPP or over HTTP, and remembers the session that it gives (signaling.md 2).
 */
import {
  type ConferenceAnswer,
  conferenceElement,
  conferenceJson,
  readConference,
  readConferenceJson,
  readRequestError,
  saysFull,
} from "./conference-request.ts";
import type { XmppConnection } from "./connection.ts";
import type { JoinFault } from "./session-events.ts";
import type { ClientSettings } from "./settings.ts";

/** `undefined`: not now, ask again; `full`: likewise, and the box says why; `stop`: asking again is in vain, the fault was told. */
export type FocusAnswer = ConferenceAnswer | undefined | "full" | "stop";

export interface FocusRequestLink {
  readonly settings: ClientSettings;
  readonly connection: Pick<XmppConnection, "request">;
  readonly fault: (fault: JoinFault) => void;
  /** The browser's, or a test's. */
  readonly fetch: (url: URL, init: RequestInit) => Promise<Response>;
  /** Address of the page, which `conferenceRequestUrl` may be relative to. */
  readonly page: () => string;
}

const TIMEOUT_MS = 15_000;

export class FocusRequest {
  readonly #link: FocusRequestLink;
  #sessionId: string | undefined;

  constructor(link: FocusRequestLink) {
    this.#link = link;
  }

  /** `machine`: lasting id of this browser. */
  async ask(room: string, machine: string): Promise<FocusAnswer> {
    const request = { room, machine, sessionId: this.#sessionId };
    const { conferenceRequestUrl } = this.#link.settings;
    const answer =
      conferenceRequestUrl === undefined
        ? await this.#byXmpp(request)
        : await this.#byHttp(conferenceRequestUrl, request);
    if (typeof answer === "object") this.#sessionId = answer.sessionId ?? this.#sessionId;
    return answer;
  }

  async #byHttp(address: string, request: Parameters<typeof conferenceJson>[0]): Promise<FocusAnswer> {
    const { settings } = this.#link;
    try {
      const url = new URL(address, this.#link.page());
      if (settings.room !== undefined) url.searchParams.set("room", settings.room);
      const response = await this.#link.fetch(url, {
        method: "POST",
        headers: {
          "Content-Type": "application/json",
          ...(settings.token === undefined ? {} : { Authorization: `Bearer ${settings.token}` }),
        },
        body: conferenceJson(request, settings),
      });
      if (response.status === 403) return this.#stop({ kind: "login-required" });
      const body = await response.text();
      if (response.ok) return readConferenceJson(body);
      if (body.includes("400 invalid-session")) this.#sessionId = undefined;
      return saysFull(body) ? "full" : undefined;
    } catch (error) {
      console.warn("conference request", error);
      return undefined;
    }
  }

  async #byXmpp(request: Parameters<typeof conferenceElement>[0]): Promise<FocusAnswer> {
    const { settings, connection } = this.#link;
    const answer = await connection.request("set", settings.focus, conferenceElement(request, settings), TIMEOUT_MS);
    if (answer.kind === "result") return readConference(answer.stanza);
    if (answer.kind === "timeout") return undefined;
    const refusal = readRequestError(answer.error);
    switch (refusal.kind) {
      case "session-invalid":
        this.#sessionId = undefined;
        return undefined;
      case "full":
        return "full";
      case "unavailable":
        // The focus may be starting: asked again; the page says what is waited for.
        console.warn("focus", refusal.text);
        return undefined;
      case "login-required":
        return this.#stop({ kind: "login-required" });
      default:
        return this.#stop({ kind: "reservation", text: refusal.text });
    }
  }

  #stop(fault: JoinFault): "stop" {
    this.#link.fault(fault);
    return "stop";
  }
}
