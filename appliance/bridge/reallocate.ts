/**
 * From what receivers ask for to what the media loop forwards: allocations, slots of rewriting receivers, ForwardedSources, and the largest wish per
 * source for its sender (bridge.md 5.4, 2.4, 4.6).
 */
import type { Millis } from "../time.ts";
import type { BridgeMessage, MappedVideoSource } from "../wire/channel-messages.ts";
import { allocate, assumedLayers, type Layer } from "./allocate/allocate.ts";
import { DISABLED, heightLimit, largerHeight } from "./allocate/constraints.ts";
import {
  byRecency,
  effectiveConstraints,
  type PrioritizedSource,
  prioritize,
  smallestLastN,
} from "./allocate/prioritize.ts";
import type { ConferenceSource } from "./conference-sources.ts";
import type { ConferenceView } from "./conference-view.ts";
import { type Endpoint, SSRC_LIMIT } from "./endpoint.ts";
import type { VideoTarget } from "./media-commands.ts";
import { limited } from "./quality.ts";
import { relaysWant } from "./relay.ts";
import type { Slot } from "./slots.ts";

interface Candidate extends PrioritizedSource {
  readonly source: ConferenceSource;
  readonly layers: readonly Layer[];
}

export function reallocate(now: Millis, conference: ConferenceView, receivers: readonly Endpoint[]): void {
  const named = new Map<string, ConferenceSource>();
  for (const source of conference.sources())
    if (source.kind === "video" && !named.has(source.name)) named.set(source.name, source);
  const video = [...named.values()];
  const candidates = video.map((source) => ({
    name: source.name,
    owner: source.owner,
    enabled: source.videoType !== "none" && conference.endpoints.get(source.owner)?.forceMute.video !== true,
    source,
    layers: layersOf(source),
  }));
  const ordered = byRecency(candidates, conference.speech.order);
  for (const receiver of receivers) if (!receiver.expired) allocateFor(now, receiver, ordered);
  for (const relay of conference.relays.values()) relay.forward();
  for (const each of conference.exports.values()) each.watch();
  tellSenders(now, conference, video);
}

const layersOf = (source: ConferenceSource): readonly Layer[] =>
  source.layers.length === 0
    ? assumedLayers(source.encodings.length)
    : source.layers.map(({ layer, height, frameRate, bitrateBps }) => ({
        index: layer,
        height,
        frameRate,
        bitrateBps,
      }));

/** Bits per second that the receiver's path carries (bridge.md 5.2). */
const bandwidthOf = (receiver: Endpoint): number =>
  receiver.estimateBps !== undefined && receiver.payloadTypes.hasRtx ? receiver.estimateBps : Number.POSITIVE_INFINITY;

const isScreen = (source: ConferenceSource): boolean =>
  source.videoType === "desktop" || source.videoType === "desktop_high_fps";

function allocateFor(now: Millis, receiver: Endpoint, ordered: readonly Candidate[]): void {
  const others = receiver.payloadTypes.accepts("video") ? ordered.filter((each) => each.owner !== receiver.id) : [];
  const prioritized = prioritize(others, receiver.settings);
  const limits = receiver.sources.context.quality;
  const lastN = smallestLastN(receiver.settings.lastN, receiver.ssrcRewriting ? SSRC_LIMIT : -1, limits.lastN);
  const effective = effectiveConstraints(prioritized, receiver.settings, lastN);
  receiver.effective = effective;
  const wanted = prioritized.filter(({ name }) => effective.has(name));
  const onStage = new Set(receiver.settings.onStageSources);
  for (const { source } of wanted) {
    const asked = effective.get(source.name) ?? DISABLED;
    effective.set(source.name, limited(asked, onStage.has(source.name), isScreen(source), limits));
  }
  const bandwidthBps = bandwidthOf(receiver);
  receiver.allocatedBps = bandwidthBps;
  receiver.allocation = allocate(
    wanted.map(({ source, layers }) => ({
      name: source.name,
      screenShare: isScreen(source),
      onStage: onStage.has(source.name),
      constraints: effective.get(source.name) ?? DISABLED,
      layers,
    })),
    bandwidthBps,
  );
  giveSlots(
    now,
    receiver,
    wanted.map(({ source }) => source),
  );
  setTargets(receiver, others);
  tellForwarded(now, receiver);
}

/** The map has to reach the client before the first packet under a slot's SSRC. */
function giveSlots(now: Millis, receiver: Endpoint, wanted: readonly ConferenceSource[]): void {
  if (receiver.videoSlots === undefined) return;
  const mapped = receiver.videoSlots.activate(wanted.map((source) => source.name));
  if (mapped.length === 0) return;
  const byName = new Map(wanted.map((source) => [source.name, source]));
  receiver.send(now, {
    colibriClass: "VideoSourcesMap",
    mappedSources: mapped.flatMap(({ source, slot }) => mappedVideo(byName.get(source), slot, receiver)),
  });
}

function mappedVideo(source: ConferenceSource | undefined, slot: Slot, receiver: Endpoint): MappedVideoSource[] {
  if (source === undefined) return [];
  const videoType = source.videoType.toUpperCase();
  return [
    {
      source: source.name,
      owner: source.owner,
      ssrc: slot.ssrc,
      rtx: receiver.payloadTypes.hasRtx ? slot.rtxSsrc : -1,
      videoType:
        videoType === "DESKTOP" || videoType === "DESKTOP_HIGH_FPS" || videoType === "NONE" ? videoType : "CAMERA",
      ...receiver.midOf("video", slot.place),
    },
  ];
}

