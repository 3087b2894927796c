/**
 * Tests only: what holds of a meeting in which all is well.
 */
import { VP8 } from "../media-peer-media.ts";
import type { SimulatedClient } from "./simulated-client.ts";
import type { WholeBox } from "./whole-box.ts";

/** The SSRCs by which a client is to get the others' microphones and cameras. */
const wanted = (client: SimulatedClient): number[] =>
  [...client.sources.values()].flatMap(({ sources }) => {
    const audio = sources.find(({ mediaType }) => mediaType === "audio");
    const video = sources.find(({ mediaType }) => mediaType === "video");
    return [audio, video].flatMap((each) => (each === undefined ? [] : [each.ssrc]));
  });

/** Everybody sees the same people, was told the sources of each, and gets media of each. */
export function settled(box: WholeBox): boolean {
  const { present } = box;
  const nicks = present.map(({ nick }) => nick).sort();
  return present.every((client) => {
    const others = nicks.filter((nick) => nick !== client.nick).join();
    return (
      client.joined &&
      client.connected &&
      [...client.occupants.keys()].sort().join() === others &&
      [...client.sources.keys()].sort().join() === others
    );
  });
}

const packets = (client: SimulatedClient): Map<number, number> =>
  new Map([...client.received].map(([ssrc, { packets }]) => [ssrc, packets]));

/** After another second and a half each present client has more of every source it was told, and has had pictures to begin with. */
export function everythingFlows(box: WholeBox): boolean {
  const before = box.present.map(packets);
  box.run(1_500);
  return box.present.every((client, index) =>
    wanted(client).every((ssrc) => {
      const reception = client.received.get(ssrc);
      if (reception === undefined || reception.packets <= (before[index]?.get(ssrc) ?? 0)) return false;
      return reception.payloadType !== VP8 || reception.keyFrames > 0;
    }),
  );
}

/** It has been sent a key frame of every camera it was told. */
export const seesAll = (client: SimulatedClient): boolean =>
  [...client.sources.values()].every(({ sources }) => {
    const video = sources.find(({ mediaType }) => mediaType === "video");
    return video === undefined || (client.received.get(video.ssrc)?.keyFrames ?? 0) > 0;
  });
