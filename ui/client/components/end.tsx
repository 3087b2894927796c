/** After the meeting: why it is over, and the way back. */
import { useEffect, useRef } from "preact/hooks";
import { useStore } from "./context.ts";
import { Mark } from "./icon.tsx";
import { TopBar } from "./prejoin.tsx";

interface EndProps {
  /** Milliseconds that one was inside. */
  readonly stayedMs: number;
}

export function End({ stayedMs }: EndProps) {
  const store = useStore();
  const { end, room } = store.state;
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  const minutes = Math.floor(stayedMs / 60_000);
  const time =
    minutes < 1
      ? store.t("time.moment")
      : minutes < 60
        ? store.t("time.minutes", minutes)
        : store.t("time.hours", Math.floor(minutes / 60), minutes % 60);
  const mayReturn = end.kind !== "banned";
  return (
    <div class="endp">
      <TopBar />
      <main>
        <div class="stack centre">
          <Mark big />
          <h1 tabIndex={-1} ref={heading}>
            {store.t(`end.${end.kind}.title`, room.title)}
          </h1>
          <p class="muted lead">{store.t(`end.${end.kind}.text`, time)}</p>
        </div>
        <div class="row wrap centre">
          {mayReturn ? (
            <button class="btn primary big" type="button" onClick={() => store.dispatch({ kind: "join-again" })}>
              {store.t("end.join-again")}
            </button>
          ) : null}
          <a class="btn big" href="/">
            {store.t("end.new")}
          </a>
        </div>
      </main>
      <footer class="foot">
        <span>{store.t("end.footer")}</span>
      </footer>
    </div>
  );
}
