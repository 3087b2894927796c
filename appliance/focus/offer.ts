/**
 * The session-initiate of a participant. Pure. signaling.md 4.1.
 */
import type { IceTransport } from "../wire/ice-transport.ts";
import { type Jingle, jingleElement } from "../wire/jingle.ts";
import type { RtpDescription } from "../wire/rtp-description.ts";
import { type EndpointSources, encodeJsonSources } from "../wire/sources.ts";
import type { Element } from "../wire/xml.ts";

export interface Offer {
  readonly sid: string;
  /** Full JID of the focus account. */
  readonly initiator: string;
  readonly audio: RtpDescription;
  readonly video: RtpDescription;
  readonly transport: IceTransport;
  /** Adds a data content with that SCTP port. */
  readonly sctpPort: number | undefined;
  readonly bridgeSessionId: string;
  readonly region: string | undefined;
  /** By owner, the bridge's own (`jvb`) first. */
  readonly sources: ReadonlyMap<string, EndpointSources>;
  readonly startMuted: { readonly audio: boolean; readonly video: boolean };
  readonly json: boolean;
}

/** ms, RFC 4566: what original focuses put into the audio description. */
const MAX_PTIME = 60;
const SCTP_STREAMS = 1024;

export function offerElement(offer: Offer): Element {
  const { transport } = offer;
  const contents: Jingle["contents"] = [
    {
      name: "audio",
      creator: "initiator",
      senders: "both",
      media: "audio",
      description: offer.audio,
      maxptime: MAX_PTIME,
      rtcpMux: true,
      transport,
    },
    {
      name: "video",
      creator: "initiator",
      senders: "both",
      media: "video",
      description: offer.video,
      rtcpMux: true,
      transport,
    },
    ...(offer.sctpPort === undefined
      ? []
      : [
          {
            name: "data",
            creator: "initiator" as const,
            senders: "both",
            media: "application" as const,
            rtcpMux: true,
            transport: {
              ...transport,
              sctpMap: { port: offer.sctpPort, protocol: "webrtc-datachannel", streams: SCTP_STREAMS },
            },
          },
        ]),
  ];
  const { startMuted } = offer;
  const jingle: Jingle = {
    action: "session-initiate",
    sid: offer.sid,
    initiator: offer.initiator,
    contents,
    sources: offer.sources,
    bundle: contents.map((each) => each.name),
    bridgeSession: {
      id: offer.bridgeSessionId,
      ...(offer.region !== undefined ? { region: offer.region } : {}),
    },
    ...(startMuted.audio || startMuted.video ? { startMuted } : {}),
  };
  return jingleElement(jingle, offer.json ? encodeJsonSources(offer.sources) : undefined);
}
