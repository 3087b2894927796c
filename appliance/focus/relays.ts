/**
 * A conference on several bridges: a link between every two of them, and each told who is on the others (bridge.md 7.1).
 * Their channel to each other is a WebSocket, as between original bridges by default. What a bridge was told is kept, and brought in line with what is true: whatever happened in between.
 */
import type { Millis } from "../time.ts";
import { type ColibriEndpoint, type ColibriRelay, endpoint, mediaSources } from "../wire/colibri2.ts";
import type { IceTransport } from "../wire/ice-transport.ts";
import type { RtpDescription } from "../wire/rtp-description.ts";
import type { EndpointSources } from "../wire/sources.ts";
import type { BridgeSession } from "./bridge-session.ts";

/** One bridge's end of a link. */
interface End {
  readonly session: BridgeSession;
  /** Answered by the bridge: what the other one is to know. */
  ice: IceTransport | undefined;
  /** What it was told about the endpoints beyond the link. */
  readonly told: Map<string, EndpointSources>;
}

interface Link {
  /** Takes the controlling role, begins DTLS and opens the channel. */
  readonly initiator: End;
  readonly other: End;
  over: boolean;
}

export interface RelaySettings {
  readonly audio: RtpDescription;
  readonly video: RtpDescription;
}

const MESH = "m0";

export class RelayMesh {
  readonly #settings: RelaySettings;
  readonly #links = new Map<string, Link>();

  constructor(settings: RelaySettings) {
    this.#settings = settings;
  }

  /** Makes, updates and ends links so that they fit the sessions and their endpoints. */
  sync(now: Millis, sessions: readonly BridgeSession[], sourcesOf: (endpoint: string) => EndpointSources): void {
    for (const [key, link] of this.#links) {
      const gone = [link.initiator, link.other].filter((each) => !sessions.includes(each.session));
      if (gone.length === 0) continue;
      this.#links.delete(key);
      link.over = true;
      for (const end of [link.initiator, link.other])
        if (!gone.includes(end)) end.session.relay(now, { ...emptyRelay(peerOf(link, end)), expire: true });
    }
    if (sessions.length < 2) return;
    for (const [index, first] of sessions.entries())
      for (const second of sessions.slice(index + 1)) {
        const key = `${first.id} ${second.id}`;
        if (!this.#links.has(key)) this.#links.set(key, this.#connect(now, first, second, sourcesOf));
      }
    for (const link of this.#links.values())
      for (const end of [link.initiator, link.other]) {
        const endpoints = changes(end, otherEnd(link, end).session, sourcesOf);
        if (endpoints.length > 0) end.session.relay(now, { ...emptyRelay(peerOf(link, end)), endpoints });
      }
  }

  #connect(
    now: Millis,
    first: BridgeSession,
    second: BridgeSession,
    sourcesOf: (endpoint: string) => EndpointSources,
  ): Link {
    const link: Link = {
      initiator: { session: first, ice: undefined, told: new Map() },
      other: { session: second, ice: undefined, told: new Map() },
      over: false,
    };
    for (const end of [link.initiator, link.other]) {
      const initiates = end === link.initiator;
      const create: ColibriRelay = {
        ...emptyRelay(peerOf(link, end)),
        create: true,
        meshId: MESH,
        media: [
          { type: "audio", description: this.#settings.audio },
          { type: "video", description: this.#settings.video },
        ],
        transport: {
          useUniquePort: initiates,
          iceControlling: initiates,
          iceRestart: false,
        },
        endpoints: changes(end, otherEnd(link, end).session, sourcesOf),
      };
      end.session.relay(now, create, (at, ice) => {
        end.ice = ice;
        if (!link.over) exchange(at, link);
      });
    }
    return link;
  }
}

/** When both have answered, each gets the other's side. */
function exchange(now: Millis, link: Link): void {
  const { initiator, other } = link;
  if (initiator.ice === undefined || other.ice === undefined) return;
  const give = (end: End, ice: IceTransport, setup: "active" | "passive", webSockets: readonly string[]): void => {
    const remote: IceTransport = {
      ...ice,
      fingerprints: ice.fingerprints.map((each) => ({ ...each, setup })),
      webSockets,
    };
    const transport = { useUniquePort: false, iceControlling: false, iceRestart: false, ice: remote };
    end.session.relay(now, { ...emptyRelay(peerOf(link, end)), transport });
  };
  give(initiator, other.ice, "passive", other.ice.webSockets);
  give(other, initiator.ice, "active", []);
}

/** What has to be said to one bridge about the endpoints of another; counts as said from now on. */
function changes(end: End, far: BridgeSession, sourcesOf: (endpoint: string) => EndpointSources): ColibriEndpoint[] {
  const result: ColibriEndpoint[] = [];
  for (const id of far.endpoints) {
    const known = end.told.get(id);
    const sources = sourcesOf(id);
    if (known === sources) continue;
    end.told.set(id, sources);
    result.push(endpoint(id, { create: known === undefined, sources: mediaSources(sources) }));
  }
  for (const id of [...end.told.keys()]) {
    if (far.endpoints.has(id)) continue;
    end.told.delete(id);
    result.push(endpoint(id, { expire: true }));
  }
  return result;
}

const otherEnd = (link: Link, end: End): End => (end === link.initiator ? link.other : link.initiator);
/** The name of the bridge beyond, as it announces it. */
const peerOf = (link: Link, end: End): string => {
  const { bridge } = otherEnd(link, end).session;
  return bridge.relayId ?? bridge.id;
};

const emptyRelay = (id: string): ColibriRelay => ({
  id,
  create: false,
  expire: false,
  media: [],
  initiator: false,
  endpoints: [],
});
