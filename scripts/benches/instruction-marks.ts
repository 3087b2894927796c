/**
 * What count-instructions.c prints. Pure.
 */

/** Instructions between each mark 0 and the mark 1 behind it, in their order. */
export function betweenMarks(text: string): number[] {
  const spans: number[] = [];
  let from: number | undefined;
  for (const [, number, count] of text.matchAll(/^mark (\d+) (\d+)$/gm)) {
    if (number === "0") from = Number(count);
    else if (from !== undefined) {
      spans.push(Number(count) - from);
      from = undefined;
    }
  }
  return spans;
}
