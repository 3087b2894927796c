/**
 * Tests only: drives a running bridge as a focus does, by colibri2 as JSON over its private HTTP, and puts media peers into its conferences.
 */
import { readConferenceModifyJson } from "../appliance/bridge/colibri2-json.ts";
import {
  type ColibriEndpoint,
  type ColibriEntity,
  type ColibriMedia,
  type ColibriMediaSource,
  type ColibriRelay,
  type ConferenceModify,
  endpoint as colibriEndpoint,
} from "../appliance/wire/colibri2.ts";
import type { IceTransport } from "../appliance/wire/ice-transport.ts";
import { MediaPeer, type MediaPeerOptions } from "./media-peer.ts";
import { PEER_MEDIA } from "./media-peer-media.ts";

type Json = Readonly<Record<string, unknown>>;

export class BridgeFocus {
  readonly #http: string;
  readonly #colibri: string;
  readonly meeting: string;
  #created = false;
  readonly peers: MediaPeer[] = [];

  constructor(ports: Readonly<Record<string, number>>, meeting: string) {
    this.#http = `http://127.0.0.1:${ports["bridgeHttp"] ?? 0}`;
    this.#colibri = `ws://127.0.0.1:${ports["colibri"] ?? 0}`;
    this.meeting = meeting;
  }

  /** The gateway that is not there: the advertised host is replaced by the bridge's own. */
  readonly channelUrl = (url: string): string => url.replace(/^wss?:\/\/[^/]+/, this.#colibri);

  /** A peer that is allocated, has accepted and is connected. */
  async join(options: MediaPeerOptions): Promise<MediaPeer> {
    const peer = await MediaPeer.open({ channelUrl: this.channelUrl, ...options });
    this.peers.push(peer);
    const ice = await this.allocate(peer.allocation());
    await this.modify({ endpoints: [peer.accepted()] });
    await peer.connect(ice);
    return peer;
  }

  async allocate(endpoint: ColibriEndpoint): Promise<IceTransport> {
    const answer = await this.modify({ endpoints: [endpoint] });
    const ice = answer.endpoints[0]?.transport?.ice;
    if (ice === undefined) throw new Error(`no transport in the bridge's answer to ${endpoint.id}`);
    return ice;
  }

  /** Sends a request; the first one creates the conference. Rejects with the status where the bridge refuses. */
  async modify(request: Partial<ConferenceModify>): Promise<ConferenceModify> {
    const create = !this.#created;
    this.#created = true;
    const path = create ? "/colibri/v2/conferences" : `/colibri/v2/conferences/${this.meeting}`;
    const body = {
      ...(create ? { "meeting-id": this.meeting, name: "room@muc.meet.test", create: true } : {}),
      ...(request.expire === true ? { expire: true } : {}),
      ...(request.endpoints === undefined ? {} : { endpoints: request.endpoints.map(endpointJson) }),
      ...(request.relays === undefined ? {} : { relays: request.relays.map(relayJson) }),
    };
    const response = await fetch(this.#http + path, {
      method: create ? "POST" : "PATCH",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    if (response.status !== 200)
      throw new Error(`the bridge answers ${response.status} to ${JSON.stringify(body).slice(0, 300)}`);
    const { endpoints = [], relays = [] } = (await response.json()) as { endpoints?: unknown; relays?: unknown };
    const answer = readConferenceModifyJson({ "meeting-id": this.meeting, endpoints, relays });
    if (answer === undefined) throw new Error("the bridge's answer is unreadable");
    return answer;
  }

  /** Joins this bridge's part of the conference with another bridge's: what a focus does for both sides; this side is the initiator. */
  async relayTo(
    other: BridgeFocus,
    ids: { readonly own: string; readonly other: string },
    sctp = false,
  ): Promise<void> {
    const relay = (id: string, rest: Partial<ColibriRelay>): ColibriRelay => ({
      id,
      create: false,
      expire: false,
      media: [],
      initiator: false,
      endpoints: [],
      ...rest,
    });
    const created = async (focus: BridgeFocus, id: string, initiator: boolean): Promise<IceTransport> => {
      const answer = await focus.modify({
        relays: [
          relay(id, {
            create: true,
            media: PEER_MEDIA,
            transport: {
              iceControlling: initiator,
              useUniquePort: initiator,
              iceRestart: false,
              ...(sctp ? { sctp: { role: initiator ? "client" : "server" } } : {}),
            },
          }),
        ],
      });
      const transport = answer.relays[0]?.transport;
      const ice = transport?.ice;
      // Each is told the other's role.
      const told = transport?.sctp?.role;
      if (told !== (sctp ? (initiator ? "server" : "client") : undefined)) throw new Error(`told to be SCTP ${told}`);
      if (ice === undefined) throw new Error(`no transport in the bridge's answer to relay ${id}`);
      return ice;
    };
    const [own, far] = [await created(this, ids.other, true), await created(other, ids.own, false)];
    const finish = (
      focus: BridgeFocus,
      id: string,
      ice: IceTransport,
      setup: "active" | "passive",
      peers: readonly MediaPeer[],
    ) =>
      focus.modify({
        relays: [
          relay(id, {
            transport: {
              iceControlling: false,
              useUniquePort: false,
              iceRestart: false,
              ice: {
                ...ice,
                fingerprints: ice.fingerprints.map((each) => ({ ...each, setup })),
                webSockets: setup === "passive" ? ice.webSockets.map(other.channelUrl) : [],
              },
            },
            endpoints: peers.map((peer) => colibriEndpoint(peer.id, { ...peer.farEndpoint() })),
          }),
        ],
      });
    await finish(other, ids.own, own, "active", this.peers);
    await finish(this, ids.other, far, "passive", other.peers);
  }

  /** Exports of the conference's sound, as they stand in JSON. */
  async connects(...connects: readonly Json[]): Promise<number> {
    const response = await fetch(`${this.#http}/colibri/v2/conferences/${this.meeting}`, {
      method: "PATCH",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ connects }),
    });
    return response.status;
  }

