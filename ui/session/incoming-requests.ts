/**
 * What others ask of us by IQ: our features, a sign of life, a session, to be muted. A core but for the media that it is given.
 */
import { isJingleFault, jingleChild, readJingle } from "../../appliance/wire/jingle.ts";
import { NS } from "../../appliance/wire/namespaces.ts";
import { errorReply, iqResult } from "../../appliance/wire/stanza.ts";
import { attr, child, type Element, is, text, xml } from "../../appliance/wire/xml.ts";
import type { ConferenceMedia } from "./conference-media.ts";
import { CAPS_NODE, discoQuery, featuresOver } from "./own-presence.ts";
import { declinePeer } from "./peer-to-peer.ts";
import type { SessionEvent } from "./session-events.ts";

export interface IncomingLink {
  readonly media: Pick<ConferenceMedia, "session" | "accept" | "handle">;
  readonly emit: (event: SessionEvent) => void;
  /** Does something once the reply has gone out. */
  readonly afterReply: (work: () => void) => void;
  /** Sends an IQ set whose answer does not matter. */
  readonly request: (to: string, payload: Element) => void;
  readonly transport: () => string;
  readonly capsVer: () => string;
  /** Address of the focus in our room; undefined: we are in none. */
  readonly focusAddress: () => string | undefined;
  readonly endpoint: () => string;
  /** Our full address. */
  readonly ownAddress: () => string;
}

const MUTE_MEDIA: Readonly<Record<string, "audio" | "video" | "desktop">> = {
  [NS.jitmeetAudio]: "audio",
  [NS.jitmeetVideo]: "video",
  "http://jitsi.org/jitmeet/desktop": "desktop",
};

export class IncomingRequests {
  readonly #link: IncomingLink;

  constructor(link: IncomingLink) {
    this.#link = link;
  }

  /** Undefined: nothing that we know. */
  answer(request: Element): Element | undefined {
    const query = child(request, "query", NS.discoInfo);
    if (query !== undefined && attr(request, "type") === "get") return this.#features(request, attr(query, "node"));
    if (child(request, "ping", NS.ping) !== undefined) return iqResult(request);
    const element = jingleChild(request);
    if (element !== undefined) return this.#jingle(request, element);
    const focus = this.#link.focusAddress();
    for (const each of request.getChildElements())
      if (is(each, "mute") && focus !== undefined && attr(request, "from") === focus) return this.#muted(request, each);
    return undefined;
  }

  #features(request: Element, node: string | undefined): Element {
    return node === undefined || node === `${CAPS_NODE}#${this.#link.capsVer()}`
      ? iqResult(request, discoQuery(node, featuresOver(this.#link.transport())))
      : errorReply(request, { condition: "item-not-found" });
  }

  #muted(request: Element, mute: Element): Element {
    const media = MUTE_MEDIA[mute.getNS() ?? ""];
    const actor = attr(mute, "actor");
    if (media !== undefined && text(mute) === "true")
      this.#link.emit({ kind: "muted-by", media, actor: actor?.slice(actor.indexOf("/") + 1) });
    return iqResult(request);
  }

  #jingle(request: Element, element: Element): Element {
    const { media, emit } = this.#link;
    const jingle = readJingle(element);
    const focusAddress = this.#link.focusAddress();
    if (isJingleFault(jingle)) return errorReply(request, { condition: "bad-request", text: jingle.text });
    const from = attr(request, "from");
    if (focusAddress === undefined || from === undefined)
      return errorReply(request, { condition: "service-unavailable" });
    if (from !== focusAddress) {
      const { reply, after } = declinePeer(request, jingle);
      if (after !== undefined) this.#link.afterReply(() => this.#link.request(from, after));
      return reply;
    }
    if (jingle.action === "session-initiate") {
      if (media.session?.sid === jingle.sid) return errorReply(request, { condition: "service-unavailable" });
      const ownAddress = attr(request, "to") ?? this.#link.ownAddress();
      this.#link.afterReply(() => {
        if (jingle.startMuted !== undefined && (jingle.startMuted.audio || jingle.startMuted.video))
          emit({ kind: "start-muted", ...jingle.startMuted });
        media.accept(jingle, { endpoint: this.#link.endpoint(), focusAddress, ownAddress });
      });
      return iqResult(request);
    }
    if (media.handle(jingle)) return iqResult(request);
    return errorReply(request, {
      condition: "item-not-found",
      extra: [xml("unknown-session", { xmlns: NS.jingleErrors })],
    });
  }
}
