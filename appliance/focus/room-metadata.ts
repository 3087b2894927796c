/**
 * What the room metadata component tells the focus. signaling.md 6.5.
 */
export interface RoomMetadata {
  readonly startMuted: { readonly audio: boolean; readonly video: boolean };
  /** One participant is enough for a session while this is on (signaling.md 5.1). */
  readonly transcribing: boolean;
}

export const NO_METADATA: RoomMetadata = { startMuted: { audio: false, video: false }, transcribing: false };

const record = (value: unknown): Record<string, unknown> =>
  typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};

/** Reads the `metadata` member of the component's message; what is missing is off. */
export function readRoomMetadata(value: unknown): RoomMetadata {
  const metadata = record(value);
  const startMuted = record(metadata["startMuted"]);
  return {
    startMuted: { audio: startMuted["audio"] === true, video: startMuted["video"] === true },
    transcribing:
      record(metadata["recording"])["isTranscribingEnabled"] === true || metadata["asyncTranscription"] === true,
  };
}
