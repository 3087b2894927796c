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

const TYPE_PREFERENCE = { host: 126, srflx: 100 } as const;

/** RFC 8445 §5.1.2.1; the first ones get 2130706431 and 1694498815 as at the originals. */
const priority = (type: keyof typeof TYPE_PREFERENCE, place: number): number =>
  TYPE_PREFERENCE[type] * 2 ** 24 + (65_535 - place) * 2 ** 8 + 255;

/** An address that leads here from outside. `port` 0: the same as the socket's. */
export interface PublicAddress {
  readonly address: string;
  readonly port: number;
}

/** `203.0.113.7` or `203.0.113.7#20000`. */
export function readPublicAddress(text: string): PublicAddress {
  const [address = "", port = "0"] = text.split("#");
  return { address, port: Number(port) };
}

/** RFC 1918, RFC 6598, RFC 4193, loopback and link-local. */
export function isPrivate(address: string): boolean {
  if (address.includes(":")) return /^(::1$|f[cd]|fe[89ab])/i.test(address);
  return /^(10|127)\.|^192\.168\.|^169\.254\.|^172\.(1[6-9]|2\d|3[01])\.|^100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\./.test(
    address,
  );
}

export interface CandidateOptions {
  readonly advertise: readonly PublicAddress[];
  /** Whether the peer is told private addresses. */
  readonly withPrivate: boolean;
  /** Makes unique candidate ids. */
  readonly id: () => string;
}

/** What the bridge offers a peer: its own addresses, then the public ones that lead to them (bridge.md 3.2). */
export function candidates(sockets: readonly MediaSocket[], options: CandidateOptions): Candidate[] {
  const own = sockets.filter((socket) => options.withPrivate || !isPrivate(socket.address));
  const candidate = (type: "host" | "srflx", place: number, ip: string, port: number): Candidate => ({
    component: 1,
    foundation: String(place + 1),
    generation: 0,
    id: options.id(),
    network: "0",
    priority: priority(type, type === "host" ? place : place - own.length),
    protocol: "udp",
    type,
    ip,
    port,
  });
  const hosts = own.map((socket, place) => candidate("host", place, socket.address, socket.port));
  const mapped = options.advertise.flatMap(({ address, port }, index) => {
    const family = address.includes(":") ? 6 : 4;
    const base = sockets.find((socket) => socket.family === family);
    if (base === undefined) return [];
    const hidden = !options.withPrivate && isPrivate(base.address);
    return [
      {
        ...candidate("srflx", own.length + index, address, port === 0 ? base.port : port),
        relAddr: hidden ? "0.0.0.0" : base.address,
        relPort: hidden ? 9 : base.port,
      },
    ];
  });
  return [...hosts, ...mapped];
}

/** IPv4-mapped IPv6 addresses are their IPv4 address, so that one host has one text form. */
export const plainAddress = (address: string): string =>
  /^::ffff:\d+\.\d+\.\d+\.\d+$/i.test(address) ? address.slice(7) : address.toLowerCase();
