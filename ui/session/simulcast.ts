/**
 * Three layers of the camera: their SSRCs in the browser's own answer, and what each layer carries (bridge.md 4.5).
 *
 * Firefox makes the layers from rids in the remote description and lists their SSRCs itself. Chromium and WebKit make them when the answer
 * names three SSRCs in a SIM group; their rids would need header extensions that a bridge does not offer.
 */
import { joinSdp, readSdp, splitSdp } from "./sdp.ts";

/** A random SSRC, 1 … 2³² − 1. */
export type NewSsrc = () => number;

/** Adds two layers to the camera's line of an answer; a line that has them already, or sends nothing, stays as it is. */
export function withSimulcast(answer: string, mid: string, newSsrc: NewSsrc): string {
  const { session, media } = splitSdp(answer);
  const sections = readSdp(answer);
  return joinSdp(
    session,
    media.map((lines) => {
      const section = sections.find((each) => lines.includes(`a=mid:${each.mid}`));
      if (section === undefined || section.mid !== mid || !section.direction.startsWith("send")) return lines;
      const primary = section.ssrcs[0];
      if (primary === undefined || section.groups.some((group) => group.semantics === "SIM")) return lines;
      const rtx = section.groups.find((group) => group.semantics === "FID" && group.ssrcs[0] === primary)?.ssrcs[1];
      const used = new Set(section.ssrcs);
      const fresh = (): number => {
        let ssrc = newSsrc();
        while (used.has(ssrc)) ssrc = newSsrc();
        used.add(ssrc);
        return ssrc;
      };
      const layers = [primary, fresh(), fresh()];
      const repairs = rtx === undefined ? [] : [rtx, fresh(), fresh()];
      const named = (ssrc: number) => [`a=ssrc:${ssrc} cname:${section.cname ?? "c"}`];
      return [
        ...lines.filter((line) => !line.startsWith("a=ssrc:") && !line.startsWith("a=ssrc-group:")),
        `a=ssrc-group:SIM ${layers.join(" ")}`,
        ...layers.flatMap((ssrc, i) => (repairs[i] === undefined ? [] : [`a=ssrc-group:FID ${ssrc} ${repairs[i]}`])),
        ...layers.flatMap((ssrc, i) => [...named(ssrc), ...(repairs[i] === undefined ? [] : named(repairs[i]))]),
      ];
    }),
  );
}

/** One layer of the camera, low to high. */
export interface Layer {
  /** Picture height divided by this. */
  readonly scaleDown: number;
  readonly maxBitrateBps: number;
}

/** Layers for VP8, low to high; bitrates as stock clients cap them, so that bridges' assumptions hold (bridge.md 4.5). */
export const CAMERA_LAYERS: readonly Layer[] = [
  { scaleDown: 4, maxBitrateBps: 200_000 },
  { scaleDown: 2, maxBitrateBps: 500_000 },
  { scaleDown: 1, maxBitrateBps: 1_500_000 },
];

export const SCREEN_MAX_BITRATE_BPS = 2_500_000;

/**
 * Which layers to send when the bridge wants at most `maxHeight` px of a picture `height` px high: −1 all, 0 none; otherwise the lowest and
 * every further one up to the first that is at least as high as wanted.
 */
export function activeLayers(count: number, height: number, maxHeight: number): readonly boolean[] {
  const layers = CAMERA_LAYERS.slice(-count);
  if (maxHeight === 0) return layers.map(() => false);
  if (maxHeight < 0) return layers.map(() => true);
  return layers.map((_, i) => {
    const below = layers[i - 1];
    return below === undefined || height / below.scaleDown < maxHeight;
  });
}
