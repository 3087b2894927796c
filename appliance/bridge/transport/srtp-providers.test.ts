import { ptr } from "bun:ffi";
import { describe, expect, test } from "bun:test";
import type { SrtpProfile } from "../media-commands.ts";
import type { PacketMemory, SrtpProvider, SrtpProviderName } from "./srtp.ts";
import {
  CERTAIN_MICROS,
  chooseAmongAll,
  chooseProviders,
  KERNEL_TABLE_BYTES,
  kernelRegionBytes,
  profileOrder,
  srtpProviders,
} from "./srtp-providers.ts";

const CONTEXTS = 16;
const pages = Math.ceil((131_072 + kernelRegionBytes(CONTEXTS)) / 65_536);
const wasm = new WebAssembly.Memory({ initial: pages, maximum: pages });
const bytes = new Uint8Array(wasm.buffer);
const memory: PacketMemory = { memory: wasm, bytes, base: ptr(bytes) as number };

/** A clock that providers move by what a packet costs with them, and a provider that does nothing else. */
class Costs {
  now = 0;
  open = 0;
  readonly clock = (): number => this.now;

  provider(name: SrtpProviderName, micros: Readonly<Partial<Record<SrtpProfile, number>>>): SrtpProvider {
    return {
      name,
      profiles: Object.keys(micros) as SrtpProfile[],
      createTransform: (profile) => {
        this.open++;
        return {
          tagBytes: 10,
          rtcpBytesAfterIndex: 10,
          sealRtp: (_destination, headerBytes, _source, payloadBytes) => {
            this.now += (micros[profile] ?? Number.NaN) / 1000;
            return headerBytes + payloadBytes + 10;
          },
          openRtp: () => -7,
          sealRtcp: () => -7,
          openRtcp: () => -7,
          ahead: () => 0,
          close: () => this.open--,
        };
      },
    };
  }
}

const choose = (costs: Costs, providers: readonly SrtpProvider[], pinned?: SrtpProviderName) =>
  chooseProviders(memory, providers, KERNEL_TABLE_BYTES, costs.clock, pinned);

describe("choosing", () => {
  test("the cheapest for each profile, all figures kept, nothing left open", () => {
    const costs = new Costs();
    const choices = choose(costs, [
      costs.provider("node", { AEAD_AES_128_GCM: 40, AES128_CM_HMAC_SHA1_80: 60 }),
      costs.provider("scalar", { AEAD_AES_128_GCM: 70, AES128_CM_HMAC_SHA1_80: 20 }),
    ]);
    expect(choices.AEAD_AES_128_GCM.provider.name).toBe("node");
    expect(choices.AEAD_AES_128_GCM.microsPerPacket).toBeCloseTo(40, 6);
    expect(choices.AES128_CM_HMAC_SHA1_80.provider.name).toBe("scalar");
    expect(choices.AES128_CM_HMAC_SHA1_80.measured.map(({ name }) => name)).toEqual(["scalar", "node"]);
    expect(profileOrder(choices)).toEqual(["AES128_CM_HMAC_SHA1_80", "AEAD_AES_128_GCM"]);
    expect(costs.open).toBe(0);
  });

  test("the order of profiles follows their cost", () => {
    const costs = new Costs();
    const choices = choose(costs, [costs.provider("node", { AEAD_AES_128_GCM: 4, AES128_CM_HMAC_SHA1_80: 6 })]);
    expect(profileOrder(choices)).toEqual(["AEAD_AES_128_GCM", "AES128_CM_HMAC_SHA1_80"]);
  });

  test("a pinned one is taken, whatever it costs; one that does not run is a fault", () => {
    const costs = new Costs();
    const providers = [
      costs.provider("node", { AEAD_AES_128_GCM: 400, AES128_CM_HMAC_SHA1_80: 600 }),
      costs.provider("libcrypto", { AEAD_AES_128_GCM: 1, AES128_CM_HMAC_SHA1_80: 1 }),
    ];
    const choices = choose(costs, providers, "node");
    expect(choices.AEAD_AES_128_GCM.provider.name).toBe("node");
    expect(() => choose(costs, providers, "scalar")).toThrow("scalar");
  });

  test("a pinned one that cannot do a profile leaves it to the cheapest of the others", () => {
    const costs = new Costs();
    const choices = choose(
      costs,
      [
        costs.provider("gnutls", { AEAD_AES_128_GCM: 400 }),
        costs.provider("libcrypto", { AEAD_AES_128_GCM: 1, AES128_CM_HMAC_SHA1_80: 2 }),
        costs.provider("node", { AEAD_AES_128_GCM: 1, AES128_CM_HMAC_SHA1_80: 3 }),
      ],
      "gnutls",
    );
    expect(choices.AEAD_AES_128_GCM.provider.name).toBe("gnutls");
    expect(choices.AES128_CM_HMAC_SHA1_80.provider.name).toBe("libcrypto");
    expect(costs.open).toBe(0);
  });

  test("a profile that nobody can do is a fault", () => {
    const costs = new Costs();
    expect(() => choose(costs, [costs.provider("gnutls", { AEAD_AES_128_GCM: 1 })])).toThrow("AES128_CM_HMAC_SHA1_80");
  });
});

test("this machine runs all of them, and what is measured is a packet that was protected", () => {
  const { providers, missing } = srtpProviders(memory, { at: 131_072, contexts: CONTEXTS });
  expect(missing).toEqual({});
  expect(providers.map(({ name }) => name)).toEqual(["gnutls", "libcrypto", "vector", "scalar", "node"]);
  let ticks = 0;
  const choices = chooseProviders(memory, providers, KERNEL_TABLE_BYTES, () => (ticks += 1));
  expect(choices.AEAD_AES_128_GCM.measured.length).toBe(5);
});

describe("choosing among all that run here", () => {
  const region = { at: 131_072, contexts: CONTEXTS };
  /** A clock that shows each measured packet as `micros`: it moves by a round of 50 packets at every second look. */
  const steady = (micros: number) => {
    let looks = 0;
    let now = 0;
    return (): number => {
      looks++;
      if (looks % 2 === 0) now += (micros * 50) / 1000;
      return now;
    };
  };
  test("the system's libraries that win beyond doubt spare the measurement of the others", () => {
    const choices = chooseAmongAll(memory, region, KERNEL_TABLE_BYTES, steady(CERTAIN_MICROS / 2));
    expect(choices.AEAD_AES_128_GCM.measured.map(({ name }) => name).sort()).toEqual(["gnutls", "libcrypto"]);
    expect(choices.AES128_CM_HMAC_SHA1_80.measured.map(({ name }) => name)).toEqual(["libcrypto"]);
  });
  test("one without the processor's help is measured beside the others", () => {
    const choices = chooseAmongAll(memory, region, KERNEL_TABLE_BYTES, steady(CERTAIN_MICROS * 3));
    expect(choices.AEAD_AES_128_GCM.measured.map(({ name }) => name).sort()).toEqual([
      "gnutls",
      "libcrypto",
      "node",
      "scalar",
      "vector",
    ]);
  });
  test("a pinned one is taken", () => {
    const choices = chooseAmongAll(memory, region, KERNEL_TABLE_BYTES, steady(1), "scalar");
    expect(choices.AES128_CM_HMAC_SHA1_80.provider.name).toBe("scalar");
  });
});
