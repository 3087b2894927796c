/**
 * `/debug/stats/jvb/…` (bridge.md 1.13): those of the original's statistics that this bridge has figures for, under the original's names. Its pools of threads and buffers and its chain of
 * packet nodes have nothing of ours to stand for them. A core: delays are measured by the shell.
 */
import { NS } from "../wire/namespaces.ts";
import { attr, type Element, is } from "../wire/xml.ts";
import { Buckets } from "./buckets.ts";
import { ConferencePackets } from "./conference-packets.ts";
import type { MediaStatistics } from "./media-commands.ts";

type Json = Readonly<Record<string, unknown>>;

const RTT_BOUNDS = [0, 10, 20, 40, 60, 80, 100, 150, 200, 250, 300, 500, 1000] as const;
const DELAY_BOUNDS = [0, 5, 50, 100, 1000] as const;

export class DebugStats {
  readonly conferencePackets = new ConferencePackets();
  readonly #roundTrips = new Buckets(RTT_BOUNDS);
  readonly #delays = {
    colibri: new Buckets(DELAY_BOUNDS),
    health: new Buckets(DELAY_BOUNDS),
    version: new Buckets(DELAY_BOUNDS),
  };

  /** The first round trip that is known of a transport, from its receiver reports; ms. */
  firstRoundTrip(rttMs: number): void {
    this.#roundTrips.add(Math.round(rttMs));
  }

  /** A stanza of an XMPP server was dealt with in so many ms. */
  handled(stanza: Element, tookMs: number): void {
    const payload =
      stanza.getName() === "iq" && attr(stanza, "type") === "get" ? stanza.getChildElements()[0] : undefined;
    if (payload === undefined) return;
    if (is(payload, "conference-modify", NS.colibri2)) this.#delays.colibri.add(tookMs);
    else if (is(payload, "healthcheck", NS.health)) this.#delays.health.add(tookMs);
    else if (is(payload, "query", NS.version)) this.#delays.version.add(tookMs);
  }

  /** Undefined: there is nothing by that name. */
  of(name: string, media: MediaStatistics | undefined): Json | undefined {
    switch (normal(name)) {
      case "ice-stats": {
        const all = { average: this.#roundTrips.average, buckets: this.#roundTrips.toJson() };
        return { all, host: all }; // candidates of ours are this host's own
      }
      case "xmpp-delay-stats": {
        const { colibri, health, version } = this.#delays;
        const json = (buckets: Buckets): Json => buckets.toJson("_delay_ms", "_ms");
        // Nothing waits in a queue here: the processing is the whole of it.
        return {
          colibri: json(colibri),
          colibri_processing: json(colibri),
          health: json(health),
          version: json(version),
        };
      }
      case "conference-packet-stats":
        return this.conferencePackets.toJson();
      case "queue-stats":
        return {
          srtp_send_queue: {
            dropped_packets: media?.dropped["socket-full"] ?? 0,
            exceptions: media?.dropped["socket-error"] ?? 0,
          },
          parley_control_queue: { dropped_packets: media?.dropped["too-many-datagrams"] ?? 0 },
        };
      case "transit-stats":
        // No packet is timed by itself: a packet is gone at the end of the turn that it came in, held ones aside.
        return {
          e2e_packet_delay: {},
          parley_longest_turn_ms: media?.longestTurnMs ?? 0,
          parley_turn_p999_ms: media?.turnP999Ms ?? 0,
          parley_hold_ms: media?.holdMs ?? 0,
        };
      case "tossed-packet-stats":
        return { parley_packets: media?.dropped["not-loudest"] ?? 0 }; // not told apart by energy
      default:
        return undefined;
    }
  }
}

/** What the original lets one switch and is always on here. */
const ALWAYS_ON: readonly string[] = ["queue-stats", "transit-stats", "tossed-packet-stats"];

/** Whether a feature is on; undefined: there is none of that name. Nothing can be switched. */
export const debugFeature = (name: string): true | undefined => (ALWAYS_ON.includes(normal(name)) ? true : undefined);

/** The original takes any case, and underscores for hyphens. */
const normal = (name: string): string => name.toLowerCase().replaceAll("_", "-");
