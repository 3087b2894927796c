/**
 * Shell: texts that change with the time, once a second, outside of the tree.
 */
import { useEffect, useRef } from "preact/hooks";
import { useStore } from "./context.ts";

/** h:mm:ss or m:ss of a duration in milliseconds. */
export function elapsed(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const two = (n: number): string => String(n).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor(seconds / 60) % 60;
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

function useTick(write: (now: number) => string) {
  const element = useRef<HTMLElement>(null);
  const latest = useRef(write);
  latest.current = write;
  useEffect(() => {
    const tick = (): void => {
      const text = latest.current(Date.now());
      if (element.current !== null && element.current.textContent !== text) element.current.textContent = text;
    };
    tick();
    const timer = setInterval(tick, 1000);
    return () => clearInterval(timer);
  }, []);
  return element;
}

/** Time since an instant in milliseconds since the epoch; `wrap` puts it into a sentence. */
export function Elapsed({ since, wrap }: { readonly since: number; readonly wrap?: (time: string) => string }) {
  const element = useTick((now) => (wrap === undefined ? elapsed(now - since) : wrap(elapsed(now - since))));
  return <span class="num" ref={element as preact.RefObject<HTMLSpanElement>} />;
}

/** The time of day. */
export function TimeOfDay() {
  const store = useStore();
  const format = new Intl.DateTimeFormat(store.language.value, {
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
  });
  const element = useTick((now) => format.format(now));
  return <span class="num" ref={element as preact.RefObject<HTMLSpanElement>} />;
}
