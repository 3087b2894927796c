/**
 * Which camera, microphone and speaker to use (product.md W5, W6, W9). Pure: lists in, choices out; media.ts talks to the browser.
 */
import type { Device, DeviceFault, Devices } from "./state.ts";

export interface RawDevice {
  readonly kind: string;
  readonly deviceId: string;
  readonly label: string;
}

/** Sorted by kind; entries without an id (before permission) and the doubles "default" and "communications" left out. */
export function sortDevices(raw: readonly RawDevice[], unnamed: (kind: string, n: number) => string): Devices {
  const of = (kind: string): readonly Device[] =>
    raw
      .filter((each) => each.kind === kind && !["", "default", "communications"].includes(each.deviceId))
      .map((each, i) => ({ id: each.deviceId, label: cleanLabel(each.label) || unnamed(kind, i + 1) }));
  return { microphones: of("audioinput"), cameras: of("videoinput"), speakers: of("audiooutput") };
}

/** Chromium adds USB ids: "HD Webcam (046d:0825)". */
export const cleanLabel = (label: string): string => label.replace(/\s*\([0-9a-f]{4}:[0-9a-f]{4}\)$/i, "").trim();

/** The wanted device if it is there; otherwise the browser's choice (undefined). */
export const pick = (list: readonly Device[], wanted: string | undefined): string | undefined =>
  wanted !== undefined && list.some((each) => each.id === wanted) ? wanted : undefined;

/** What appeared and disappeared between two lists; nothing while the labels were hidden. */
export function deviceChanges(
  before: readonly Device[],
  after: readonly Device[],
): { readonly added: readonly Device[]; readonly removed: readonly Device[] } {
  if (before.length === 0) return { added: [], removed: [] };
  const missing = (list: readonly Device[], from: readonly Device[]): readonly Device[] =>
    list.filter((each) => !from.some((other) => other.id === each.id));
  return { added: missing(after, before), removed: missing(before, after) };
}

/** What a DOMException of getUserMedia means to a person. */
export function faultOf(name: string, message: string): DeviceFault {
  switch (name) {
    case "NotAllowedError":
    case "SecurityError":
      return /system/i.test(message) ? "system" : "denied";
    case "NotFoundError":
    case "OverconstrainedError":
    case "DevicesNotFoundError":
      return "missing";
    case "NotReadableError":
    case "TrackStartError":
    case "AbortError":
      return "busy";
    default:
      return "other";
  }
}
