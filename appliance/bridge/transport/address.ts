/**
 * IP addresses between text and bytes: dotted IPv4, RFC 4291 IPv6 in, RFC 5952 out. No zones, no brackets, no names.
 */

/** 4 or 16 bytes in network order, undefined for anything that is not a plain address. */
export function parseAddress(text: string): Uint8Array | undefined {
  if (text.length > 45) return undefined;
  return text.includes(":") ? parseIpv6(text) : parseIpv4(text);
}

function parseIpv4(text: string): Uint8Array | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  const bytes = new Uint8Array(4);
  for (let i = 0; i < 4; i++) {
    const part = parts[i] as string;
    if (!/^(0|[1-9][0-9]{0,2})$/.test(part) || Number(part) > 255) return undefined;
    bytes[i] = Number(part);
  }
  return bytes;
}

function parseIpv6(text: string): Uint8Array | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const head = groups(halves[0] as string, halves.length === 1);
  const tail = halves.length === 2 ? groups(halves[1] as string, true) : [];
  if (head === undefined || tail === undefined) return undefined;
  if (halves.length === 2 ? head.length + tail.length > 14 : head.length !== 16) return undefined;
  const bytes = new Uint8Array(16);
  bytes.set(head, 0);
  bytes.set(tail, 16 - tail.length);
  return bytes;
}

/** Bytes of colon-separated groups; at the end of the whole the last may be an IPv4 address. */
function groups(text: string, atEnd: boolean): number[] | undefined {
  if (text === "") return [];
  const parts = text.split(":");
  const bytes: number[] = [];
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i] as string;
    if (part.includes(".")) {
      const v4 = atEnd && i === parts.length - 1 ? parseIpv4(part) : undefined;
      if (v4 === undefined) return undefined;
      bytes.push(...v4);
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return undefined;
      const value = Number.parseInt(part, 16);
      bytes.push(value >> 8, value & 255);
    }
  }
  return bytes.length <= 16 ? bytes : undefined;
}

/** Text of 4 or 16 bytes at an offset; IPv4-mapped IPv6 as `::ffff:a.b.c.d`. */
export function formatAddress(bytes: Uint8Array, at: number, length: 4 | 16): string {
  const byte = (i: number): number => bytes[at + i] as number;
  if (length === 4) return `${byte(0)}.${byte(1)}.${byte(2)}.${byte(3)}`;
  const words: number[] = [];
  for (let i = 0; i < 16; i += 2) words.push((byte(i) << 8) | byte(i + 1));
  if (words.slice(0, 5).every((word) => word === 0) && words[5] === 0xffff)
    return `::ffff:${byte(12)}.${byte(13)}.${byte(14)}.${byte(15)}`;
  // The longest run of at least two zero groups becomes `::`, the first of equals.
  let start = -1;
  let longest = 1;
  for (let i = 0; i < 8; i++) {
    let run = 0;
    while (i + run < 8 && words[i + run] === 0) run++;
    if (run > longest) {
      start = i;
      longest = run;
    }
    i += Math.max(0, run - 1);
  }
  const hex = (part: readonly number[]): string => part.map((word) => word.toString(16)).join(":");
  return start < 0 ? hex(words) : `${hex(words.slice(0, start))}::${hex(words.slice(start + longest))}`;
}

/** The one text form of an address, undefined when it is none. */
export function canonicalAddress(text: string): string | undefined {
  const bytes = parseAddress(text);
  if (bytes === undefined) return undefined;
  return formatAddress(bytes, 0, bytes.length === 4 ? 4 : 16);
}

export const isLoopback = (address: string): boolean => address.startsWith("127.") || address === "::1";
