/**
 * How many columns: the rule of the look page, section 9. Pure: sizes in CSS px in, columns, rows and tile width out.
 */
export interface StageSize {
  readonly width: number;
  readonly height: number;
  /** Between tiles, px. */
  readonly gap: number;
}

export interface TileLimits {
  /** 5; 7 as a setting. */
  readonly maxColumns: number;
  /** Least width of a tile, px; a page holds as many as keep it. */
  readonly minWidth: number;
}

export interface TileGrid {
  readonly columns: number;
  readonly rows: number;
  /** CSS px, not rounded. */
  readonly tileWidth: number;
  /** Width divided by height. */
  readonly aspect: number;
  /** On each page but the last. */
  readonly perPage: number;
  readonly pages: number;
}

export const DESKTOP_LIMITS: TileLimits = { maxColumns: 5, minWidth: 160 };
export const PHONE_LIMITS: TileLimits = { maxColumns: 3, minWidth: 110 };

const MAX_PER_PAGE = 25;
/** Widths closer than this count as equal; then the fuller grid wins. */
const NEAR = 0.98;

/** Pictures are 16:9, square on stages narrower than 500 px. */
export const aspectOf = (stage: StageSize): number => (stage.width < 500 ? 1 : 16 / 9);

const columnCap = (stage: StageSize, limits: TileLimits): number => {
  if (stage.width < 300) return 1;
  if (stage.width < 1000 && stage.height > stage.width) return 2;
  return limits.maxColumns;
};

/** The grid for `count` tiles, in pages when they would get too small. */
export function tileGrid(count: number, stage: StageSize, limits: TileLimits): TileGrid {
  const total = Math.max(1, count);
  for (let perPage = Math.min(total, MAX_PER_PAGE); perPage > 1; perPage -= 1) {
    const grid = bestGrid(perPage, stage, limits);
    if (grid.tileWidth >= limits.minWidth) return { ...grid, perPage, pages: Math.ceil(total / perPage) };
  }
  return { ...bestGrid(1, stage, limits), perPage: 1, pages: total };
}

function bestGrid(count: number, stage: StageSize, limits: TileLimits): Omit<TileGrid, "perPage" | "pages"> {
  const aspect = aspectOf(stage);
  let best: { columns: number; rows: number; tileWidth: number; empty: number } | undefined;
  for (let columns = 1; columns <= Math.min(columnCap(stage, limits), count); columns += 1) {
    const rows = Math.ceil(count / columns);
    const tileWidth = Math.max(
      0,
      Math.min(
        (stage.width - (columns - 1) * stage.gap) / columns,
        ((stage.height - (rows - 1) * stage.gap) / rows) * aspect,
      ),
    );
    const empty = rows * columns - count;
    const better =
      best === undefined ||
      tileWidth * NEAR > best.tileWidth ||
      (tileWidth > best.tileWidth * NEAR &&
        (empty < best.empty || (empty === best.empty && tileWidth > best.tileWidth)));
    if (better) best = { columns, rows, tileWidth, empty };
  }
  return { columns: best?.columns ?? 1, rows: best?.rows ?? 1, tileWidth: best?.tileWidth ?? 0, aspect };
}

/**
 * Who is on which page: everybody in order; ourselves and the speaker on the first page (section 9). The speaker takes the place of the last
 * one there who has not spoken (W19), nobody else moves.
 */
export function firstPage(
  order: readonly string[],
  perPage: number,
  self: string,
  heard: (endpoint: string) => number,
  speaker: string | undefined,
): readonly string[] {
  if (order.length <= perPage) return order;
  const arranged = [...order];
  const bring = (who: string): void => {
    const at = arranged.indexOf(who);
    if (at === -1 || at < perPage) return;
    let target = perPage - 1;
    for (let i = 0; i < perPage; i += 1) {
      const here = arranged[i];
      const there = arranged[target];
      if (here === undefined || there === undefined || here === self || here === speaker) continue;
      if (there === self || there === speaker || heard(here) <= heard(there)) target = i;
    }
    const moved = arranged[target];
    if (moved === undefined) return;
    arranged[target] = who;
    arranged[at] = moved;
  };
  bring(self);
  if (speaker !== undefined) bring(speaker);
  return arranged;
}
