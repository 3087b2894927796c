/**
 * IP addresses as bytes, and ranges of them: which ones a root of the box's own may vouch for. Pure.
 */

/** Addresses that a root may vouch for: private, shared, loopback and unique-local ones. */
export const PRIVATE_RANGES = [
  "10.0.0.0/8",
  "172.16.0.0/12",
  "192.168.0.0/16",
  "100.64.0.0/10",
  "169.254.0.0/16",
  "127.0.0.0/8",
  "fc00::/7",
  "fe80::/10",
  "::1/128",
] as const;

/** Whether an address lies in one of the ranges. */
export const inRanges = (address: string, ranges: readonly string[]): boolean => {
  const bytes = addressBytes(address);
  if (bytes === undefined) return false;
  return ranges.some((range) => {
    const both = addressAndMask(range);
    if (both.length !== bytes.length * 2) return false;
    return bytes.every(
      (byte, index) =>
        (byte & (both[bytes.length + index] ?? 0)) === ((both[index] ?? 0) & (both[bytes.length + index] ?? 0)),
    );
  });
};

/** An address and its mask, both as bytes, as RFC 5280 4.2.1.10 has them in iPAddress constraints. `10.0.0.0/8`, `fd00::/8`. */
export const addressAndMask = (range: string): Uint8Array => {
  const [address = "", bits = ""] = range.split("/");
  const bytes = addressBytes(address);
  if (bytes === undefined) throw new RangeError(`not an address range: ${range}`);
  const both = new Uint8Array(bytes.length * 2);
  both.set(bytes);
  for (let bit = 0; bit < Number(bits); bit++)
    both[bytes.length + (bit >> 3)] = (both[bytes.length + (bit >> 3)] ?? 0) | (0x80 >> (bit & 7));
  return both;
};

/** 4 or 16 bytes of an IP address in text form; undefined if it is none. Scope ids are ignored. */
export const addressBytes = (text: string): Uint8Array | undefined => {
  const [address = ""] = text.split("%");
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(address)) {
    const bytes = address.split(".").map(Number);
    return bytes.every((byte) => byte <= 255) ? Uint8Array.from(bytes) : undefined;
  }
  if (!/^[0-9A-Fa-f:]+(:\d{1,3}(\.\d{1,3}){3})?$/.test(address) || !address.includes(":")) return undefined;
  const [head = "", tail, more] = address.split("::");
  if (more !== undefined) return undefined;
  const groups = (part: string): number[] | undefined => {
    const out: number[] = [];
    for (const group of part === "" ? [] : part.split(":")) {
      const mapped = group.includes(".") ? addressBytes(group) : undefined;
      if (mapped !== undefined)
        out.push(((mapped[0] ?? 0) << 8) | (mapped[1] ?? 0), ((mapped[2] ?? 0) << 8) | (mapped[3] ?? 0));
      else if (/^[0-9A-Fa-f]{1,4}$/.test(group)) out.push(Number.parseInt(group, 16));
      else return undefined;
    }
    return out;
  };
  const left = groups(head);
  const right = groups(tail ?? "");
  if (left === undefined || right === undefined) return undefined;
  const missing = 8 - left.length - right.length;
  if (tail === undefined ? missing !== 0 : missing < 1) return undefined;
  const all = [...left, ...new Array<number>(missing).fill(0), ...right];
  return Uint8Array.from(all.flatMap((group) => [group >> 8, group & 0xff]));
};
