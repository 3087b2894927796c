/**
 * Shell: tests only. A Transport in virtual time: libssl counts retransmissions by the real clock, so real time has to pass where a flight was lost.
 */
import { Transport } from "../../appliance/bridge/transport/transport.ts";
import { awaitRetransmission } from "../../appliance/bridge/transport/transport-pair.ts";
import type { Millis } from "../../appliance/time.ts";

export class PatientTransport extends Transport {
  override handleTimeout(now: Millis): void {
    if (this.nextDeadline()?.why === "dtls-retransmission") awaitRetransmission();
    super.handleTimeout(now);
  }
}
