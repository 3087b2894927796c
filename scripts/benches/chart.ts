/**
 * The history as a picture: a small panel for each figure, one after the other in time. Pure: records in, SVG out.
 */
import type { HistoryRecord } from "./history.ts";

const WIDTH = 260;
const HEIGHT = 120;
const COLUMNS = 3;
const MARGIN = { left: 44, right: 12, top: 26, bottom: 20 };
/** Older records than these are not drawn. */
const MOST_RECORDS = 60;

interface Point {
  readonly commit: string;
  readonly value: number;
  readonly noisy: boolean;
}

const NOISY_CORES = 0.15;

const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

const show = (value: number): string => Number(value.toPrecision(3)).toString();

function panel(key: string, unit: string, points: readonly Point[], left: number, top: number): string {
  const values = points.map(({ value }) => value);
  const high = Math.max(...values) * 1.1 || 1;
  const inner = { width: WIDTH - MARGIN.left - MARGIN.right, height: HEIGHT - MARGIN.top - MARGIN.bottom };
  const x = (index: number): number =>
    left + MARGIN.left + (points.length === 1 ? inner.width / 2 : (index / (points.length - 1)) * inner.width);
  // From zero: half as much looks like half as much.
  const y = (value: number): number => top + MARGIN.top + inner.height * (1 - value / high);
  const at = (value: number): string => value.toFixed(1);
  const line = points.map(({ value }, index) => `${at(x(index))},${at(y(value))}`).join(" ");
  const last = points.at(-1);
  return [
    `<text class="title" x="${left + 6}" y="${top + 16}">${escaped(key)}</text>`,
    `<text class="now" x="${left + WIDTH - MARGIN.right}" y="${top + 16}" text-anchor="end">${escaped(`${show(last?.value ?? 0)} ${unit}`)}</text>`,
    ...[0, high].map(
      (value) =>
        `<line class="grid" x1="${left + MARGIN.left}" x2="${left + WIDTH - MARGIN.right}" y1="${at(y(value))}" y2="${at(y(value))}"/>` +
        `<text class="scale" x="${left + MARGIN.left - 4}" y="${at(y(value) + 3)}" text-anchor="end">${show(value)}</text>`,
    ),
    `<polyline class="line" points="${line}"/>`,
    ...points.map(
      ({ commit, value, noisy }, index) =>
        `<circle class="${noisy ? "noisy" : "dot"}" cx="${at(x(index))}" cy="${at(y(value))}" r="2.5"><title>${escaped(`${commit.slice(0, 9)}: ${show(value)} ${unit}${noisy ? ", noisy machine" : ""}`)}</title></circle>`,
    ),
    `<text class="scale" x="${left + MARGIN.left}" y="${top + HEIGHT - 6}">${escaped(points[0]?.commit.slice(0, 7) ?? "")}</text>`,
    points.length < 2
      ? ""
      : `<text class="scale" x="${left + WIDTH - MARGIN.right}" y="${top + HEIGHT - 6}" text-anchor="end">${escaped(last?.commit.slice(0, 7) ?? "")}</text>`,
  ].join("\n");
}

/** Only records of the newest one's kind of machine: others' figures say nothing beside them. */
export function chart(history: readonly HistoryRecord[]): string {
  const newest = history.at(-1);
  const records = history
    .filter(({ machine }) => machine.processor === newest?.machine.processor && machine.cores === newest.machine.cores)
    .slice(-MOST_RECORDS);
  const keys = new Map<string, string>();
  for (const { figures } of records) for (const [key, { unit }] of Object.entries(figures)) keys.set(key, unit);
  const panels = [...keys].map(([key, unit], index) =>
    panel(
      key,
      unit,
      records.flatMap(({ commit, figures, othersCores }) => {
        const figure = figures[key];
        return figure === undefined ? [] : [{ commit, value: figure.value, noisy: othersCores > NOISY_CORES }];
      }),
      (index % COLUMNS) * WIDTH,
      24 + Math.floor(index / COLUMNS) * HEIGHT,
    ),
  );
  const height = 24 + Math.ceil(panels.length / COLUMNS) * HEIGHT;
  const title = newest === undefined ? "no records yet" : `${newest.machine.cores} × ${newest.machine.processor}`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH * COLUMNS}" height="${height}" viewBox="0 0 ${WIDTH * COLUMNS} ${height}" font-family="sans-serif" role="img">`,
    "<style>text{fill:#333}.title{font-size:11px;font-weight:bold}.now{font-size:11px}.scale{font-size:9px;fill:#666}.grid{stroke:#ddd}.line{fill:none;stroke:#2458a6;stroke-width:1.5}.dot{fill:#2458a6}.noisy{fill:#fff;stroke:#b3541e;stroke-width:1.5}</style>",
    `<rect width="${WIDTH * COLUMNS}" height="${height}" fill="#fff"/>`,
    `<text class="title" x="6" y="16">${escaped(`${title}; hollow: others used the machine as well`)}</text>`,
    ...panels,
    "</svg>",
    "",
  ].join("\n");
}
