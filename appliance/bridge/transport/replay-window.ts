/**
 * Replay window (RFC 3711 §3.3.2) of 1024 packets as a ring of bits inside a flat table: the bit of a packet is its index modulo 1024, so the
 * window moves without shifting. 1024 rather than the minimum of 64, because plain repetitions after a NACK come a round trip late.
 * The highest index itself is kept by the caller; what comes in here are distances from it.
 */

/** Packets the window reaches back. */
export const REPLAY_WINDOW_PACKETS = 1024;
/** Int32 words it takes in the table. */
export const REPLAY_WINDOW_WORDS = REPLAY_WINDOW_PACKETS / 32;

const REPLAYED = -3;
const TOO_OLD = -4;

/** Whether a packet `behind` (≥ 0) the highest may be taken: 0, or SRTP_REPLAYED, or SRTP_TOO_OLD. `index`: low bits of the packet's index. */
export const replayVerdict = (table: Int32Array, at: number, behind: number, index: number): number => {
  if (behind >= REPLAY_WINDOW_PACKETS) return TOO_OLD;
  const bit = index & (REPLAY_WINDOW_PACKETS - 1);
  return ((table[at + (bit >> 5)] as number) & (1 << (bit & 31))) === 0 ? 0 : REPLAYED;
};

/** Marks an authenticated packet; `ahead` > 0: it is that far beyond the former highest, whose followers up to it are forgotten. */
export const markReplayWindow = (table: Int32Array, at: number, ahead: number, index: number): void => {
  if (ahead >= REPLAY_WINDOW_PACKETS) clearReplayWindow(table, at);
  else
    for (let skipped = 1; skipped < ahead; skipped++) {
      const bit = (index - skipped) & (REPLAY_WINDOW_PACKETS - 1);
      table[at + (bit >> 5)] = (table[at + (bit >> 5)] as number) & ~(1 << (bit & 31));
    }
  const bit = index & (REPLAY_WINDOW_PACKETS - 1);
  table[at + (bit >> 5)] = (table[at + (bit >> 5)] as number) | (1 << (bit & 31));
};

export const clearReplayWindow = (table: Int32Array, at: number): void => {
  table.fill(0, at, at + REPLAY_WINDOW_WORDS);
};
