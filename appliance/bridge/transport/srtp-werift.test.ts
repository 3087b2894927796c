/**
 * Our SRTP against an implementation that is not ours: werift's sessions, both profiles, RTP and RTCP, over a roll-over (werift follows steps below 100 only).
 */
import { ptr } from "bun:ffi";
import { expect, test } from "bun:test";
import { createRequire } from "node:module";
import { seededBytes } from "../../simulated-network.ts";
import type { SrtpMaster, SrtpProfile } from "../media-commands.ts";
import { createSrtpContext, type PacketMemory } from "./srtp.ts";
import { SRTP_PROFILE_SIZES } from "./srtp-keys.ts";
import { KERNEL_TABLE_BYTES, kernelRegionBytes, srtpProviders } from "./srtp-providers.ts";

interface Session {
  encrypt(payload: Buffer, header: object): Buffer;
  decrypt(packet: Buffer): Buffer;
}
interface RtcpSession {
  encrypt(packet: Buffer): Buffer;
  decrypt(packet: Buffer): Buffer;
}
const file = (path: string): unknown =>
  createRequire(import.meta.url)(Bun.fileURLToPath(new URL(path, import.meta.resolve("werift"))));
const { SrtpSession } = file("./rtp/src/srtp/srtp.js") as { readonly SrtpSession: new (config: object) => Session };
const { SrtcpSession } = file("./rtp/src/srtp/srtcp.js") as {
  readonly SrtcpSession: new (config: object) => RtcpSession;
};
const { RtpHeader } = file("./rtp/src/rtp/rtp.js") as { readonly RtpHeader: new (fields: object) => object };

const CONTEXTS = 16;
const pages = Math.ceil((131_072 + kernelRegionBytes(CONTEXTS)) / 65_536);
const wasm = new WebAssembly.Memory({ initial: pages, maximum: pages });
const bytes = new Uint8Array(wasm.buffer);
const memory: PacketMemory = { memory: wasm, bytes, base: ptr(bytes) as number };
const { providers } = srtpProviders(memory, { at: 131_072, contexts: CONTEXTS });
const IDS: Readonly<Record<SrtpProfile, number>> = { AES128_CM_HMAC_SHA1_80: 1, AEAD_AES_128_GCM: 7 };
const AT = KERNEL_TABLE_BYTES;
const SSRC = 0x89abcdef;

for (const provider of providers)
  for (const profile of provider.profiles) {
    const random = seededBytes(3);
    const { key, salt } = SRTP_PROFILE_SIZES[profile];
    const [local, remote] = [0, 1].map((): SrtpMaster => ({ key: random(key), salt: random(salt) })) as [
      SrtpMaster,
      SrtpMaster,
    ];
    const config = {
      profile: IDS[profile],
      keys: {
        localMasterKey: Buffer.from(remote.key),
        localMasterSalt: Buffer.from(remote.salt),
        remoteMasterKey: Buffer.from(local.key),
        remoteMasterSalt: Buffer.from(local.salt),
      },
    };

    test(`${provider.name} and werift open each other's RTP, ${profile}`, () => {
      const theirs = new SrtpSession(config);
      const send = createSrtpContext(provider, memory, profile, local, "send");
      const receive = createSrtpContext(provider, memory, profile, remote, "receive");
      for (let n = 0; n < 400; n++) {
        const sequence = (60_000 + n * 41) & 0xffff;
        const payload = Buffer.from(random(1 + ((n * 37) % 1200)));
        const header = new RtpHeader({ sequenceNumber: sequence, timestamp: n, payloadType: 96, ssrc: SSRC });
        const sealed = theirs.encrypt(payload, header);
        bytes.set(sealed, AT);
        expect(receive.unprotectRtp(AT, 12, sealed.length)).toBe(payload.length);
        expect(Buffer.compare(bytes.subarray(AT + 12, AT + 12 + payload.length), payload)).toBe(0);
        // The plain packet back, under the other direction's keys.
        const length = send.protectRtp(AT, 12, AT + 12, payload.length);
        expect(Buffer.compare(theirs.decrypt(Buffer.from(bytes.slice(AT, AT + length))).subarray(12), payload)).toBe(0);
      }
      send.close();
      receive.close();
    });

    test(`${provider.name} and werift open each other's RTCP, ${profile}`, () => {
      const theirs = new SrtcpSession(config);
      const send = createSrtpContext(provider, memory, profile, local, "send");
      const receive = createSrtpContext(provider, memory, profile, remote, "receive");
      for (let n = 1; n < 60; n++) {
        const plain = Buffer.concat([
          Buffer.from([0x81, 201, 0, n, 0x12, 0x34, 0x56, 0x78]),
          Buffer.from(random(4 * n)),
        ]);
        const sealed = theirs.encrypt(plain);
        bytes.set(sealed, AT);
        expect(receive.unprotectRtcp(AT, sealed.length)).toBe(plain.length);
        expect(Buffer.compare(bytes.subarray(AT, AT + plain.length), plain)).toBe(0);
        const length = send.protectRtcp(AT, plain.length);
        expect(Buffer.compare(theirs.decrypt(Buffer.from(bytes.slice(AT, AT + length))), plain)).toBe(0);
      }
      send.close();
      receive.close();
    });
  }
