/**
 * Socket addresses as bytes (sockaddr_in, sockaddr_in6 of Linux), and the table from (socket, address) to whoever lives behind it.
 *
 *   sockaddr_in : family u16 (host order), port u16 (network order), address 4, zero 8
 *   sockaddr_in6: family u16, port u16, flow info u32, address 16, scope id u32
 */
import { read16 } from "../rtp/bytes.ts";
import { formatAddress, parseAddress } from "../transport/address.ts";
import { ADDRESS_BYTES } from "./outbox.ts";

export const AF_INET = 2;
export const AF_INET6 = 10;
export const MAX_PATHS = 4096;
export const PATHS_BYTES = MAX_PATHS * ADDRESS_BYTES;

/** Writes the socket address; false: the text is no address of that family. `family` 4 or 6; an IPv4 address on a v6 socket is mapped. */
export function writeAddress(
  bytes: Uint8Array,
  offset: number,
  family: 4 | 6,
  address: string,
  port: number,
  scope = 0,
): boolean {
  const plain = parseAddress(address);
  bytes.fill(0, offset, offset + ADDRESS_BYTES);
  bytes[offset + 2] = port >>> 8;
  bytes[offset + 3] = port;
  if (plain === undefined) return false;
  if (family === 4) {
    if (plain.length !== 4) return false;
    bytes[offset] = AF_INET;
    bytes.set(plain, offset + 4);
    return true;
  }
  bytes[offset] = AF_INET6;
  if (plain.length === 4) {
    bytes[offset + 18] = 255;
    bytes[offset + 19] = 255;
    bytes.set(plain, offset + 20);
  } else bytes.set(plain, offset + 8);
  bytes[offset + 24] = scope;
  bytes[offset + 25] = scope >>> 8;
  bytes[offset + 26] = scope >>> 16;
  bytes[offset + 27] = scope >>> 24;
  return true;
}

export const addressPort = (bytes: Uint8Array, offset: number): number => read16(bytes, offset + 2);

/** Text form; cold. */
export const addressText = (bytes: Uint8Array, offset: number): string =>
  bytes[offset] === AF_INET ? formatAddress(bytes, offset + 4, 4) : formatAddress(bytes, offset + 8, 16);

/**
 * Open addressing over the address words; entries keep their socket addresses in the packet memory, where the system calls can read them. Bound:
 * MAX_PATHS; the caller is told when full.
 */
export class PathTable {
  readonly #bytes: Uint8Array;
  readonly #words: Int32Array;
  readonly #start: number;
  readonly #socket = new Int32Array(MAX_PATHS).fill(-1);
  readonly #owner = new Int32Array(MAX_PATHS).fill(-1);
  readonly #buckets = new Int32Array(MAX_PATHS * 2).fill(-1);
  readonly #free: number[] = [];

  /** `start`: PATHS_BYTES from there are the table's; a multiple of 4. */
  constructor(bytes: Uint8Array, start: number) {
    this.#bytes = bytes;
    this.#words = new Int32Array(bytes.buffer);
    this.#start = start;
    for (let index = MAX_PATHS - 1; index >= 0; index--) this.#free.push(index);
  }

  /** Path of a socket address at `address` (a multiple of 4), −1: not known. */
  find(socket: number, address: number): number {
    let bucket = this.#hash(socket, address >> 2);
    for (;;) {
      const path = this.#buckets[bucket] as number;
      if (path < 0) return -1;
      if (this.#socket[path] === socket && this.#same(path, address >> 2)) return path;
      bucket = (bucket + 1) & (MAX_PATHS * 2 - 1);
    }
  }

  /** Owner of a path; −1: nobody. */
  owner(path: number): number {
    return this.#owner[path] as number;
  }

  socketOf(path: number): number {
    return this.#socket[path] as number;
  }

  /** Offset of the path's socket address. */
  addressOf(path: number): number {
    return this.#start + path * ADDRESS_BYTES;
  }

  /** Adds or re-points; −1: the table is full. */
  set(socket: number, address: number, owner: number): number {
    const known = this.find(socket, address);
    if (known >= 0) {
      this.#owner[known] = owner;
      return known;
    }
    const path = this.#free.pop();
    if (path === undefined) return -1;
    this.#socket[path] = socket;
    this.#owner[path] = owner;
    this.#bytes.copyWithin(this.addressOf(path), address, address + ADDRESS_BYTES);
    this.#insert(path);
    return path;
  }

  /** Removes one path. */
  remove(path: number): void {
    if (this.#socket[path] === -1) return;
    this.#socket[path] = -1;
    this.#owner[path] = -1;
    this.#free.push(path);
    this.#rebuild();
  }

  /** Removes all paths of an owner. */
  removeOwner(owner: number): void {
    for (let path = 0; path < MAX_PATHS; path++) {
      if (this.#socket[path] === -1 || this.#owner[path] !== owner) continue;
      this.#socket[path] = -1;
      this.#owner[path] = -1;
      this.#free.push(path);
    }
    this.#rebuild();
  }

  #rebuild(): void {
    this.#buckets.fill(-1);
    for (let path = 0; path < MAX_PATHS; path++) if (this.#socket[path] !== -1) this.#insert(path);
  }

  #insert(path: number): void {
    let bucket = this.#hash(this.#socket[path] as number, this.addressOf(path) >> 2);
    while ((this.#buckets[bucket] as number) >= 0) bucket = (bucket + 1) & (MAX_PATHS * 2 - 1);
    this.#buckets[bucket] = path;
  }

  /** Family and port, then the address: one word, or four and the scope. */
  #hash(socket: number, at: number): number {
    const words = this.#words;
    const first = words[at] as number;
    let hash = Math.imul(first ^ (socket << 7), 0x9e3779b1);
    if ((first & 0xffff) === AF_INET6) {
      for (let word = at + 2; word < at + 7; word++)
        hash = Math.imul((hash ^ (hash >>> 15) ^ (words[word] as number)) | 0, 0x85ebca6b);
    } else hash = Math.imul((hash ^ (hash >>> 15) ^ (words[at + 1] as number)) | 0, 0x85ebca6b);
    hash ^= hash >>> 13;
    return hash & (MAX_PATHS * 2 - 1);
  }

  #same(path: number, at: number): boolean {
    const words = this.#words;
    const own = this.addressOf(path) >> 2;
    if (words[own] !== words[at]) return false;
    if (((words[at] as number) & 0xffff) === AF_INET) return words[own + 1] === words[at + 1];
    for (let word = 2; word < 7; word++) if (words[own + word] !== words[at + word]) return false;
    return true;
  }
}
