/** The level of our microphone, drawn outside of the tree at twenty times a second. Not announced. */
import { useEffect, useRef } from "preact/hooks";
import { useStore } from "./context.ts";

export function Meter({ bars, ring }: { readonly bars?: number; readonly ring?: boolean }) {
  const store = useStore();
  const element = useRef<HTMLSpanElement>(null);
  useEffect(
    () =>
      store.world.watchLevel((level) => {
        const target = element.current;
        if (target === null) return;
        target.style.setProperty("--level", level.toFixed(2));
        const lit = Math.round(level * target.children.length);
        for (let i = 0; i < target.children.length; i += 1) target.children[i]?.classList.toggle("on", i < lit);
      }),
    [store],
  );
  if (ring === true) return <span class="ring" aria-hidden="true" ref={element} />;
  return (
    <span class="meter" aria-hidden="true" ref={element}>
      {Array.from({ length: bars ?? 10 }, (_, i) => (
        <b key={i} />
      ))}
    </span>
  );
}
