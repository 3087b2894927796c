/**
 * The few DER forms (ITU-T X.690) that certificates of ours need beyond what @peculiar/x509 writes. Writing only, definite lengths.
 */

/** Tag, length, content. */
export const der = (tag: number, ...parts: readonly Uint8Array[]): Uint8Array => {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const head = [tag];
  if (length < 0x80) head.push(length);
  else if (length < 0x100) head.push(0x81, length);
  else head.push(0x82, length >> 8, length & 0xff);
  if (length > 0xffff) throw new RangeError("DER content over 65535 bytes");
  const bytes = new Uint8Array(head.length + length);
  bytes.set(head);
  let at = head.length;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
};
