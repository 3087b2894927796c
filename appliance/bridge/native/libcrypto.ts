/**
 * Shell: the calls into the system's libcrypto that SRTP makes, by bun:ffi. Addresses are numbers; 32-bit results keep BigInt off the hot path.
 */
import { dlopen, type Pointer } from "bun:ffi";
import { LibraryMissing } from "./libssl.ts";

const SYMBOLS = {
  EVP_CIPHER_CTX_new: { args: [], returns: "ptr" },
  EVP_CIPHER_CTX_free: { args: ["ptr"], returns: "void" },
  EVP_aes_128_ctr: { args: [], returns: "ptr" },
  EVP_aes_128_gcm: { args: [], returns: "ptr" },
  EVP_CipherInit_ex: { args: ["ptr", "ptr", "ptr", "ptr", "ptr", "i32"], returns: "i32" },
  EVP_CipherUpdate: { args: ["ptr", "ptr", "ptr", "ptr", "i32"], returns: "i32" },
  EVP_CipherFinal_ex: { args: ["ptr", "ptr", "ptr"], returns: "i32" },
  EVP_CIPHER_CTX_ctrl: { args: ["ptr", "i32", "i32", "ptr"], returns: "i32" },
  /** Takes no length limit beyond size_t; i32 is enough for packets and costs no BigInt. */
  SHA1_Update: { args: ["ptr", "ptr", "i32"], returns: "i32" },
} as const;

const open = () => dlopen("libcrypto.so.3", SYMBOLS).symbols;

export type Libcrypto = ReturnType<typeof open>;

/** EVP_CTRL_AEAD_GET_TAG and EVP_CTRL_AEAD_SET_TAG. */
export const GCM_GET_TAG = 0x10;
export const GCM_SET_TAG = 0x11;

let loaded: Libcrypto | undefined;

/** The library, loaded at the first call in this thread. Throws LibraryMissing. */
export function loadLibcrypto(): Libcrypto {
  if (loaded !== undefined) return loaded;
  try {
    loaded = open();
    return loaded;
  } catch (error) {
    throw new LibraryMissing(
      `cannot load libcrypto.so.3 (Debian package libssl3): ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

/** A number that is an address: what bun:ffi takes without looking. */
export const address = (value: number): Pointer => value as Pointer;
