/** One tile: a person's picture, or a shared screen, with name, hand and state (look page, 8 and W19 to W27). */
import type { ShownSource } from "../../session/session-events.ts";
import { handNumbers, type Person } from "../state.ts";
import { useStore } from "./context.ts";
import { Icon } from "./icon.tsx";
import { Face } from "./person.tsx";
import { Video } from "./video.tsx";

export interface TileModel {
  /** `endpoint` or `endpoint:screen`. */
  readonly key: string;
  readonly endpoint: string;
  readonly screen: boolean;
  readonly self: boolean;
  readonly source: ShownSource | undefined;
  readonly person: Person | undefined;
}

interface TileProps {
  readonly tile: TileModel;
  /** Lies on the stage alone. */
  readonly big?: boolean;
}

export function Tile({ tile, big }: TileProps) {
  const store = useStore();
  const { state } = store;
  store.tracks.value;
  const name = useTileName(tile);
  const track = tile.self
    ? store.world.ownTrack(tile.screen ? "screen" : "camera")
    : tile.source === undefined
      ? undefined
      : store.world.track(tile.source.name);
  const shown = tile.self ? (tile.screen ? state.local.sharing : state.local.cameraOn) : showsPicture(tile);
  const lost = tile.person?.lost === true;
  const paused = !tile.self && shown && isPaused(tile, state.forwarded, state.audioOnly);
  const speaking = !tile.screen && state.speaker === tile.endpoint;
  const hand = tile.screen ? undefined : handNumbers(state).get(tile.endpoint);
  const muted = tile.screen ? false : tile.self ? !state.local.microphoneOn : (tile.person?.microphoneMuted ?? true);
  const companion = tile.self ? state.companion : tile.person?.companion === true;
  const moderator = tile.self ? state.self.role === "moderator" : tile.person?.role === "moderator";
  const label = speaking ? store.t("tile.speaking", name) : name;
  const link = tile.screen || lost ? undefined : state.links.get(tile.endpoint);
  const pinned = state.pinned === tile.key;
  return (
    <li
      class={`tile ${speaking ? "talk" : ""} ${lost ? "lost" : ""} ${paused ? "lost paused" : ""} ${big === true ? "big" : ""} ${tile.self ? "self" : ""}`}
      data-endpoint={tile.endpoint}
      data-tile={tile.key}
      data-source={tile.source?.name}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: tiles are reached by keyboard, Enter pins them (W69)
      tabIndex={0}
      aria-label={label}
      onDblClick={() => store.dispatch({ kind: "pin", tile: tile.key })}
      onKeyDown={(event) => {
        if (event.key === "Enter" && event.target === event.currentTarget)
          store.dispatch({ kind: "pin", tile: tile.key });
      }}
    >
      {shown && track !== undefined ? (
        <Video
          track={track}
          source={tile.source?.name ?? tile.key}
          mirrored={tile.self && !tile.screen && state.preferences.mirror && state.local.facing === "user"}
          contain={tile.screen}
        />
      ) : (
        <div class="init">
          <Face endpoint={tile.endpoint} name={name} />
        </div>
      )}
      {lost || paused ? (
        <div class="why">
          <Icon name={lost ? "wifi-off" : "video-off"} size="l" />
          <strong>{store.t(lost ? "tile.lost" : "tile.paused")}</strong>
          <span>{store.t(lost ? "tile.lost-text" : "tile.paused-text")}</span>
        </div>
      ) : null}
      <div class="ovl bs tag">
        {tile.screen ? <Icon name="monitor-up" /> : null}
        {companion ? (
          <>
            <Icon name="laptop" />
            <span class="vh">{store.t("tile.companion")}, </span>
          </>
        ) : muted && !tile.screen ? (
          <>
            <Icon name="mic-off" />
            <span class="vh">{store.t("tile.microphone-off")}, </span>
          </>
        ) : null}
        <span class="clip" title={name}>
          {tile.self
            ? store.t(tile.screen ? "meeting.you-share" : "meeting.you")
            : tile.screen
              ? store.t("meeting.sharing", name)
              : name}
        </span>
        {moderator && !tile.screen ? (
          <>
            <Icon name="crown" />
            <span class="vh">, {store.t("tile.moderator")}</span>
          </>
        ) : null}
      </div>
      <div class="ovl te">
        {link === undefined ? null : (
          <span class="tag only" title={store.t(`tile.link-${link}`)}>
            <span class="vh">{store.t(`tile.link-${link}`)}</span>
            <span class={`bars ${link}`} aria-hidden="true">
              <b />
              <b />
              <b />
            </span>
          </span>
        )}
        {hand === undefined ? null : (
          <span class="tag hand">
            <Icon name="hand" />
            <span class="vh">{store.t("tile.hand", hand)}</span>
            <span aria-hidden="true">{hand}</span>
          </span>
        )}
        <button
          class="tag only pinner"
          type="button"
          aria-pressed={pinned}
          aria-label={store.t("tile.pin")}
          title={store.t(pinned ? "tile.unpin" : "tile.pin")}
          onClick={() => store.dispatch({ kind: "pin", tile: tile.key })}
        >
          <Icon name={pinned ? "pin-off" : "pin"} />
        </button>
      </div>
      <Reactions endpoint={tile.screen ? "" : tile.endpoint} />
    </li>
  );
}

function Reactions({ endpoint }: { readonly endpoint: string }) {
  const store = useStore();
  const mine = store.state.reactions.filter((each) => each.from === endpoint);
  if (mine.length === 0) return null;
  return (
    <div class="floating" aria-hidden="true">
      {mine.map((each) => (
        <span key={each.key}>{REACTIONS[each.reaction] ?? "👍"}</span>
      ))}
    </div>
  );
}

/** Jitsi's names of reactions, and what is drawn. */
export const REACTIONS: Readonly<Record<string, string>> = {
  like: "👍",
  clap: "👏",
  laugh: "😀",
  surprised: "😲",
  boo: "👎",
  silence: "🤫",
  love: "💖",
};

function useTileName(tile: TileModel): string {
  const store = useStore();
  const name = tile.self ? store.state.preferences.name : (tile.person?.name ?? "");
  return name.trim() === "" ? store.t("meeting.unnamed") : name;
}

/** Camera on by presence, and a source to take it from; a screen is there as long as its source is. */
export const showsPicture = (tile: TileModel): boolean =>
  tile.source !== undefined && (tile.screen || tile.person?.cameraMuted === false);

/** The bridge says what it forwards: a picture that is not in its list stands still. */
const isPaused = (tile: TileModel, forwarded: ReadonlySet<string> | undefined, audioOnly: boolean): boolean =>
  tile.source !== undefined && (audioOnly || (forwarded !== undefined && !forwarded.has(tile.source.name)));
