/**
 * What we ask the bridge for: only pictures that are seen, as high as they are drawn (product.md W24; bridge.md 2.4 ReceiverVideoConstraints).
 */
import type { ReceiverVideoConstraints } from "../../appliance/wire/channel-messages.ts";

export interface SeenSource {
  readonly name: string;
  /** Drawn height in device pixels. */
  readonly heightPx: number;
  /** The big picture of the speaker view. */
  readonly onStage: boolean;
}

/** Heights that senders' layers have; asking between two would change nothing but the number of messages. */
const LADDER = [90, 180, 360, 540, 720, 1080, 1440, 2160] as const;

/** The least step that is not visibly softer than the drawn height. */
export function stepOf(heightPx: number): number {
  const enough = heightPx * 0.85;
  return LADDER.find((step) => step >= enough) ?? 2160;
}

export interface QualityChoice {
  /** No pictures at all. */
  readonly audioOnly: boolean;
  /** Page hidden: nothing is seen. */
  readonly hidden: boolean;
  /** Upper bound of every height, px. */
  readonly maxHeight: number;
  /** −1: no limit. */
  readonly lastN: number;
}

/** The whole demand: complete, so that a lost channel is repaired by sending it again. */
export function receiverConstraints(seen: readonly SeenSource[], choice: QualityChoice): ReceiverVideoConstraints {
  const visible = choice.audioOnly || choice.hidden ? [] : seen.filter((each) => each.heightPx > 0);
  const stage = visible.filter((each) => each.onStage).map((each) => each.name);
  return {
    colibriClass: "ReceiverVideoConstraints",
    lastN: choice.audioOnly || choice.hidden ? 0 : choice.lastN,
    selectedSources: [],
    onStageSources: stage,
    defaultConstraints: { maxHeight: 0 },
    constraints: Object.fromEntries(
      visible
        .toSorted((a, b) => (a.name < b.name ? -1 : 1))
        .map((each) => [each.name, { maxHeight: Math.min(stepOf(each.heightPx), choice.maxHeight) }]),
    ),
    assumedBandwidthBps: -1,
  };
}

/** Bars of W61 from loss, 0 … 1, and from the achieved share of the wanted bitrate, 0 … 1 where known. */
export type LinkQuality = "good" | "medium" | "poor";

export function linkQuality(loss: number, share: number | undefined): LinkQuality {
  if (loss >= 0.12 || (share !== undefined && share < 0.1)) return "poor";
  if (loss >= 0.06 || (share !== undefined && share < 0.3)) return "medium";
  return "good";
}
