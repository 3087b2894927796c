/**
 * Shell: brings the generator's participants into a bridge as a focus and browsers do: colibri2 for the allocation, the bridge channel for what they want to
 * see, ICE and DTLS for the keys.
 */
import { encodeChannelMessage } from "../../../appliance/wire/channel-messages.ts";
import { endpoint } from "../../../appliance/wire/colibri2.ts";
import { BridgeFocus } from "../../../tests/bridge-focus.ts";
import { PEER_MEDIA, peerSources } from "../../../tests/media-peer-media.ts";
import type { GeneratorOptions } from "./generator.ts";
import { placeOf, rtxSsrc } from "./participants.ts";
import { PeerTransport } from "./peer-transport.ts";
import type { Leg, Publisher } from "./traffic.ts";
import { openLeg, publish } from "./traffic.ts";

const BITRATE_BPS = 1_100_000;

const open = (url: string): Promise<WebSocket> => {
  const socket = new WebSocket(url);
  return new Promise((resolve, reject) => {
    socket.onopen = () => resolve(socket);
    socket.onerror = () => reject(new Error(`the bridge channel ${url} did not open`));
  });
};

/** Resolves when everybody is connected; the channels stay open as long as the process. */
export async function joinBridge(
  options: GeneratorOptions,
  publisherOf: (participant: number) => Publisher,
): Promise<void> {
  const { load, address = "127.0.0.1" } = options;
  const ports = {
    bridgeHttp: Number(new URL(options.url ?? "").port),
    colibri: Number(new URL(options.channelUrl ?? "").port),
  };
  for (let room = 0; room < load.rooms; room++) {
    const focus = new BridgeFocus(ports, `bench-${room}`);
    for (let place = 0; place < load.people; place++) {
      const participant = room * load.people + place;
      const leg: Leg = openLeg(address);
      const publisher = publisherOf(participant);
      publish(leg, publisher);
      const transport = new PeerTransport(leg, address, load.profile, false);
      const id = (0xb0000000 + participant).toString(16);
      const ice = await focus.allocate(
        endpoint(id, {
          create: true,
          statsId: id,
          capabilities: ["source-names"],
          media: PEER_MEDIA,
          transport: { iceControlling: true, useUniquePort: false, iceRestart: false },
        }),
      );
      const encoding = {
        ...{ ssrc: publisher.videoSsrc, rtxSsrc: rtxSsrc(participant) },
        ...{ width: 640, height: 360, bitrateBps: BITRATE_BPS },
      };
      await focus.modify({
        endpoints: [
          endpoint(id, {
            transport: {
              ...{ iceControlling: false, useUniquePort: false, iceRestart: false },
              ice: {
                ufrag: transport.ufrag,
                pwd: transport.pwd,
                rtcpMux: true,
                fingerprints: [{ hash: "sha-256", value: transport.fingerprint, setup: "active" }],
                candidates: [],
                webSockets: [],
              },
            },
            sources: peerSources(id, publisher.audioSsrc, [encoding]),
          }),
        ],
      });
      transport.setRemote({
        ufrag: ice.ufrag,
        pwd: ice.pwd,
        fingerprints: ice.fingerprints,
        candidates: ice.candidates.filter((each) => each.ip === address),
      });
      await transport.connected;
      const [url] = ice.webSockets;
      if (url === undefined) throw new Error("the bridge offers no channel");
      const channel = await open(focus.channelUrl(url));
      channel.send(
        encodeChannelMessage({
          colibriClass: "ReceiverVideoConstraints",
          lastN: load.lastN ?? -1,
          defaultConstraints: { maxHeight: 720 },
          ...(load.lastN === undefined
            ? {}
            : { selectedSources: firstOthers(placeOf(participant, load), load.lastN, room * load.people) }),
        }),
      );
    }
  }
}

/** The cameras that participants.ts means by last-N: those of the first N others. */
const firstOthers = (place: number, lastN: number, first: number): string[] =>
  Array.from({ length: lastN + 1 }, (_, other) => other)
    .filter((other) => other !== place)
    .slice(0, lastN)
    .map((other) => `${(0xb0000000 + first + other).toString(16)}-v0`);
