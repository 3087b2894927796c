/**
 * Who is drawn where (W18, W19): tiles in their order, the big picture of the speaker view, the strip below it. Pure.
 */
import type { TileModel } from "./components/tile.tsx";
import type { MeetingState } from "./state.ts";
import { firstPage } from "./tiles.ts";

export interface TilePages {
  readonly shown: readonly TileModel[];
  readonly page: number;
  readonly pages: number;
}

export interface SpeakerStage {
  readonly big: TileModel;
  readonly strip: readonly TileModel[];
  /** Not in the strip for lack of room. */
  readonly more: number;
}

/** Every tile there is: people in their order, each one's screen before its person. */
export function allTiles(state: MeetingState): readonly TileModel[] {
  const self = state.self.endpoint;
  return state.order.flatMap((endpoint) => {
    const own = endpoint === self;
    const person = state.people.get(endpoint);
    const of = (desktop: boolean) =>
      state.sources.find(
        (each) => each.owner === endpoint && each.kind === "video" && (each.videoType === "desktop") === desktop,
      );
    const tile = (screen: boolean): TileModel => ({
      key: screen ? `${endpoint}:screen` : endpoint,
      endpoint,
      screen,
      self: own,
      source: own ? undefined : of(screen),
      person,
    });
    const sharing = own ? state.local.sharing : of(true) !== undefined;
    return sharing ? [tile(true), tile(false)] : [tile(false)];
  });
}

export function tilePages(state: MeetingState, perPage: number): TilePages {
  const tiles = allTiles(state);
  const byKey = new Map(tiles.map((tile) => [tile.key, tile] as const));
  // Our own screen is before us anyway; its picture here would mirror itself (W44).
  const screens = tiles.filter((tile) => tile.screen && !tile.self).map((tile) => tile.key);
  const people = tiles.filter((tile) => !tile.screen).map((tile) => tile.key);
  const order = [...screens, ...people];
  const heard = (key: string): number => state.people.get(key)?.heardAt ?? (key.endsWith(":screen") ? Infinity : 0);
  const arranged = firstPage(order, perPage, state.self.endpoint, heard, state.speaker);
  const pages = Math.max(1, Math.ceil(arranged.length / perPage));
  const page = Math.min(state.tilePage, pages - 1);
  const shown = arranged.slice(page * perPage, (page + 1) * perPage).flatMap((key) => byKey.get(key) ?? []);
  return { shown, page, pages };
}

/** Pinned, else the newest screen of others, else who speaks, else somebody else, else ourselves. */
export function speakerStage(state: MeetingState, stripLimit: number): SpeakerStage | undefined {
  const tiles = allTiles(state);
  const others = tiles.filter((tile) => !tile.self);
  const big =
    tiles.find((tile) => tile.key === state.pinned) ??
    others.findLast((tile) => tile.screen) ??
    others.find((tile) => !tile.screen && tile.endpoint === state.speaker) ??
    mostRecent(others, state) ??
    tiles[0];
  if (big === undefined) return undefined;
  const rest = tiles.filter((tile) => tile.key !== big.key);
  const self = rest.filter((tile) => tile.self && !tile.screen);
  const ordered = [...rest.filter((tile) => !tile.self || tile.screen), ...self];
  if (ordered.length <= stripLimit) return { big, strip: ordered, more: 0 };
  const arranged = firstPage(
    ordered.map((tile) => tile.key),
    stripLimit,
    state.self.endpoint,
    (key) => state.people.get(key)?.heardAt ?? 0,
    state.speaker,
  );
  const strip = arranged.slice(0, stripLimit).flatMap((key) => ordered.find((tile) => tile.key === key) ?? []);
  return { big, strip, more: ordered.length - strip.length };
}

function mostRecent(tiles: readonly TileModel[], state: MeetingState): TileModel | undefined {
  let best: TileModel | undefined;
  let heardAt = -1;
  for (const tile of tiles) {
    const at = state.people.get(tile.endpoint)?.heardAt ?? 0;
    if (!tile.screen && at > heardAt) {
      best = tile;
      heardAt = at;
    }
  }
  return best;
}
