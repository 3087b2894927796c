/** A face: initials on a colour that belongs to the person. */

/** Initials of a name: first letters of the first and the last word; one for a single word. */
export function initials(name: string): string {
  const words = name
    .trim()
    .split(/\s+/u)
    .filter((each) => each !== "");
  const first = words[0];
  const last = words.length > 1 ? words.at(-1) : undefined;
  const letter = (word: string | undefined): string =>
    word === undefined ? "" : ([...word][0] ?? "").toLocaleUpperCase();
  return `${letter(first)}${letter(last)}` || "?";
}

/** 1 … 8 from an endpoint id (FNV-1a). */
export function colourOf(endpoint: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < endpoint.length; i += 1) hash = Math.imul(hash ^ endpoint.charCodeAt(i), 0x01000193);
  return ((hash >>> 0) % 8) + 1;
}

export const Face = ({ endpoint, name }: { readonly endpoint: string; readonly name: string }) => (
  <span class={`who who${colourOf(endpoint)}`} aria-hidden="true">
    {initials(name)}
  </span>
);
