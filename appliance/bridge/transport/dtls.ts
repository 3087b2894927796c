import type { SrtpProfile } from "../media-commands.ts";
import type { Certificate } from "./certificate.ts";
/** Certificate and SRTP profile order for all endpoints made while it is current. */
export declare class DtlsContext {
  /** `profiles`: ours in order of preference; as server the first that the client offers is taken. Throws where libssl cannot be loaded or refuses. */
  constructor(certificate: Certificate, profiles: readonly SrtpProfile[]);
  readonly certificate: Certificate;
  /** Frees the library's context once the last transport made with it is closed. */
  close(): void;
}
