/**
 * Shell: what this browser can do, as others are told: the hash of our features (XEP-0115), and the codecs that it shows.
 */
import { capsText, featuresOver } from "./own-presence.ts";

/** base64 SHA-1. */
export async function featuresHash(transport: string): Promise<string> {
  // On plain http the browser hides its hashes: then our features are asked for instead of being known by their hash.
  if (crypto.subtle === undefined) return "unhashed";
  const digest = await crypto.subtle.digest("SHA-1", new TextEncoder().encode(capsText(featuresOver(transport))));
  return btoa(String.fromCharCode(...new Uint8Array(digest)));
}

/** In the names that clients exchange. */
export function receivableCodecs(): readonly string[] {
  const types = RTCRtpReceiver.getCapabilities("video")?.codecs.map((each) => each.mimeType.toLowerCase()) ?? [];
  return ["av1", "vp9", "vp8", "h264"].filter((name) => types.includes(`video/${name}`));
}
