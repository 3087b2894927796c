/**
 * Shell: GnuTLS's AEAD interface by bun:ffi: a whole packet in one call, where libcrypto takes five. Its AES-GCM is written for the same instructions.
 *
 * A length that this ABI passes on the stack is declared as an address: bun:ffi writes only the lower half of such a place for an i32, and GnuTLS reads all of it.
 */
import { dlopen, type Pointer, read } from "bun:ffi";
import { LibraryMissing, openLibrary } from "./library.ts";
import { Pinned } from "./pinned.ts";

// gnutls/gnutls.h.
const GNUTLS_CIPHER_AES_128_GCM = 10;
export const GNUTLS_E_SUCCESS = 0;
export const GNUTLS_E_DECRYPTION_FAILED = -24;

/** Handle; nonce, its length; authenticated bytes, their length; length of the tag; in, its length; out, its room and then its length (size_t). */
const CRYPT = { args: ["ptr", "ptr", "i32", "ptr", "i32", "i32", "ptr", "ptr", "ptr", "ptr"], returns: "i32" } as const;

const SYMBOLS = {
  /** Where the handle goes, cipher, gnutls_datum_t of the key. */
  gnutls_aead_cipher_init: { args: ["ptr", "i32", "ptr"], returns: "i32" },
  /** Wipes the key schedule as well. */
  gnutls_aead_cipher_deinit: { args: ["ptr"], returns: "void" },
  /** The tag goes behind what is encrypted. */
  gnutls_aead_cipher_encrypt: CRYPT,
  gnutls_aead_cipher_decrypt: CRYPT,
} as const;

const open = () => dlopen("libgnutls.so.30", SYMBOLS).symbols;

type Symbols = ReturnType<typeof open>;

// gnutls_datum_t { data, size }, and behind it the place of the handle and the key.
const DATUM_SIZE = 8;
const HANDLE = 16;
const KEY = 24;
const MOST_KEY_BYTES = 32;

export class Gnutls {
  readonly encrypt: Symbols["gnutls_aead_cipher_encrypt"];
  readonly decrypt: Symbols["gnutls_aead_cipher_decrypt"];
  readonly #symbols: Symbols;
  readonly #scratch = new Pinned(KEY + MOST_KEY_BYTES);

  constructor(symbols: Symbols) {
    this.#symbols = symbols;
    this.encrypt = symbols.gnutls_aead_cipher_encrypt;
    this.decrypt = symbols.gnutls_aead_cipher_decrypt;
    // A policy of the system may forbid the cipher: better known now than at the first participant.
    this.free(this.aes128Gcm(new Uint8Array(16)));
  }

  /** A handle with its key (16 bytes), for both directions. Throws LibraryMissing. */
  aes128Gcm(key: Uint8Array): Pointer {
    const { bytes, words, at } = this.#scratch;
    const view = new DataView(bytes.buffer);
    view.setBigUint64(0, BigInt(at + KEY), true);
    view.setBigUint64(DATUM_SIZE, BigInt(key.length), true);
    bytes.set(key, KEY);
    const result = this.#symbols.gnutls_aead_cipher_init((at + HANDLE) as Pointer, GNUTLS_CIPHER_AES_128_GCM, at);
    const handle = read.ptr(at, HANDLE);
    words.fill(0);
    if (result !== GNUTLS_E_SUCCESS) throw new LibraryMissing(`GnuTLS has no AES-128-GCM for us: error ${result}`);
    return handle as Pointer;
  }

  free(handle: Pointer): void {
    this.#symbols.gnutls_aead_cipher_deinit(handle);
  }
}

let loaded: Gnutls | undefined;

/** The library, loaded at the first call in this thread. Throws LibraryMissing. */
export function loadGnutls(): Gnutls {
  loaded ??= new Gnutls(openLibrary("cannot load libgnutls.so.30 (Debian package libgnutls30)", open));
  return loaded;
}
