/**
 * The participants of a measured load, the same for the generator, our bridge and the floor: everything follows from their number.
 */
import type { MediaCommand, SrtpMaster, SrtpProfile } from "../../../appliance/bridge/media-commands.ts";
import type { LoadShape } from "../options.ts";

/** A shape with all that follows from it. Without `lastN` everybody receives all cameras and voices. */
export interface Load extends LoadShape {
  readonly profile: SrtpProfile;
  /** Voices that are forwarded: all, or the loudest three (the bridge's default) where cameras are few. They are the first of each room. */
  readonly speakers: number;
}

const LOUDEST = 3;

export const withSpeakers = (load: LoadShape & { readonly profile: SrtpProfile }): Load => ({
  ...load,
  speakers: load.lastN === undefined ? load.people : Math.min(LOUDEST, load.people),
});

/** Place of a participant in its room. */
export const placeOf = (participant: number, { people }: LoadShape): number => participant % people;

/** Whether the participant at that place sends video: a camera that nobody receives is switched off. */
export const sendsVideo = (place: number, { lastN, people }: LoadShape): boolean => place <= (lastN ?? people);

/** Whether a receiver is sent the video of a sender, by their places: the first N others. */
export const getsVideo = (receiver: number, sender: number, { lastN, people }: LoadShape): boolean =>
  receiver !== sender && sender - (sender > receiver ? 1 : 0) < (lastN ?? people);

/** Others that are sent a participant's voice and picture. */
export const receiversOf = (place: number, load: Load): { readonly audio: number; readonly video: number } => {
  let video = 0;
  for (let receiver = 0; receiver < load.people; receiver++) if (getsVideo(receiver, place, load)) video += 1;
  return { audio: place < load.speakers ? load.people - 1 : 0, video };
};

/** RFC 6464, −dBov: a voice, or somebody who is silent. */
export const levelOf = (place: number, { speakers }: Load): number => (place < speakers ? 30 : 127);

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
export function packetsOutPerSecond(load: Load): number {
  let sum = 0;
  for (let place = 0; place < load.people; place++) {
    const { audio, video } = receiversOf(place, load);
    sum += audio * AUDIO_PER_SECOND + video * FRAMES_PER_SECOND * PACKETS_PER_FRAME;
  }
  return sum * load.rooms;
}

/** All that the control side would say to a media loop for this load; `ports`: the participants' own. */
export function commandsFor(load: Load, ports: readonly number[]): MediaCommand[] {
  const commands: MediaCommand[] = [];
  for (let room = 0; room < load.rooms; room++) {
    commands.push({
      type: "conference",
      conference: room,
      loudest: load.speakers < load.people ? load.speakers : 0,
      feedbackSsrcs: { audio: 7000, video: 7001 },
    });
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
          .filter((member) => getsVideo(placeOf(receiver, load), placeOf(member, load), load))
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
