/**
 * Shell: the others' voices: one audio element per source, on the chosen speaker.
 */
import { useEffect, useRef } from "preact/hooks";
import { useStore } from "./context.ts";

export function Sound() {
  const store = useStore();
  const { sources, companion, page } = store.state;
  store.tracks.value;
  if (companion || page !== "meeting") return null;
  return (
    <div hidden>
      {sources
        .filter((each) => each.kind === "audio")
        .map((each) => (
          <Voice key={each.name} source={each.name} track={store.world.track(each.name)} />
        ))}
    </div>
  );
}

function Voice({ source, track }: { readonly source: string; readonly track: MediaStreamTrack | undefined }) {
  const store = useStore();
  const element = useRef<HTMLAudioElement>(null);
  const speaker = store.state.preferences.speaker;
  const blocked = store.state.soundBlocked;
  useEffect(() => {
    const audio = element.current;
    if (audio === null) return;
    audio.srcObject = track === undefined ? null : new MediaStream([track]);
    if (track === undefined) return;
    audio.play().catch((error: unknown) => {
      if (error instanceof DOMException && error.name === "NotAllowedError") store.world.soundBlocked();
    });
  }, [track, store]);
  useEffect(() => {
    // After the tap that allows sound
    if (!blocked) element.current?.play().catch(() => undefined);
  }, [blocked]);
  useEffect(() => {
    const audio = element.current;
    const id = store.world.speaker();
    if (audio !== null && "setSinkId" in audio && audio.sinkId !== (id ?? ""))
      audio.setSinkId(id ?? "").catch((error: unknown) => console.warn("speaker not taken", error));
  }, [speaker, store]);
  // biome-ignore lint/a11y/useMediaCaption: live voices have no captions
  return <audio ref={element} data-source={source} autoplay />;
}
