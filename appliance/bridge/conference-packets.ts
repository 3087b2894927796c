/**
 * Packets and bytes that went through conferences, in and out, by how many people these had at the time (`/debug/stats/jvb/conference-packet-stats`).
 */
import type { EndpointIndex, EndpointStatistics } from "./media-commands.ts";

export interface ConferenceTraffic {
  /** Endpoints, those beyond relays too. */
  readonly size: number;
  /** The loop's numbers of its endpoints and relays. */
  readonly links: readonly EndpointIndex[];
}

/** Larger ones count as this. */
const MAX_SIZE = 500;

type Seen = Pick<EndpointStatistics, "packetsReceived" | "packetsSent" | "bytesReceived" | "bytesSent">;
const NOTHING: Seen = { packetsReceived: 0, packetsSent: 0, bytesReceived: 0, bytesSent: 0 };

export class ConferencePackets {
  readonly #packets = new Array<number>(MAX_SIZE + 1).fill(0);
  readonly #bytes = new Array<number>(MAX_SIZE + 1).fill(0);
  #former: ReadonlyMap<EndpointIndex, Seen> = new Map();

  /** One report of the media loop. */
  update(endpoints: readonly EndpointStatistics[], conferences: readonly ConferenceTraffic[]): void {
    const now = new Map(endpoints.map((each) => [each.endpoint, each]));
    for (const { size, links } of conferences) {
      const column = Math.min(size, MAX_SIZE);
      for (const link of links) {
        const after = now.get(link);
        if (after === undefined) continue;
        let before = this.#former.get(link) ?? NOTHING;
        // Slots are given to new endpoints: a counter that went back belongs to another one.
        if (after.packetsReceived < before.packetsReceived || after.packetsSent < before.packetsSent) before = NOTHING;
        this.#packets[column] =
          (this.#packets[column] ?? 0) +
          (after.packetsReceived - before.packetsReceived) +
          (after.packetsSent - before.packetsSent);
        this.#bytes[column] =
          (this.#bytes[column] ?? 0) +
          (after.bytesReceived - before.bytesReceived) +
          (after.bytesSent - before.bytesSent);
      }
    }
    this.#former = now;
  }

  toJson(): Readonly<Record<string, unknown>> {
    const sum = (values: readonly number[]): number => values.reduce((total, each) => total + each, 0);
    return {
      packets: this.#packets,
      bytes: this.#bytes,
      total_packets: sum(this.#packets),
      total_bytes: sum(this.#bytes),
    };
  }
}
