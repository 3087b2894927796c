/**
 * Counters of the focus since its start, as plain numbers; `/stats` and `/metrics` are made of them (signaling.md 5.8).
 */
export class FocusStats {
  conferenceRequests = 0;
  conferencesCreated = 0;
  participantsTotal = 0;
  /** Of clients that do not know start-muted by room metadata (signaling.md 5.3). */
  participantsWithoutMutedMetadata = 0;
  participantsMoved = 0;
  /** Seconds that completed conferences lasted, and that those who left were there. */
  conferenceSeconds = 0;
  endpointSeconds = 0;
  bridgesRemoved = 0;
  iceFailed = 0;
  requestRestart = 0;
  iceRestarts = 0;
  restartsRateLimited = 0;
  sourcesRefused = 0;
  /** Because the bridge is full: cameras that people switched on, cameras that came with them, new conferences. */
  camerasRefused = 0;
  camerasHeld = 0;
  conferencesRefused = 0;
  inviteFailed = 0;
  jibriFailures = { recording: 0, stream: 0, sip: 0 };
  /** No recorder was idle, or there. */
  jibriUnavailable = 0;
  /** Jingle IQs by action, as jicofo spells them. */
  readonly jingleSent = new Map<string, number>();
  readonly jingleReceived = new Map<string, number>();
  /** Stanzas not acted upon, by reason. */
  readonly dropped = new Map<string, number>();

  drop(reason: string): void {
    count(this.dropped, reason);
  }
  sent(action: string): void {
    count(this.jingleSent, spelled(action));
  }
  received(action: string): void {
    count(this.jingleReceived, spelled(action));
  }
}

const MAX_KEYS = 100;
const count = (counts: Map<string, number>, key: string): void => {
  if (counts.has(key) || counts.size < MAX_KEYS) counts.set(key, (counts.get(key) ?? 0) + 1);
};

/** `session-accept` → `SESSION_ACCEPT`, but `source-add` → `SOURCEADD`: the originals' enumeration. */
const spelled = (action: string): string =>
  action.startsWith("source-") ? action.replace("-", "").toUpperCase() : action.replaceAll("-", "_").toUpperCase();
