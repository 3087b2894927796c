/**
 * What one endpoint negotiated: payload types and header extensions, as tables by number.
 */
import type { OutgoingExtensions } from "../forward/packet-writer.ts";
import { NO_EXTENSIONS } from "../forward/packet-writer.ts";
import type { ExtensionIds, PayloadTypeEntry } from "../media-commands.ts";
import { Extension } from "../rtp/extensions.ts";
import { Codec, codecNumber } from "./codecs.ts";

export class PayloadTable {
  /** `Codec` by payload type. */
  readonly codec = new Int8Array(128).fill(Codec.unknown);
  readonly video = new Uint8Array(128);
  readonly clockRate = new Float64Array(128);
  /** rtx → what it repeats; −1. */
  readonly apt = new Int16Array(128).fill(-1);
  /** media → its rtx type; −1. */
  readonly rtx = new Int16Array(128).fill(-1);
  /** Extension kinds by id, for reading. */
  readonly kinds = new Uint8Array(256);
  extensions: OutgoingExtensions = NO_EXTENSIONS;
  pli = false;
  fir = false;
  nack = false;
  /** Transport-wide feedback goes to this endpoint. */
  transportCc = false;

  constructor(entries: readonly PayloadTypeEntry[], ids: ExtensionIds, allowMixed: boolean) {
    for (const entry of entries) {
      const type = entry.payloadType;
      if (!Number.isInteger(type) || type < 0 || type > 127) continue;
      this.codec[type] = codecNumber(entry.codec);
      this.video[type] = entry.kind === "video" ? 1 : 0;
      this.clockRate[type] = entry.clockRate > 0 ? entry.clockRate : entry.kind === "video" ? 90_000 : 48_000;
      if (entry.codec === "rtx") {
        const apt = entry.apt ?? -1;
        if (apt < 0 || apt > 127) {
          this.codec[type] = Codec.unknown;
          continue;
        }
        this.apt[type] = apt;
        this.rtx[apt] = type;
      }
      this.transportCc ||= entry.transportCc;
      if (entry.kind !== "video") continue;
      this.pli ||= entry.pli;
      this.fir ||= entry.fir;
      this.nack ||= entry.nack;
    }
    const id = (value: number | undefined): number =>
      value !== undefined && Number.isInteger(value) && value >= 1 && value <= (allowMixed ? 255 : 14) ? value : 0;
    const read = (value: number | undefined, kind: number): void => {
      if (id(value) > 0) this.kinds[id(value)] = kind;
    };
    read(ids.audioLevel, Extension.audioLevel);
    read(ids.transportCc, Extension.transportSequence);
    read(ids.videoOrientation, Extension.videoOrientation);
    read(ids.dependencyDescriptor, Extension.dependencyDescriptor);
    this.transportCc &&= id(ids.transportCc) > 0;
    this.extensions = {
      audioLevel: id(ids.audioLevel),
      transportCc: this.transportCc ? id(ids.transportCc) : 0,
      absSendTime: id(ids.absSendTime),
      videoOrientation: id(ids.videoOrientation),
      dependencyDescriptor: id(ids.dependencyDescriptor),
      mid: id(ids.mid),
      mixed: allowMixed,
    };
  }

  /** This endpoint's payload type for a packet of another endpoint's table: the same number where it means the same, else the first of that codec; −1. */
  matching(type: number, from: PayloadTable): number {
    const codec = from.codec[type] as number;
    if (this.codec[type] === codec) return type;
    for (let candidate = 0; candidate < 128; candidate++) if (this.codec[candidate] === codec) return candidate;
    return -1;
  }
}
