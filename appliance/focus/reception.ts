/**
 * Where conference requests arrive, by XMPP and by HTTP: who may have which conference, who waits for one, who is logged in. signaling.md 2.
 */
import type { EpochMillis, Millis } from "../time.ts";
import { NS } from "../wire/namespaces.ts";
import { errorReply, iqResult } from "../wire/stanza.ts";
import { attr, type Element, xml } from "../wire/xml.ts";
import { type Authentication, Authenticator } from "./authentication.ts";
import { Bearer, type BearerToken } from "./bearer.ts";
import type { Conference } from "./conference.ts";
import { type ConferenceAnswer, type ConferenceRequest, countProperty } from "./conference-request.ts";
import type { FocusContext } from "./context.ts";

/** What the reception needs of the focus. */
export interface ReceptionHost {
  /** Why no new conference can begin; undefined: it can. */
  closed(): string | undefined;
  /** All bridges are loaded. */
  full(now: Millis): boolean;
  connected(): boolean;
  isBreakout(domain: string): boolean;
  conference(room: string): Conference | undefined;
  conferences(): Iterable<Conference>;
  create(now: Millis, room: string, options: Conference["options"]): Conference;
}

export type Answerer = (answer: ConferenceAnswer) => void;
/** A room that is being made, and who waits: told whether it is ready, and if not, why. */
type Waiting = (failure: string | undefined) => void;

/** Our page knows it by this text; other clients show it, or ask again. */
const FULL = "all bridges are full";
const BY_TOKEN: Authentication = { kind: "authenticated", sessionId: undefined, identity: undefined };
const MAX_WAITERS = 1_000;
const MAX_EMPTY_PER_REQUESTER = 20;
/** Over HTTP the requester is not known. */
const MAX_EMPTY_OVER_HTTP = 500;

export class Reception {
  readonly #context: FocusContext;
  readonly #host: ReceptionHost;
  readonly #authenticator: Authenticator | undefined;
  readonly #bearer: Bearer | undefined;
  readonly #waiting = new Map<string, Waiting[]>();

  constructor(context: FocusContext, host: ReceptionHost) {
    this.#context = context;
    this.#host = host;
    const { authentication } = context.settings;
    this.#authenticator = authentication === undefined ? undefined : new Authenticator(authentication, context.random);
    const { domain } = context.settings.domains;
    this.#bearer =
      authentication?.tokens === undefined
        ? undefined
        : new Bearer(authentication.tokens, domain, (url) => context.outbox.fetchKey(url));
  }