/** All video slots in use, for a channel that opens. */
export function videoSourcesMap(conference: ConferenceView, receiver: Endpoint): BridgeMessage | undefined {
  const slots = [...(receiver.videoSlots?.entries() ?? [])];
  if (slots.length === 0) return undefined;
  const byName = new Map([...conference.sources()].map((source) => [source.name, source]));
  return {
    colibriClass: "VideoSourcesMap",
    mappedSources: slots.flatMap(([name, slot]) => mappedVideo(byName.get(name), slot, receiver)),
  };
}

/** Gives a microphone a slot at one receiver, the least recently given away if there is none left. */
export function mapAudioSource(
  now: Millis,
  conference: ConferenceView,
  receiver: Endpoint,
  source: ConferenceSource,
): void {
  const { all, include, exclude } = receiver.audioSubscription;
  if (all ? exclude.includes(source.name) : !include.includes(source.name)) return;
  for (const { slot, evicted } of receiver.audioSlots?.activate([source.name]) ?? []) {
    const former = evicted === undefined ? undefined : [...conference.sources()].find((each) => each.name === evicted);
    if (former !== undefined)
      conference.context.media({ type: "audio-ssrc", receiver: receiver.index, source: former.index, ssrc: 0 });
    const mid = receiver.midOf("audio", slot.place);
    receiver.send(now, {
      colibriClass: "AudioSourcesMap",
      mappedSources: [{ source: source.name, owner: source.owner, ssrc: slot.ssrc, ...mid }],
    });
    conference.context.media({
      type: "audio-ssrc",
      receiver: receiver.index,
      source: source.index,
      ssrc: slot.ssrc,
      ...mid,
    });
  }
}

/** Tells the loop what differs from what it knows. */
function setTargets(receiver: Endpoint, others: readonly Candidate[]): void {
  const next = new Map<number, VideoTarget>();
  const chosen = new Map((receiver.allocation?.sources ?? []).map(({ name, target }) => [name, target]));
  const hasRtx = receiver.payloadTypes.hasRtx;
  const present = new Set<number>();
  for (const { source } of others) {
    present.add(source.index);
    const target = chosen.get(source.name) ?? -1;
    const primary = source.encodings[0];
    const slot = receiver.videoSlots?.get(source.name);
    if (target < 0 || primary === undefined) continue;
    if (receiver.videoSlots !== undefined && slot === undefined) continue;
    const rtx = hasRtx ? (slot?.rtxSsrc ?? primary.rtxSsrc) : 0;
    next.set(source.index, {
      source: source.index,
      layer: target,
      ssrc: slot?.ssrc ?? primary.ssrc,
      rtxSsrc: rtx,
      ...(slot === undefined ? {} : receiver.midOf("video", slot.place)),
    });
  }
  const targets: VideoTarget[] = [];
  // Of a source that is gone the loop has forgotten everything already.
  for (const [index, former] of receiver.targets)
    if (!next.has(index) && present.has(index)) targets.push({ ...former, layer: -1 });
  for (const [index, target] of next) {
    const former = receiver.targets.get(index);
    if (former?.layer !== target.layer || former.ssrc !== target.ssrc || former.rtxSsrc !== target.rtxSsrc)
      targets.push(target);
  }
  receiver.targets = next;
  if (targets.length > 0) receiver.sources.context.media({ type: "video-targets", receiver: receiver.index, targets });
}

function tellForwarded(now: Millis, receiver: Endpoint): void {
  const forwarded = (receiver.allocation?.sources ?? []).filter((each) => each.target >= 0).map((each) => each.name);
  const before = new Set(receiver.forwarded);
  const same = forwarded.length === before.size && forwarded.every((name) => before.has(name));
  receiver.forwarded = forwarded;
  if (!same) receiver.send(now, { colibriClass: "ForwardedSources", forwardedSources: forwarded });
}

/** The largest height that anybody wants of each source, to its sender or to the relay that it comes from. */
function tellSenders(now: Millis, conference: ConferenceView, video: readonly ConferenceSource[]): void {
  const heights = new Map<string, number>();
  for (const receiver of conference.endpoints.values())
    for (const [name, constraints] of receiver.effective) {
      const limit = heightLimit(constraints);
      heights.set(name, largerHeight(heights.get(name) ?? 0, Number.isFinite(limit) ? limit : -1));
    }
  for (const source of video) {
    let height = heights.get(source.name) ?? 0;
    const sender = conference.endpoints.get(source.owner);
    if (sender === undefined) {
      for (const each of conference.exports.values()) height = largerHeight(height, each.wants(source));
      for (const relay of conference.relays.values()) relay.receiversWant(now, source, height);
      continue;
    }
    height = largerHeight(height, relaysWant(conference.relays.values(), source.name));
    for (const each of conference.exports.values()) height = largerHeight(height, each.wants(source));
    const told = sender.toldHeights.get(source.name);
    // Nobody has asked for anything yet: the client is left as it is until it speaks itself.
    if (told === height || (told === undefined && height === 0 && !sender.settings.received)) continue;
    sender.toldHeights.set(source.name, height);
    sender.send(now, { colibriClass: "SenderSourceConstraints", sourceName: source.name, maxHeight: height });
  }
}
