/**
 * Classes of datagrams on the shared port by their first byte (RFC 7983 §7), and RTCP by its second (RFC 5761 §4).
 */

export type DatagramClass = "stun" | "dtls" | "rtp" | "rtcp" | "unknown";

export const isStun = (first: number): boolean => first <= 3;
export const isDtls = (first: number): boolean => first >= 20 && first <= 63;
export const isRtpOrRtcp = (first: number): boolean => first >= 128 && first <= 191;
export const isRtcpType = (second: number): boolean => second >= 192 && second <= 223;

export function classifyDatagram(bytes: Uint8Array, at = 0, length = bytes.length - at): DatagramClass {
  if (length < 1) return "unknown";
  const first = bytes[at] as number;
  if (isStun(first)) return "stun";
  if (isDtls(first)) return "dtls";
  if (isRtpOrRtcp(first) && length >= 2) return isRtcpType(bytes[at + 1] as number) ? "rtcp" : "rtp";
  return "unknown";
}
