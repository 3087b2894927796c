/**
 * Payload types and header extensions of one peer (bridge.md 1.4): from the signalling's terms to the media loop's. Entries can be added, never removed.
 */
import type { ColibriMedia } from "../wire/colibri2.ts";
import { EXTENSION_URI, type PayloadType, parameter } from "../wire/rtp-description.ts";
import type { CodecName, ExtensionIds, MediaKind, PayloadTypeEntry } from "./media-commands.ts";

const CODECS: Readonly<Record<string, CodecName>> = {
  opus: "opus",
  red: "red",
  "telephone-event": "telephone-event",
  vp8: "vp8",
  vp9: "vp9",
  av1: "av1",
  h264: "h264",
  rtx: "rtx",
};

const EXTENSIONS = [
  ["audioLevel", EXTENSION_URI.audioLevel],
  ["absSendTime", EXTENSION_URI.absSendTime],
  ["transportCc", EXTENSION_URI.transportCc],
  ["mid", EXTENSION_URI.mid],
  ["dependencyDescriptor", EXTENSION_URI.dependencyDescriptor],
  ["videoOrientation", EXTENSION_URI.videoOrientation],
] as const satisfies readonly (readonly [keyof ExtensionIds, string])[];

export class PayloadTypes {
  readonly #payloadTypes = new Map<number, PayloadTypeEntry>();
  #extensions: ExtensionIds = {};
  #allowMixed = false;

  /** Answers whether there was anything to add. */
  add(media: readonly ColibriMedia[]): boolean {
    for (const { type, description } of media) {
      for (const payloadType of description.payloadTypes) {
        const entry = entryOf(payloadType, type);
        if (entry !== undefined) this.#payloadTypes.set(entry.payloadType, entry);
      }
      for (const { id, uri } of description.headerExtensions)
        for (const [name, known] of EXTENSIONS)
          if (known === uri) this.#extensions = { ...this.#extensions, [name]: id };
      this.#allowMixed = description.extmapAllowMixed;
    }
    return media.length > 0;
  }

  /** Whether the peer takes that kind of media at all. */
  accepts(kind: MediaKind): boolean {
    for (const entry of this.#payloadTypes.values()) if (entry.kind === kind) return true;
    return false;
  }

  get hasRtx(): boolean {
    for (const entry of this.#payloadTypes.values()) if (entry.codec === "rtx") return true;
    return false;
  }

  get entries(): readonly PayloadTypeEntry[] {
    return [...this.#payloadTypes.values()];
  }

  get extensions(): ExtensionIds {
    return this.#extensions;
  }

  get allowMixed(): boolean {
    return this.#allowMixed;
  }
}

function entryOf(payloadType: PayloadType, kind: MediaKind): PayloadTypeEntry | undefined {
  const codec = CODECS[payloadType.name.toLowerCase()] ?? "other";
  const apt = Number(parameter(payloadType, "apt") ?? Number.NaN);
  const repeats = Number.isInteger(apt) && apt >= 0 && apt <= 127;
  if (codec === "rtx" && !repeats) return undefined;
  const feedback = (type: string, subtype?: string): boolean =>
    payloadType.feedback.some((each) => each.type === type && (each.subtype ?? "") === (subtype ?? ""));
  return {
    payloadType: payloadType.id,
    kind,
    codec,
    clockRate: payloadType.clockrate,
    ...(codec === "rtx" ? { apt } : {}),
    nack: feedback("nack"),
    pli: feedback("nack", "pli"),
    fir: feedback("ccm", "fir"),
    transportCc: feedback("transport-cc"),
  };
}
