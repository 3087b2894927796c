/**
 * Which of this machine's addresses the media port is bound on and advertised as (bridge.md 3.2, design.md 5), and the ICE host candidates made of them.
 */
import type { Candidate } from "../wire/ice-transport.ts";
import type { MediaSocket } from "./media-commands.ts";

/** One address of one interface, as the system lists it. */
export interface InterfaceAddress {
  /** Text form; IPv6 without zone. */
  readonly address: string;
  readonly family: 4 | 6;
  /** Loopback interface. */
  readonly internal: boolean;
}

const MAX_ADDRESSES = 16;

const isLinkLocal = (address: string): boolean => address.startsWith("169.254.") || /^fe[89ab]/i.test(address);
const rank = (each: InterfaceAddress): number => (each.internal ? 4 : 0) + (each.family === 6 ? 1 : 0);

/**
 * Addresses to bind and advertise, the best first. Without `lan` 127.0.0.1 is among them: Chromium reaches it, whereas Firefox
 * sends nothing there (facts/transport.md 8) and takes one of the others.
 */
export function selectAddresses(own: readonly InterfaceAddress[], lan: boolean): string[] {
  const sorted = [...own].sort((a, b) => rank(a) - rank(b));
  const usable = sorted.filter((each) => !isLinkLocal(each.address));
  const outer = usable.filter((each) => !each.internal);
  const loopback = usable.filter((each) => each.internal && (each.family === 4 || outer.length === 0));
  const chosen = outer.length === 0 ? (loopback.length > 0 ? loopback : sorted) : lan ? outer : [...outer, ...loopback];
  return [...new Set(chosen.map((each) => each.address))].slice(0, MAX_ADDRESSES);
}

const TYPE_PREFERENCE_HOST = 126;

/** RFC 8445 §5.1.2.1; the first one gets 2130706431 as at the originals. */
const priority = (place: number): number => TYPE_PREFERENCE_HOST * 2 ** 24 + (65_535 - place) * 2 ** 8 + 255;

/** `id` makes unique candidate ids. */
export const hostCandidates = (sockets: readonly MediaSocket[], id: () => string): Candidate[] =>
  sockets.map((socket, place) => ({
    component: 1,
    foundation: String(place + 1),
    generation: 0,
    id: id(),
    network: "0",
    priority: priority(place),
    protocol: "udp",
    type: "host",
    ip: socket.address,
    port: socket.port,
  }));

/** IPv4-mapped IPv6 addresses are their IPv4 address, so that one host has one text form. */
export const plainAddress = (address: string): string =>
  /^::ffff:\d+\.\d+\.\d+\.\d+$/i.test(address) ? address.slice(7) : address.toLowerCase();
