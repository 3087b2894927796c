/** The stage: tiles in pages, or one big picture with a strip. */
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { allTiles, speakerStage, tilePages } from "../stage.ts";
import { DESKTOP_LIMITS, PHONE_LIMITS, type StageSize, tileGrid } from "../tiles.ts";
import { useStore } from "./context.ts";
import { Icon } from "./icon.tsx";
import { Tile } from "./tile.tsx";
import { ToastStack } from "./toast.tsx";

const isPhone = (width: number, height: number): boolean => width <= 512 || height <= 480;

export function Stage() {
  const store = useStore();
  const { state } = store;
  const element = useRef<HTMLElement>(null);
  const [size, setSize] = useState<StageSize>({ width: 0, height: 0, gap: 12 });
  useLayoutEffect(() => {
    const stage = element.current;
    if (stage === null) return;
    const measure = (): void =>
      setSize({
        width: stage.clientWidth,
        height: stage.clientHeight,
        gap: isPhone(innerWidth, innerHeight) ? 6 : 12,
      });
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(stage);
    return () => observer.disconnect();
  }, []);
  const alone = state.people.size === 0;
  return (
    <main class="stage" id="stage" aria-label={store.t("meeting.people-in-call")} ref={element}>
      <h2 class="vh">{store.t("meeting.people-in-call")}</h2>
      {size.width === 0 ? null : state.view === "speaker" ? <Speaker size={size} /> : <Tiles size={size} />}
      {alone ? <Alone /> : null}
      {state.soundBlocked ? (
        <button class="btn primary big sound-on" type="button" onClick={() => store.dispatch({ kind: "sound-on" })}>
          <Icon name="volume-2" />
          {store.t("meeting.sound-on")}
        </button>
      ) : null}
      <ToastStack />
    </main>
  );
}

function Alone() {
  const store = useStore();
  const { state } = store;
  return (
    <div class="card alone" role="status">
      <p class="strong">
        {store.t(state.bridgeMissing && state.load !== "full" ? "meeting.no-bridge" : "meeting.alone")}
      </p>
      <p class="muted">{store.t("meeting.alone-text")}</p>
      <CopyLink />
    </div>
  );
}

export function CopyLink({ plain }: { readonly plain?: boolean }) {
  const store = useStore();
  return (
    <button
      class={`btn ${plain === true ? "ghost small" : "primary"}`}
      type="button"
      onClick={() => {
        const link = location.href.replace(/[?#].*$/, "");
        navigator.clipboard?.writeText(link).then(
          () =>
            store.dispatch({
              kind: "toast",
              toastKind: "link",
              icon: "link",
              text: { id: "toast.link-copied", args: [] },
            }),
          () => undefined, // no permission: the address bar shows it as well
        );
      }}
    >
      <Icon name="link" size="s" />
      {store.t("meeting.copy-link")}
    </button>
  );
}

function Tiles({ size }: { readonly size: StageSize }) {
  const store = useStore();
  const { state } = store;
  const list = useRef<HTMLUListElement>(null);
  const limits = isPhone(innerWidth, innerHeight) ? PHONE_LIMITS : DESKTOP_LIMITS;
  const grid = tileGrid(allTiles(state).length, size, limits);
  const { shown, page, pages } = tilePages(state, grid.perPage);
  const narrow = grid.tileWidth < 120;
  useLayoutEffect(() => {
    const style = list.current?.style;
    style?.setProperty("--cols", String(grid.columns));
    style?.setProperty("--tw", `${Math.floor(grid.tileWidth * 100) / 100}px`);
    style?.setProperty("--ar", String(grid.aspect));
    style?.setProperty("--g", `${size.gap}px`);
  });
  return (
    <>
      <ul class={`tiles ${narrow ? "narrow" : ""}`} ref={list}>
        {shown.map((tile) => (
          <Tile key={tile.key} tile={tile} />
        ))}
      </ul>
      {pages > 1 ? <Pages page={page} pages={pages} /> : null}
    </>
  );
}

function Pages({ page, pages }: { readonly page: number; readonly pages: number }) {
  const store = useStore();
  return (
    <nav class="pages" aria-label={store.t("meeting.pages")}>
      <button
        class="round small"
        type="button"
        aria-label={store.t("meeting.previous")}
        disabled={page === 0}
        onClick={() => store.dispatch({ kind: "tile-page", page: page - 1 })}
      >
        <Icon name="chevron-left" directed />
      </button>
      <span class="tag">{store.t("meeting.page", page + 1, pages)}</span>
      <button
        class="round small"
        type="button"
        aria-label={store.t("meeting.next")}
        disabled={page >= pages - 1}
        onClick={() => store.dispatch({ kind: "tile-page", page: page + 1 })}
      >
        <Icon name="chevron-right" directed />
      </button>
    </nav>
  );
}

function Speaker({ size }: { readonly size: StageSize }) {
  const store = useStore();
  const { state } = store;
  const phone = isPhone(innerWidth, innerHeight);
  const limit = phone ? 2 : Math.max(2, Math.min(6, Math.floor((size.width + 8) / 176)));
  const stage = speakerStage(state, limit);
  const [zoom, setZoom] = useState(1);
  const bigKey = stage?.big.key;
  useEffect(() => setZoom(1), [bigKey]);
  const frame = useRef<HTMLUListElement>(null);
  useLayoutEffect(() => frame.current?.style.setProperty("--zoom", String(zoom)));
  if (stage === undefined) return null;
  return (
    <div class={`speak ${zoom > 1 ? "zoomed" : ""}`}>
      <ul class="main" ref={frame} aria-label={store.t("meeting.stage")}>
        <Tile key={stage.big.key} tile={stage.big} big />
        {stage.big.screen ? (
          <li class="zoomers">
            <button
              class="round small"
              type="button"
              aria-label={store.t("tile.zoom-out")}
              disabled={zoom <= 1}
              onClick={() => setZoom(Math.max(1, zoom - 0.5))}
            >
              <Icon name="zoom-out" />
            </button>
            <button
              class="round small"
              type="button"
              aria-label={store.t("tile.zoom-in")}
              disabled={zoom >= 4}
              onClick={() => setZoom(Math.min(4, zoom + 0.5))}
            >
              <Icon name="zoom-in" />
            </button>
          </li>
        ) : null}
      </ul>
      {stage.strip.length === 0 ? null : (
        <ul class="strip" aria-label={store.t("menu.people")}>
          {stage.strip.map((tile) => (
            <Tile key={tile.key} tile={tile} />
          ))}
          {stage.more > 0 ? (
            <li class="tile more">
              <button
                class="init"
                type="button"
                aria-label={store.t("meeting.more-people-label", stage.more)}
                onClick={() => store.dispatch({ kind: "view", view: "tiles" })}
              >
                {store.t("meeting.more-people", stage.more)}
              </button>
            </li>
          ) : null}
        </ul>
      )}
    </div>
  );
}
