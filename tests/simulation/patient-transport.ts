/**
 * Shell: tests only. A Transport in virtual time: libssl counts retransmissions by the real clock, so real time has to pass where a flight was lost.
 */
import { Transport } from "../../appliance/bridge/transport/transport.ts";
import type { Millis } from "../../appliance/time.ts";

/** With TEST_RETRANSMISSION (40 ms) less than 15 ms before the end counts as due. */
const PATIENCE_MS = 26;

export class PatientTransport extends Transport {
  override handleTimeout(now: Millis): void {
    if (this.nextDeadline()?.why === "dtls-retransmission") Bun.sleepSync(PATIENCE_MS);
    super.handleTimeout(now);
  }
}
