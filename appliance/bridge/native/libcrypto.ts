/**
 * Shell: the calls into the system's libcrypto that SRTP makes, by bun:ffi. Addresses are numbers; 32-bit results keep BigInt off the hot path.
 *
 * Ciphers are called as libcrypto itself calls them: the functions of its default provider (provider-cipher(7), OSSL_PROVIDER_query_operation(3)), without the EVP layer
 * above. That layer looks parameters up by name at each IV and each tag: 0.3 µs of a packet, and a dozen cold lines of the cache.
 */
import { CString, dlopen, linkSymbols, type Pointer, ptr, read } from "bun:ffi";
import { writePointer } from "./libc-layout.ts";
import { LibraryMissing, openLibrary } from "./library.ts";
import { Pinned } from "./pinned.ts";

const SYMBOLS = {
  OSSL_PROVIDER_load: { args: ["ptr", "ptr"], returns: "ptr" },
  OSSL_PROVIDER_get0_provider_ctx: { args: ["ptr"], returns: "ptr" },
  OSSL_PROVIDER_query_operation: { args: ["ptr", "i32", "ptr"], returns: "ptr" },
  /** Takes no length limit beyond size_t; i32 is enough for packets and costs no BigInt. */
  SHA1_Update: { args: ["ptr", "ptr", "i32"], returns: "i32" },
} as const;

const open = () => dlopen("libcrypto.so.3", SYMBOLS).symbols;

type Symbols = ReturnType<typeof open>;

// core_dispatch.h: an operation, and numbers of its functions.
const OP_CIPHER = 2;
const CIPHER_NEWCTX = 1;
const CIPHER_ENCRYPT_INIT = 2;
const CIPHER_DECRYPT_INIT = 3;
const CIPHER_FINAL = 5;
const CIPHER_CIPHER = 6;
const CIPHER_FREECTX = 7;
const CIPHER_GET_CTX_PARAMS = 10;
// Layouts of the 64-bit ABIs: OSSL_ALGORITHM { names, properties, functions, description }, OSSL_DISPATCH { int, function }.
const ALGORITHM_BYTES = 32;
const ALGORITHM_FUNCTIONS = 16;
const DISPATCH_BYTES = 16;
const DISPATCH_FUNCTION = 8;
/** More entries than any table has: a table without its end is given up. */
const MOST_ENTRIES = 1024;

const INIT = { args: ["ptr", "ptr", "i32", "ptr", "i32", "ptr"], returns: "i32" } as const;

/** A cipher's functions, found by `at`. Results: 1 is success. Lengths are size_t, in i32 as above. */
const link = (at: (id: number) => Pointer) =>
  linkSymbols({
    /** Of the provider's context; null: out of memory. */
    newContext: { ptr: at(CIPHER_NEWCTX), args: ["ptr"], returns: "ptr" },
    /** Wipes the key schedule as well. */
    freeContext: { ptr: at(CIPHER_FREECTX), args: ["ptr"], returns: "void" },
    /** Context, key or null and its length, IV or null and its length, OSSL_PARAM array or null. */
    encryptInit: { ptr: at(CIPHER_ENCRYPT_INIT), ...INIT },
    decryptInit: { ptr: at(CIPHER_DECRYPT_INIT), ...INIT },
    /** Context, out (null: bytes are authenticated only), length written, room, in and its length. */
    cipher: { ptr: at(CIPHER_CIPHER), args: ["ptr", "ptr", "ptr", "i32", "ptr", "i32"], returns: "i32" },
    /** Context, out, length written, room. */
    final: { ptr: at(CIPHER_FINAL), args: ["ptr", "ptr", "ptr", "i32"], returns: "i32" },
    /** Context, OSSL_PARAM array. */
    getContextParams: { ptr: at(CIPHER_GET_CTX_PARAMS), args: ["ptr", "ptr"], returns: "i32" },
  }).symbols;

/** One cipher of the provider. */
export interface ProviderCipher extends ReturnType<typeof link> {
  readonly providerContext: Pointer | null;
}

