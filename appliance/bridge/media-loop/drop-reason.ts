/**
 * Why a packet went no further: a counter each. The names are what statistics and metrics show.
 */

export const DROP_REASONS = [
  "unknown-address",
  "outside-lan",
  "not-media",
  "truncated",
  "too-many-datagrams",
  "no-keys",
  "malformed-rtp",
  "malformed-rtcp",
  "authentication",
  "replayed",
  "too-old",
  "srtp-limit",
  "unknown-payload-type",
  "unknown-ssrc",
  "payload-type-mismatch",
  "force-muted",
  "silence",
  "not-loudest",
  "own-table",
  "duplicate",
  "padding-only",
  "rtx-unknown",
  "malformed-payload",
  "no-path",
  "layer",
  "no-codec-at-receiver",
  "socket-full",
  "socket-error",
  "stun-invalid",
  "nack-limit",
  "malformed-nack",
] as const;

export type DropReason = (typeof DROP_REASONS)[number];

/** Reason → column. */
export const Drop = Object.freeze(Object.fromEntries(DROP_REASONS.map((reason, index) => [reason, index]))) as Readonly<
  Record<DropReason, number>
>;

export class DropCounters {
  readonly #counts = new Float64Array(DROP_REASONS.length);

  /** `column` from `Drop`. */
  count(column: number, by = 1): void {
    this.#counts[column] = (this.#counts[column] as number) + by;
  }

  of(reason: DropReason): number {
    return this.#counts[Drop[reason]] as number;
  }

  /** Those that are not zero. */
  record(): Record<string, number> {
    const record: Record<string, number> = {};
    DROP_REASONS.forEach((reason, index) => {
      const count = this.#counts[index] as number;
      if (count > 0) record[reason] = count;
    });
    return record;
  }
}
