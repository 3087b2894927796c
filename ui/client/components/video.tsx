/** A video element for one track. */
import { useEffect, useRef } from "preact/hooks";

interface VideoProps {
  readonly track: MediaStreamTrack | undefined;
  readonly mirrored?: boolean;
  readonly contain?: boolean;
  /** For tests and statistics: which source this shows. */
  readonly source: string;
}

export function Video({ track, mirrored, contain, source }: VideoProps) {
  const element = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    const video = element.current;
    if (video === null) return;
    if (track === undefined) {
      video.srcObject = null;
      return;
    }
    video.srcObject = new MediaStream([track]);
    video.play().catch(() => undefined); // a muted picture may always play; an abort means that another track came
    return () => {
      video.srcObject = null;
    };
  }, [track]);
  return (
    <video
      ref={element}
      class={`vid ${mirrored === true ? "mirrored" : ""} ${contain === true ? "contain" : ""}`}
      data-source={source}
      autoplay
      playsinline
      muted
    />
  );
}