/** Functions by their number. */
function functionsOf(dispatch: Pointer): ReadonlyMap<number, Pointer> {
  const functions = new Map<number, Pointer>();
  for (let entry = 0; entry < MOST_ENTRIES; entry++) {
    const id = read.i32(dispatch, entry * DISPATCH_BYTES);
    if (id === 0) break;
    functions.set(id, address(read.ptr(dispatch, entry * DISPATCH_BYTES + DISPATCH_FUNCTION)));
  }
  return functions;
}

/** libcrypto's default provider. */
export class Libcrypto {
  readonly sha1Update: Symbols["SHA1_Update"];
  readonly #symbols: Symbols;
  readonly #provider: Pointer;
  readonly #ciphers = new Map<string, ProviderCipher>();

  constructor(symbols: Symbols) {
    this.#symbols = symbols;
    this.sha1Update = symbols.SHA1_Update;
    const provider = symbols.OSSL_PROVIDER_load(null, ptr(Uint8Array.from(Buffer.from("default\0")))) as Pointer | null;
    if (provider === null) throw new LibraryMissing("libcrypto.so.3 has no default provider");
    this.#provider = provider;
  }

  /** By its name in OpenSSL: AES-128-GCM, AES-128-CTR. Throws LibraryMissing. */
  cipher(name: string): ProviderCipher {
    const known = this.#ciphers.get(name);
    if (known !== undefined) return known;
    const found = this.#find(name);
    this.#ciphers.set(name, found);
    return found;
  }

  #find(name: string): ProviderCipher {
    const missing = (): LibraryMissing => new LibraryMissing(`libcrypto.so.3 has no ${name}`);
    const noCache = new Pinned(4);
    const table = this.#symbols.OSSL_PROVIDER_query_operation(this.#provider, OP_CIPHER, noCache.at) as Pointer | null;
    const providerContext = this.#symbols.OSSL_PROVIDER_get0_provider_ctx(this.#provider) as Pointer | null;
    if (table === null) throw missing();
    for (let entry = 0; entry < MOST_ENTRIES; entry++) {
      const names = read.ptr(table, entry * ALGORITHM_BYTES);
      if (names === 0) break;
      if (!new CString(address(names)).toString().split(":").includes(name)) continue;
      const functions = functionsOf(address(read.ptr(table, entry * ALGORITHM_BYTES + ALGORITHM_FUNCTIONS)));
      const linked = link((id) => {
        const at = functions.get(id);
        if (at === undefined) throw missing();
        return at;
      });
      return { ...linked, providerContext };
    }
    throw missing();
  }
}

// OSSL_PARAM { name, type, data, size, bytes returned }, as words; an entry without a name ends an array. The name itself lies behind.
const PARAM_TYPE = 2;
const PARAM_DATA = 4;
const PARAM_SIZE = 6;
const PARAM_NAME = 12;
const OCTET_STRING = 5;

/** An array of one parameter, a string of `size` octets at an address that changes. */
export class OctetParam {
  readonly #words: Uint32Array;
  readonly #pinned: Pinned;
  /** Of the array. */
  readonly at: Pointer;

  constructor(name: string, size: number) {
    this.#pinned = new Pinned(4 * PARAM_NAME + ((name.length + 4) & ~3));
    this.#words = new Uint32Array(this.#pinned.bytes.buffer);
    this.at = this.#pinned.at;
    new TextEncoder().encodeInto(name, this.#pinned.bytes.subarray(4 * PARAM_NAME));
    writePointer(this.#words, 0, this.at + 4 * PARAM_NAME);
    this.#words[PARAM_TYPE] = OCTET_STRING;
    this.#words[PARAM_SIZE] = size;
  }

  /** Where the octets lie, or go. */
  set(data: number): void {
    writePointer(this.#words, PARAM_DATA, data);
  }
}

let loaded: Libcrypto | undefined;

/** The library, loaded at the first call in this thread. Throws LibraryMissing. */
export function loadLibcrypto(): Libcrypto {
  loaded ??= new Libcrypto(openLibrary("cannot load libcrypto.so.3 (Debian package libssl3)", open));
  return loaded;
}

/** A number that is an address: what bun:ffi takes without looking. */
export const address = (value: number): Pointer => value as Pointer;
