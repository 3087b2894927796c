/**
 * What a receiver asked for: the settings that ReceiverVideoConstraints messages build up, with the exact defaults of bridge.md 2.4.
 */

/** Heights in pixels, frame rates in frames a second; −1: no limit, 0: do not send. */
export interface VideoConstraints {
  readonly maxHeight: number;
  readonly maxFrameRate: number;
}

export interface AllocationSettings {
  /** How many video sources at most; −1: no limit. */
  readonly lastN: number;
  readonly selectedSources: readonly string[];
  readonly onStageSources: readonly string[];
  /** For sources that `constraints` does not name. */
  readonly defaultConstraints: VideoConstraints;
  readonly constraints: ReadonlyMap<string, VideoConstraints>;
  /** Bits per second; −1: none. */
  readonly assumedBandwidthBps: number;
  /** Whether the receiver has spoken yet. */
  readonly received: boolean;
}

/** The members of a ReceiverVideoConstraints message; an absent one leaves its setting as it was. */
export interface ReceiverVideoConstraintsUpdate {
  readonly lastN?: number | undefined;
  readonly selectedSources?: readonly string[] | undefined;
  readonly onStageSources?: readonly string[] | undefined;
  readonly defaultConstraints?: VideoConstraints | undefined;
  readonly constraints?: Readonly<Record<string, VideoConstraints>> | ReadonlyMap<string, VideoConstraints> | undefined;
  readonly assumedBandwidthBps?: number | undefined;
}

/** Height of the default constraint once a first message has come that does not name one. */
const THUMBNAIL_HEIGHT = 180;
/** Names kept of one message: more sources than a conference of 500 has. */
const MAX_NAMES = 1_000;

export const DISABLED: VideoConstraints = { maxHeight: 0, maxFrameRate: -1 };
export const UNLIMITED: VideoConstraints = { maxHeight: -1, maxFrameRate: -1 };

export const isDisabled = (constraints: VideoConstraints): boolean =>
  constraints.maxHeight === 0 || constraints.maxFrameRate === 0;

/** maxHeight as a number that can be compared. */
export const heightLimit = (constraints: VideoConstraints): number =>
  isDisabled(constraints) ? 0 : constraints.maxHeight < 0 ? Number.POSITIVE_INFINITY : constraints.maxHeight;

/** Nothing is sent before the receiver's first message (bridge.md 0.4). */
export const initialSettings = (lastN: number): AllocationSettings => ({
  lastN,
  selectedSources: [],
  onStageSources: [],
  defaultConstraints: DISABLED,
  constraints: new Map(),
  assumedBandwidthBps: -1,
  received: false,
});

export function updateSettings(
  settings: AllocationSettings,
  update: ReceiverVideoConstraintsUpdate,
): AllocationSettings {
  return {
    lastN: update.lastN ?? settings.lastN,
    selectedSources: update.selectedSources?.slice(0, MAX_NAMES) ?? settings.selectedSources,
    onStageSources: update.onStageSources?.slice(0, MAX_NAMES) ?? settings.onStageSources,
    defaultConstraints:
      update.defaultConstraints ??
      (settings.received ? settings.defaultConstraints : { maxHeight: THUMBNAIL_HEIGHT, maxFrameRate: -1 }),
    constraints: update.constraints === undefined ? settings.constraints : readConstraints(update.constraints),
    assumedBandwidthBps: update.assumedBandwidthBps ?? settings.assumedBandwidthBps,
    received: true,
  };
}

function readConstraints(
  constraints: NonNullable<ReceiverVideoConstraintsUpdate["constraints"]>,
): ReadonlyMap<string, VideoConstraints> {
  const entries = constraints instanceof Map ? [...constraints] : Object.entries(constraints);
  return new Map(entries.slice(0, MAX_NAMES));
}

export const constraintsOf = (settings: AllocationSettings, source: string): VideoConstraints =>
  settings.constraints.get(source) ?? settings.defaultConstraints;

/** The larger wish of two receivers, for SenderSourceConstraints: −1 (no limit) is the largest. */
export const largerHeight = (a: number, b: number): number => (a < 0 || b < 0 ? -1 : Math.max(a, b));