  async expire(id: string): Promise<void> {
    await this.modify({ endpoints: [{ id, create: false, expire: true, media: [], capabilities: [] }] });
  }

  async get(path: string): Promise<Json> {
    return (await (await fetch(this.#http + path)).json()) as Json;
  }

  async stop(): Promise<void> {
    for (const peer of this.peers) peer.close();
    if (this.#created) await this.modify({ expire: true }).catch(() => undefined); // it may have ended itself
  }
}

const entityJson = (entity: ColibriEntity): Json => ({
  id: entity.id,
  ...(entity.create ? { create: true } : {}),
  ...(entity.expire ? { expire: true } : {}),
  ...(entity.media.length > 0 ? { medias: entity.media.map(mediaJson) } : {}),
  ...(entity.transport === undefined
    ? {}
    : {
        transport: {
          "ice-controlling": entity.transport.iceControlling,
          "ice-restart": entity.transport.iceRestart,
          "use-unique-port": entity.transport.useUniquePort,
          ...(entity.transport.ice === undefined ? {} : { transport: iceJson(entity.transport.ice) }),
          ...(entity.transport.sctp === undefined ? {} : { sctp: entity.transport.sctp }),
        },
      }),
  ...(entity.sources === undefined ? {} : { sources: entity.sources.map(sourceJson) }),
});

const endpointJson = (endpoint: ColibriEndpoint): Json => ({
  ...entityJson(endpoint),
  ...(endpoint.statsId === undefined ? {} : { "stats-id": endpoint.statsId }),
  ...(endpoint.mucRole === undefined ? {} : { "muc-role": endpoint.mucRole }),
  ...(endpoint.forceMute === undefined ? {} : { "force-mute": endpoint.forceMute }),
  ...(endpoint.initialLastN === undefined ? {} : { "initial-last-n": { value: endpoint.initialLastN } }),
  capabilities: endpoint.capabilities,
});

const relayJson = (relay: ColibriRelay): Json => ({
  ...entityJson(relay),
  ...(relay.meshId === undefined ? {} : { "mesh-id": relay.meshId }),
  endpoints: relay.endpoints.map(endpointJson),
});

const mediaJson = ({ type, description }: ColibriMedia): Json => ({
  type,
  "payload-types": description.payloadTypes.map((each) => ({
    id: each.id,
    name: each.name,
    clockrate: each.clockrate,
    ...(each.channels === undefined ? {} : { channels: each.channels }),
    parameters: Object.fromEntries(each.parameters.map(({ name, value }) => [name, value])),
    "rtcp-fbs": each.feedback,
  })),
  "rtp-hdrexts": description.headerExtensions,
  "extmap-allow-mixed": description.extmapAllowMixed,
});

const iceJson = (ice: IceTransport): Json => ({
  ufrag: ice.ufrag,
  pwd: ice.pwd,
  ...(ice.iceGeneration === undefined ? {} : { "ice-generation": ice.iceGeneration }),
  "rtcp-mux": true,
  fingerprints: ice.fingerprints.map(({ hash, value, setup }) => ({ hash, fingerprint: value, setup })),
  candidates: ice.candidates,
  "web-sockets": ice.webSockets,
});

const sourceJson = (source: ColibriMediaSource): Json => ({
  type: source.type,
  id: source.id,
  sources: source.sources.sources.map(({ ssrc, name, videoType }) => ({ ssrc, name, videoType })),
  "ssrc-groups": source.sources.groups.map(({ semantics, ssrcs }) => ({ semantics, sources: ssrcs })),
});
