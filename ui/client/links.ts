/** Links inside of a chat message: http and https only, trailing punctuation left outside. */
export interface TextPart {
  readonly text: string;
  readonly href: string | undefined;
}

const LINK = /https?:\/\/[^\s<>"']+/gi;
const MAX_LINKS = 50;

export function linkParts(source: string): readonly TextPart[] {
  const parts: TextPart[] = [];
  let at = 0;
  let found = 0;
  for (const match of source.matchAll(LINK)) {
    found += 1;
    if (found > MAX_LINKS) break;
    const link = trimmed(match[0]);
    if (!URL.canParse(link)) continue;
    if (match.index > at) parts.push({ text: source.slice(at, match.index), href: undefined });
    parts.push({ text: link, href: new URL(link).href });
    at = match.index + link.length;
  }
  if (at < source.length) parts.push({ text: source.slice(at), href: undefined });
  return parts;
}

/** A full stop or a bracket that belongs to the sentence, not to the link. */
function trimmed(link: string): string {
  let end = link.replace(/[.,;:!?]+$/, "");
  while (end.endsWith(")") && count(end, ")") > count(end, "(")) end = end.slice(0, -1).replace(/[.,;:!?]+$/, "");
  return end;
}

const count = (text: string, character: string): number => text.split(character).length - 1;
