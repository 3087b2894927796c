/**
 * What the bridge counts since its start (bridge.md 1.14, Σ fields), as plain numbers.
 */
export class BridgeCounters {
  conferencesCreated = 0;
  conferencesCompleted = 0;
  /** Seconds that completed conferences lasted. */
  conferenceSeconds = 0;
  participants = 0;
  visitors = 0;
  relays = 0;
  endpointsWithoutChannel = 0;
  relaysWithoutChannel = 0;
  dataChannelReceived = 0;
  dataChannelSent = 0;
  webSocketReceived = 0;
  webSocketSent = 0;
  dominantSpeakerChanges = 0;
  preemptiveKeyFrames = 0;
  preemptiveKeyFramesSuppressed = 0;
  iceFailed = 0;
  iceSucceeded = 0;
  /** Through a peer's TURN server. */
  iceSucceededRelayed = 0;
  endpointsIceFailed = 0;
  endpointsDtlsFailed = 0;
  relaysIceFailed = 0;
  relaysDtlsFailed = 0;
  endpointsDisconnected = 0;
  endpointsReconnected = 0;
  iceRestarts = 0;
  iceRestartsRejected = 0;
  iceRestartsFailed = 0;
  iceRestartsSucceeded = 0;
  /** By the next restart of the same endpoint. */
  iceRestartsSuperseded = 0;
  /** WebSockets of clients that ended with a closing handshake, and without. */
  webSocketsClosed = 0;
  webSocketsLost = 0;
  healthFailures = 0;
  layeringChanges = 0;
  /** What was dropped on the control side, by reason. */
  readonly dropped = new Map<string, number>();
  /** colibri2 requests by outcome: `ok` or the error's condition. */
  readonly colibri = new Map<string, number>();

  drop(reason: string): void {
    this.dropped.set(reason, (this.dropped.get(reason) ?? 0) + 1);
  }

  request(outcome: string): void {
    this.colibri.set(outcome, (this.colibri.get(outcome) ?? 0) + 1);
  }
}
