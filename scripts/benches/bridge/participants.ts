/**
 * The participants of a measured load, the same for the generator, our bridge and the floor: everything follows from their number.
 */
import type { MediaCommand, SrtpMaster, SrtpProfile } from "../../../appliance/bridge/media-commands.ts";

export interface Load {
  readonly rooms: number;
  /** People in each room; everybody sends and receives everybody. */
  readonly people: number;
  readonly profile: SrtpProfile;
}

export const AUDIO_PER_SECOND = 50;
export const FRAMES_PER_SECOND = 30;
export const PACKETS_PER_FRAME = 4;
export const AUDIO_TYPE = 111;
export const VIDEO_TYPE = 100;
export const RTX_TYPE = 96;
export const AUDIO_LEVEL_ID = 1;
export const TRANSPORT_CC_ID = 5;
/** Bytes of an Opus packet at some 32 kbit/s. */
export const AUDIO_PAYLOAD = 80;
/** Of the packets of a video frame; a sender cuts a frame evenly, the shorter ones first. */
export const VIDEO_PAYLOADS = [1129, 1129, 1130, 1130] as const;

export const audioSsrc = (participant: number): number => 1_000_000 + participant * 16;
export const videoSsrc = (participant: number): number => 1_000_000 + participant * 16 + 1;
export const rtxSsrc = (participant: number): number => 1_000_000 + participant * 16 + 2;

/** Keys of what a participant sends (`up`) and gets. */
export const masterKey = (participant: number, up: boolean, profile: SrtpProfile): SrtpMaster => ({
  key: Uint8Array.from({ length: 16 }, (_, index) => participant * 3 + index * 7 + (up ? 1 : 101)),
  salt: Uint8Array.from(
    { length: profile === "AEAD_AES_128_GCM" ? 12 : 14 },
    (_, index) => participant * 5 + index * 11 + (up ? 2 : 103),
  ),
});

/** Packets that go out for each second of this load. */
export const packetsOutPerSecond = ({ rooms, people }: Load): number =>
  rooms * people * (people - 1) * (AUDIO_PER_SECOND + FRAMES_PER_SECOND * PACKETS_PER_FRAME);

/** All that the control side would say to a media loop for this load; `ports`: the participants' own. */
export function commandsFor(load: Load, ports: readonly number[]): MediaCommand[] {
  const commands: MediaCommand[] = [];
  for (let room = 0; room < load.rooms; room++) {
    commands.push({ type: "conference", conference: room, loudest: 0, feedbackSsrcs: { audio: 7000, video: 7001 } });
    const members = Array.from({ length: load.people }, (_, index) => room * load.people + index);
    for (const member of members) {
      const path = { socket: 0, address: "127.0.0.1", port: ports[member] as number };
      commands.push(
        { type: "add-endpoint", endpoint: member, conference: room },
        {
          type: "payload-types",
          endpoint: member,
          payloadTypes: [
            {
              payloadType: AUDIO_TYPE,
              kind: "audio",
              codec: "opus",
              clockRate: 48_000,
              nack: false,
              pli: false,
              fir: false,
              transportCc: true,
            },
            {
              payloadType: VIDEO_TYPE,
              kind: "video",
              codec: "vp8",
              clockRate: 90_000,
              nack: true,
              pli: true,
              fir: true,
              transportCc: true,
            },
            {
              payloadType: RTX_TYPE,
              kind: "video",
              codec: "rtx",
              clockRate: 90_000,
              apt: VIDEO_TYPE,
              nack: false,
              pli: false,
              fir: false,
              transportCc: true,
            },
          ],
          extensions: { audioLevel: AUDIO_LEVEL_ID, transportCc: TRANSPORT_CC_ID },
          allowMixed: true,
        },
        {
          type: "sources",
          endpoint: member,
          sources: [
            {
              source: member * 2,
              name: `${member}-a0`,
              kind: "audio",
              encodings: [{ ssrc: audioSsrc(member), rtxSsrc: 0 }],
            },
            {
              source: member * 2 + 1,
              name: `${member}-v0`,
              kind: "video",
              encodings: [{ ssrc: videoSsrc(member), rtxSsrc: rtxSsrc(member) }],
            },
          ],
        },
        { type: "select-path", endpoint: member, path },
        {
          type: "srtp-keys",
          endpoint: member,
          profile: load.profile,
          receive: masterKey(member, true, load.profile),
          send: masterKey(member, false, load.profile),
        },
      );
    }
    for (const receiver of members)
      commands.push({
        type: "video-targets",
        receiver,
        targets: members
          .filter((member) => member !== receiver)
          .map((member) => ({
            source: member * 2 + 1,
            layer: 7,
            ssrc: videoSsrc(member),
            rtxSsrc: rtxSsrc(member),
          })),
      });
  }
  return commands;
}
