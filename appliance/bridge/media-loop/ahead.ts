/**
 * Reads, for everybody who takes a source, the first bytes of what a packet to them will need. What one receiver needs lies in some twenty places that follow from
 * one another, and between two packets of a source the kernel has had the caches: read one after the other, each costs a trip to memory; read for all
 * receivers at once, the trips overlap. It is done before the packet is deciphered, and once for a stream and batch.
 */
import type { Source } from "./endpoint.ts";

/** The number means nothing; whoever calls keeps it, so that the reading is not left out. */
export function readAhead(source: Source): number {
  let sum = 0;
  if (source.kind === "audio") {
    const takers = source.audioTakers;
    for (let index = 0; index < takers.length; index++) {
      const { receiver, sender } = takers[index] as (typeof takers)[number];
      sum = (sum + receiver.ahead(sender.stream.srtpPlace) + sender.ahead()) | 0;
    }
  } else {
    const takers = source.videoTakers;
    for (let index = 0; index < takers.length; index++) {
      const { receiver, sender } = takers[index] as (typeof takers)[number];
      sum = (sum + receiver.ahead(sender.stream.srtpPlace) + sender.ahead()) | 0;
    }
  }
  return sum;
}