  /** `requester`: the JID that the server vouches for; undefined over HTTP, where `bearer` may speak for the request. */
  request(
    now: Millis,
    request: ConferenceRequest,
    requester: string | undefined,
    answer: Answerer,
    bearer?: BearerToken,
  ): void {
    this.#context.stats.conferenceRequests++;
    const { room } = request;
    if (room === undefined) {
      answer({ kind: "bad-request", text: "no room" });
      return;
    }
    const domain = room.slice(room.indexOf("@") + 1);
    const breakout = this.#host.isBreakout(domain);
    if (domain !== this.#context.settings.domains.muc && !breakout) {
      answer({ kind: "bad-request", text: "not a room of this server" });
      return;
    }
    // Who is in the main room may go to its breakout rooms.
    if (breakout) this.#admit(now, request, room, requester, undefined, answer);
    else if (bearer === undefined || this.#bearer === undefined)
      this.#admit(now, request, room, requester, this.#authenticate(now, request, requester), answer);
    else
      this.#bearer.decide(now, bearer, room, (at, opens) => {
        const authentication = opens ? BY_TOKEN : this.#authenticate(at, request, requester);
        this.#admit(at, request, room, requester, authentication, answer);
      });
  }

  #admit(
    now: Millis,
    request: ConferenceRequest,
    room: string,
    requester: string | undefined,
    authentication: Authentication | undefined,
    answer: Answerer,
  ): void {
    const existing = this.#host.conference(room);
    const refusal =
      this.#refusal(now, authentication, existing !== undefined) ?? (existing ? undefined : this.#greedy(requester));
    if (refusal !== undefined) {
      answer(refusal);
      return;
    }
    const conference =
      existing ??
      this.#host.create(now, room, {
        startAudioMuted: countProperty(request, "startAudioMuted"),
        startVideoMuted: countProperty(request, "startVideoMuted"),
        rtcstats: request.properties.get("rtcstatsEnabled") !== "false",
      });
    if (existing === undefined) conference.requester = requester?.split("/")[0] ?? "";
    const authenticated = authentication?.kind === "authenticated" ? authentication : undefined;
    if (authenticated !== undefined && requester !== undefined) conference.authenticated(now, requester);
    const reply = (ready: boolean): void =>
      answer({
        kind: "ready",
        room,
        ready,
        focusJid: this.#context.settings.focusJid,
        sessionId: authenticated?.sessionId,
        identity: authenticated?.identity,
        properties: this.#properties(),
      });
    if (conference.room.ready) {
      conference.requested(now);
      reply(true);
      return;
    }
    const waiting = this.#waiting.get(room) ?? [];
    if (waiting.length >= MAX_WAITERS) {
      reply(false); // the client asks again after a second
      return;
    }
    waiting.push((failure) => (failure === undefined ? reply(true) : answer({ kind: "failed", text: failure })));
    this.#waiting.set(room, waiting);
  }

  /** The key of tokens at that URL; undefined: it could not be had. */
  fetched(now: Millis, wallNow: EpochMillis, url: string, body: string | undefined): void {
    this.#bearer?.fetched(now, wallNow, url, body);
  }

  /** The room is ready, or (`failure`) will never be. */
  settled(room: string, failure: string | undefined): void {
    const waiting = this.#waiting.get(room) ?? [];
    this.#waiting.delete(room);
    for (const each of waiting) each(failure);
  }

  /** `login-url` and `logout`; undefined: it is neither, or nobody logs in here. */
  loginRequest(iq: Element, payload: Element, type: "get" | "set"): Element | undefined {
    const authenticator = this.#authenticator;
    if (authenticator === undefined) return undefined;
    const { loginUrl, logoutUrl } = authenticator.settings;
    if (payload.getName() === "login-url" && type === "get" && loginUrl !== undefined) {
      const url = loginUrl.replaceAll("{room}", encodeURIComponent(attr(payload, "room") ?? ""));
      return iqResult(iq, xml("login-url", { xmlns: NS.focus, url }));
    }
    if (payload.getName() !== "logout" || type !== "set") return undefined;
    return authenticator.logout(attr(payload, "session-id"))
      ? iqResult(iq, xml("logout", { xmlns: NS.focus, "logout-url": logoutUrl }))
      : errorReply(iq, { condition: "not-acceptable", extra: [xml("session-invalid", { xmlns: NS.focus })] });
  }

  #authenticate(now: Millis, request: ConferenceRequest, requester: string | undefined): Authentication | undefined {
    return this.#authenticator?.authenticate(now, requester, request.machineUid, request.sessionId);
  }

  #refusal(now: Millis, authentication: Authentication | undefined, exists: boolean): ConferenceAnswer | undefined {
    if (authentication?.kind === "invalid-session" || authentication?.kind === "not-acceptable")
      return { kind: authentication.kind };
    if (authentication?.kind === "guest" && !exists) return { kind: "not-authorized" };
    if (!this.#host.connected()) return { kind: "busy", text: "the focus is not connected" };
    const closed = exists ? undefined : this.#host.closed();
    if (closed !== undefined) return { kind: "busy", text: closed };
    if (exists || !this.#host.full(now)) return undefined;
    this.#context.stats.conferencesRefused++;
    return { kind: "busy", text: FULL };
  }

  /** One requester may not fill the focus with rooms that nobody enters. */
  #greedy(requester: string | undefined): ConferenceAnswer | undefined {
    const user = requester?.split("/")[0] ?? "";
    const empty = [...this.#host.conferences()].filter(
      (each) => each.requester === user && each.participants.size === 0,
    );
    const limit = requester === undefined ? MAX_EMPTY_OVER_HTTP : MAX_EMPTY_PER_REQUESTER;
    return empty.length < limit ? undefined : { kind: "busy", text: "too many empty conferences" };
  }

  #properties(): readonly (readonly [string, string])[] {
    return [
      ["authentication", String(this.#authenticator !== undefined)],
      ...(this.#authenticator?.settings.kind === "jwt" ? [["externalAuth", "true"] as const] : []),
      ...(this.#context.settings.jigasiBrewery === undefined ? [] : [["sipGatewayEnabled", "true"] as const]),
      ["visitors-supported", "false"],
    ];
  }
}
