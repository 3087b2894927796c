/**
 * Which names a request may ask for (design.md: unknown hosts refused). A page that another name points at this box could otherwise read what the box serves.
 */

/** Host header to the name in it, lower case, without port, brackets and final dot. Undefined: no such header, or none that is one. */
export const hostName = (header: string | null): string | undefined => {
  if (header === null || header.length > 260) return undefined;
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?$/.exec(header);
  const name = match?.[1] ?? match?.[2];
  return name?.toLowerCase().replace(/\.$/, "");
};

export class AllowedHosts {
  #names: ReadonlySet<string>;

  constructor(names: readonly string[]) {
    this.#names = new Set(names.map((name) => name.toLowerCase()));
  }

  replace(names: readonly string[]): void {
    this.#names = new Set(names.map((name) => name.toLowerCase()));
  }

  allows(name: string): boolean {
    return this.#names.has(name);
  }
}

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|::1)$/;

/** A name that browsers take for this machine itself, and so for a secure context even without TLS. */
export const isLoopbackName = (name: string): boolean => LOOPBACK.test(name);

/** An address of this machine itself, as a socket says it. */
export const isLoopbackAddress = (address: string): boolean => /^(::1|(::ffff:)?127(\.\d{1,3}){3})$/.test(address);
