/**
 * The fields of one RTP packet that every stage needs, read once. One object is used over and over: the bytes stay where they are, the fields say where.
 */
import type { DependencyStructure } from "./dependency-descriptor.ts";

export class RtpPacket {
  /** First byte of the packet in the shared buffer. */
  offset = 0;
  /** Fixed header, CSRCs and extension together, bytes. */
  headerLength = 0;
  payloadOffset = 0;
  /** Without padding, bytes. */
  payloadLength = 0;
  /** 0: none. */
  paddingLength = 0;
  marker = false;
  payloadType = 0;
  /** 0 … 65535. */
  sequence = 0;
  /** Unsigned 32 bits. */
  timestamp = 0;
  /** Unsigned 32 bits. */
  ssrc = 0;
  /** First byte after the extension's own four-byte header; −1: no extension. */
  extensionOffset = -1;
  extensionLength = 0;
  /** 0xbede or 0x1000 … 0x100f (RFC 8285). */
  extensionProfile = 0;

  // What the negotiated extensions said; −1: not there.
  /** RFC 6464: 0 loudest … 127 silence. */
  audioLevel = -1;
  voice = false;
  transportSequence = -1;
  videoOrientation = -1;
  /** Dependency descriptor: where its bytes are. */
  descriptorOffset = -1;
  descriptorLength = 0;

  /** Sequence number with its roll-overs, set by reception. */
  extendedSequence = 0;
  /** Came as a retransmission. */
  recovered = false;

  // What the codec's payload says (rtp/vp8.ts and its neighbours).
  /** Any packet of a key frame, as far as the codec shows it; the first packet surely. */
  keyFrame = false;
  frameStart = false;
  frameEnd = false;
  temporalLayer = 0;
  spatialLayer = 0;
  /** This packet's frame may be decoded by somebody who so far got lower temporal layers only. */
  layerSync = false;
  /** −1: none. */
  pictureId = -1;
  pictureIdOffset = -1;
  /** 7 or 15. */
  pictureIdBits = 0;
  /** TL0PICIDX; −1: none. */
  temporalZeroIndex = -1;
  temporalZeroIndexOffset = -1;
  /** Pixels, 0 unless this packet says it. */
  width = 0;
  height = 0;
  /** VP9: predicted from an earlier picture. */
  interPicture = false;
  /** VP9: predicted from the spatial layer below of the same picture. */
  interLayer = false;
  /** VP9 and AV1: nothing above needs this frame. */
  notReference = false;
  /** VP9: number of spatial layers of the structure in this packet; 0: no structure. */
  spatialLayers = 0;
  /** Where the heights of that structure are; −1: not said. */
  heightsOffset = -1;
  /** AV1 dependency descriptor: frame number 0 … 65535, −1: not there. */
  frameNumber = -1;
  /** What the stream's descriptors say about this packet; undefined: it is not handled by them. */
  dependencies: DependencyStructure | undefined;

  /** Forgets what the codec stage found. */
  clearCodec(): void {
    this.keyFrame = false;
    this.frameStart = false;
    this.frameEnd = false;
    this.temporalLayer = 0;
    this.spatialLayer = 0;
    this.layerSync = false;
    this.pictureId = -1;
    this.pictureIdOffset = -1;
    this.pictureIdBits = 0;
    this.temporalZeroIndex = -1;
    this.temporalZeroIndexOffset = -1;
    this.width = 0;
    this.height = 0;
    this.interPicture = false;
    this.interLayer = false;
    this.notReference = false;
    this.spatialLayers = 0;
    this.heightsOffset = -1;
    this.frameNumber = -1;
    this.dependencies = undefined;
  }
}
