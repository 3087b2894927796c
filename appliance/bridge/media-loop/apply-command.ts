/**
 * Commands of the control side, applied between batches. A command about something that is not there is ignored and counted: the control side may be a
 * moment behind.
 */
import { MAX_MID_LENGTH } from "../forward/packet-writer.ts";
import { VideoSender } from "../forward/video-sender.ts";
import type { MediaCommand, MediaSource, Path, VideoTarget } from "../media-commands.ts";
import { createSrtpContext } from "../transport/srtp.ts";
import { writeAddress } from "./addresses.ts";
import { MAX_ENDPOINTS, MAX_SOURCES } from "./bounds.ts";
import {
  Conference,
  Endpoint,
  feedKey,
  LEVELS,
  newSourceStream,
  Source,
  type SourceStream,
  Taker,
} from "./endpoint.ts";
import type { KeyFrames } from "./key-frames.ts";
import { Layout } from "./layout.ts";
import { PayloadTable } from "./payload-table.ts";
import { outgoingStream, routeAudio } from "./routing.ts";
import type { LoopState } from "./state.ts";

/** Longest datagram that the control side may send. */
const MAX_SENT = 1500;
/** Encodings of one source. */
const MAX_ENCODINGS = 8;

/** Undefined: none, or none that fits. */
function midBytes(mid: string | undefined): Uint8Array | undefined {
  if (mid === undefined || mid.length === 0 || mid.length > MAX_MID_LENGTH) return undefined;
  return new TextEncoder().encode(mid);
}

export class Commands {
  readonly #state: LoopState;
  readonly #keyFrames: KeyFrames;
  /** Commands that made no sense. */
  refused = 0;

  constructor(state: LoopState, keyFrames: KeyFrames) {
    this.#state = state;
    this.#keyFrames = keyFrames;
  }

  apply(nowMs: number, command: MediaCommand) {
    const state = this.#state;
    switch (command.type) {
      case "conference": {
        const { audio, video } = command.feedbackSsrcs;
        const known = state.conferences.get(command.conference);
        if (known === undefined)
          state.conferences.set(command.conference, new Conference(command.conference, command.loudest, audio, video));
        else {
          known.loudest = command.loudest;
          known.feedbackAudio = audio;
          known.feedbackVideo = video;
        }
        return;
      }
      case "remove-conference": {
        const conference = state.conferences.get(command.conference);
        if (conference === undefined) return this.#refuse();
        for (const endpoint of [...conference.endpoints]) this.#removeEndpoint(endpoint);
        state.conferences.delete(command.conference);
        return;
      }
      case "add-endpoint": {
        const conference = state.conferences.get(command.conference);
        const index = command.endpoint;
        if (conference === undefined || !(index >= 0 && index < MAX_ENDPOINTS) || state.endpoints[index] !== undefined)
          return this.#refuse();
        const endpoint = new Endpoint(index, conference, command.ssrcRewriting === true, command.relay === true);
        state.endpoints[index] = endpoint;
        state.endpointCount += 1;
        conference.endpoints.add(endpoint);
        conference.members = [...conference.endpoints];
        conference.stale = true;
        return;
      }
      case "dominant-speaker": {
        const conference = state.conferences.get(command.conference);
        if (conference === undefined) return this.#refuse();
        conference.dominant = command.endpoint;
        return;
      }
      case "forget-address": {
        const path = this.#find(command.path);
        // A page loaded again may come from the same port: the address is then the new endpoint's.
        if (path < 0 || state.paths.owner(path) !== command.endpoint) return;
        const owner = state.endpoints[command.endpoint];
        if (owner !== undefined && owner.path === path) owner.path = -1;
        state.paths.remove(path);
        return;
      }
      case "send":
        return this.#send(command.path, command.bytes);
      case "request-key-frame": {
        const source = state.sources[command.source];
        if (source === undefined) return this.#refuse();
        this.#keyFrames.ask(nowMs, source);
        return;
      }
      case "video-targets":
      case "audio-subscription":
      case "audio-ssrc": {
        const receiver = state.endpoints[command.receiver];
        if (receiver === undefined) return this.#refuse();
        if (command.type === "video-targets")
          for (const target of command.targets) this.#videoTarget(nowMs, receiver, target);
        else if (command.type === "audio-subscription") {
          receiver.subscription = { all: command.all, sources: new Set(command.sources) };
          receiver.conference.stale = true;
        } else {
          if (command.ssrc === 0) receiver.audioSsrcs.delete(command.source);
          else {
            // A slot serves one source at a time.
            for (const [source, ssrc] of receiver.audioSsrcs)
              if (ssrc === command.ssrc && source !== command.source) receiver.audioSsrcs.delete(source);
            receiver.audioSsrcs.set(command.source, command.ssrc);
            const stream = outgoingStream(state, receiver, "audio", command.ssrc);
            if (stream !== undefined) stream.mid = midBytes(command.mid);
          }
          receiver.conference.stale = true;
        }
        return;
      }
      case "report":
      case "stop":
      case "open-port":
      case "close-port":
        return; // the loop's own (media-loop.ts) and the worker's
      default: {
        const endpoint = state.endpoints[command.endpoint];
        if (endpoint === undefined) return this.#refuse();
        this.#endpointCommand(nowMs, endpoint, command);
      }
    }
  }

  /** Works out again what the commands of one batch have made stale. */
  settle(): void {
    for (const conference of this.#state.conferences.values())
      if (conference.stale) routeAudio(this.#state, conference);
  }

  #endpointCommand(
    nowMs: number,
    endpoint: Endpoint,
    command: Extract<
      MediaCommand,
      {
        type:
          | "remove-endpoint"
          | "ice-credentials"
          | "accept-address"
          | "select-path"
          | "srtp-keys"
          | "payload-types"
          | "sources"
          | "force-mute"
          | "table";
      }
    >,
  ) {
    const state = this.#state;
    switch (command.type) {
      case "remove-endpoint":
        return this.#removeEndpoint(endpoint);
      case "ice-credentials":
        endpoint.ice = {
          username: `${command.localUfrag}:${command.remoteUfrag}`,
          password: command.localPwd,
          controlling: command.controlling !== false,
        };
        return;
      case "accept-address":
        this.#accept(endpoint, command.path);
        return;
      case "select-path": {
        const path = this.#accept(endpoint, command.path);
        if (path < 0) return this.#refuse();
        endpoint.path = path;
        for (const destination of [endpoint, endpoint.later]) {
          destination.socket = state.paths.socketOf(path);
          destination.name = state.paths.addressOf(path);
          destination.epoch = -1;
        }
        return;
      }
      case "srtp-keys": {
        endpoint.receive?.close();
        endpoint.send?.close();
        const provider = state.provider(command.profile);
        endpoint.receive = createSrtpContext(provider, state.memory, command.profile, command.receive, "receive");
        endpoint.send = createSrtpContext(provider, state.memory, command.profile, command.send, "send");
        endpoint.tagBytes = command.profile === "AEAD_AES_128_GCM" ? 16 : 10;
        // Whoever is watched already must learn that somebody can now see them.
        for (const source of this.#watchedBy(endpoint)) this.#keyFrames.ask(nowMs, source);
        return;
      }
      case "payload-types":
        endpoint.payload = new PayloadTable(command.payloadTypes, command.extensions, command.allowMixed);
        for (const stream of endpoint.outgoing.values()) stream.forgetHistory();
        for (const other of endpoint.conference.endpoints)
          for (const source of other.sources.values())
            for (const taker of [...source.audioTakers, ...source.videoTakers])
              if (taker.receiver === endpoint || other === endpoint) taker.from = -1;
        return;
      case "sources":
        return this.#setSources(nowMs, endpoint, command.sources);
      case "force-mute":
        if (command.video && !endpoint.muteVideo)
          for (const source of endpoint.sources.values())
            for (const taker of source.videoTakers) taker.sender.restart();
        endpoint.muteAudio = command.audio;
        endpoint.muteVideo = command.video;
        return;
      case "table":
        endpoint.table = command.table;
        endpoint.conference.stale = true;
        return;
    }
  }

  #refuse(): void {
    this.refused += 1;
  }

  #find(path: Path): number {
    const family = this.#state.families[path.socket];
    if (family === undefined) return -1;
    if (!writeAddress(this.#state.bytes, Layout.scratch, family, path.address, path.port)) return -1;
    return this.#state.paths.find(path.socket, Layout.scratch);
  }

  #accept(endpoint: Endpoint, path: Path): number {
    const state = this.#state;
    const family = state.families[path.socket];
    if (family === undefined || !writeAddress(state.bytes, Layout.scratch, family, path.address, path.port)) {
      this.#refuse();
      return -1;
    }
    const known = state.paths.find(path.socket, Layout.scratch);
    if (known >= 0 && state.paths.owner(known) !== endpoint.index) {
      // An address that moves to another endpoint (ICE restart, a new page on the same port) carries nothing to the old one any more.
      const before = state.endpoints[state.paths.owner(known)];
      if (before !== undefined && before.path === known) before.path = -1;
    }
    const index = state.paths.set(path.socket, Layout.scratch, endpoint.index);
    if (index < 0) this.#refuse();
    return index;
  }

  #send(path: Path, datagram: Uint8Array) {
    const state = this.#state;
    const family = state.families[path.socket];
    if (family === undefined || datagram.length === 0 || datagram.length > MAX_SENT) return this.#refuse();
    const address = state.outbox.looseAddress();
    if (!writeAddress(state.bytes, address, family, path.address, path.port)) return this.#refuse();
    state.datagram(path.socket, address, datagram);
  }

  #setSources(nowMs: number, endpoint: Endpoint, wanted: readonly MediaSource[]) {
    const state = this.#state;
    const listed = new Map(wanted.map((source) => [source.source, source]));
    /** Who watched a source whose SSRCs change goes on watching it. */
    const watched: { readonly receiver: Endpoint; readonly target: VideoTarget }[] = [];
    for (const source of [...endpoint.sources.values()]) {
      const now = listed.get(source.index);
      const same =
        now !== undefined &&
        now.kind === source.kind &&
        now.encodings.length === source.encodings.length &&
        now.encodings.every((encoding, index) => {
          const stream = source.encodings[index];
          const rtx = [...endpoint.streams.values()].find((other) => other.repairs === stream);
          return (
            stream !== undefined && stream.ssrc === encoding.ssrc >>> 0 && (rtx?.ssrc ?? 0) === encoding.rtxSsrc >>> 0
          );
        });
      if (same) {
        source.name = now.name;
        listed.delete(source.index);
      } else {
        if (now !== undefined)
          for (const { receiver, sender } of source.videoTakers)
            watched.push({
              receiver,
              target: {
                source: source.index,
                layer: sender.target,
                ssrc: sender.stream.ssrc,
                rtxSsrc: sender.rtxSsrc,
                ...(sender.stream.mid === undefined ? {} : { mid: new TextDecoder().decode(sender.stream.mid) }),
                ...(sender.exactly ? { encoding: sender.target >> 6 } : {}),
              },
            });
        this.#removeSource(source, now === undefined);
      }
    }
    for (const description of listed.values()) {
      const index = description.source;
      if (!(index >= 0 && index < MAX_SOURCES) || state.sources[index] !== undefined) {
        this.#refuse();
        continue;
      }
      const source = new Source(index, endpoint, description.kind, description.name);
      if (endpoint.relay && description.kind === "audio") source.levels = new Uint8Array(LEVELS);
      state.sources[index] = source;
      endpoint.sources.set(index, source);
      for (const [encoding, ssrcs] of description.encodings.slice(0, MAX_ENCODINGS).entries()) {
        const stream = newSourceStream(source, ssrcs.ssrc >>> 0, encoding, undefined);
        source.encodings.push(stream);
        this.#addStream(endpoint, stream);
        if (ssrcs.rtxSsrc !== 0)
          this.#addStream(endpoint, newSourceStream(source, ssrcs.rtxSsrc >>> 0, encoding, stream));
      }
    }
    endpoint.settleSources();
    endpoint.conference.stale = true;
    for (const { receiver, target } of watched)
      if (endpoint.sources.get(target.source)?.kind === "video") this.#videoTarget(nowMs, receiver, target);
  }

  /** An SSRC that the endpoint has already signalled for another source stays where it is. */
  #addStream(endpoint: Endpoint, stream: SourceStream): void {
    if (stream.ssrc === 0 || endpoint.streams.has(stream.ssrc | 0)) this.#refuse();
    else endpoint.streams.set(stream.ssrc | 0, stream);
  }

  /** `gone`: the slot is free again; else it is about to be filled anew. */
  #removeSource(source: Source, gone: boolean): void {
    const state = this.#state;
    const owner = source.owner;
    for (const [ssrc, stream] of owner.streams) if (stream.owner === source) owner.streams.delete(ssrc);
    owner.sources.delete(source.index);
    owner.settleSources();
    for (const other of owner.conference.endpoints) {
      other.audioSenders.delete(source.index);
      for (const [key] of other.videoSenders) if (key % MAX_SOURCES === source.index) other.videoSenders.delete(key);
      if (gone) other.audioSsrcs.delete(source.index);
      for (const [ssrc, fed] of other.videoBySsrc)
        if (fed.source === source) {
          other.videoBySsrc.delete(ssrc);
          other.outgoing.get(ssrc)?.forgetHistory();
        }
    }
    source.audioTakers = [];
    source.videoTakers = [];
    state.sources[source.index] = undefined;
    if (gone) state.emit({ type: "source-removed", source: source.index });
  }

  #removeEndpoint(endpoint: Endpoint): void {
    const state = this.#state;
    const conference = endpoint.conference;
    for (const source of [...endpoint.sources.values()]) this.#removeSource(source, true);
    for (const other of conference.endpoints)
      for (const source of other.sources.values())
        source.videoTakers = source.videoTakers.filter((taker) => taker.receiver !== endpoint);
    state.paths.removeOwner(endpoint.index);
    endpoint.path = -1;
    endpoint.receive?.close();
    endpoint.send?.close();
    endpoint.receive = undefined;
    endpoint.send = undefined;
    conference.endpoints.delete(endpoint);
    conference.members = [...conference.endpoints];
    conference.stale = true;
    state.endpoints[endpoint.index] = undefined;
    state.endpointCount -= 1;
    state.emit({ type: "endpoint-removed", endpoint: endpoint.index });
  }

  #videoTarget(nowMs: number, receiver: Endpoint, target: VideoTarget) {
    const state = this.#state;
    const source = state.sources[target.source];
    if (source === undefined || source.kind !== "video" || source.owner.conference !== receiver.conference)
      return this.#refuse();
    const key = feedKey(target.source, target.encoding);
    let sender = receiver.videoSenders.get(key);
    if (sender !== undefined && sender.stream.ssrc !== target.ssrc >>> 0) {
      // Under another SSRC from now on.
      receiver.videoBySsrc.delete(sender.stream.ssrc | 0);
      sender.stream.forgetHistory();
      this.#dropTaker(source, receiver, sender, key);
      sender = undefined;
    }
    if (sender === undefined) {
      if (target.layer < 0) return;
      const stream = outgoingStream(state, receiver, "video", target.ssrc);
      if (stream === undefined || stream.kind !== "video") return this.#refuse();
      stream.mid = midBytes(target.mid);
      const before = receiver.videoBySsrc.get(target.ssrc | 0);
      if (before !== undefined && before.key !== key) {
        // The slot is taken from another source.
        this.#dropTaker(before.source, receiver, before.sender, before.key);
        stream.forgetHistory();
      }
      sender = new VideoSender(stream, target.encoding !== undefined);
      receiver.videoSenders.set(key, sender);
      receiver.videoBySsrc.set(target.ssrc | 0, { source, sender, key });
      source.videoTakers.push(new Taker(receiver, sender));
    }
    sender.rtxSsrc = target.rtxSsrc >>> 0;
    const before = sender.target;
    sender.setTarget(target.layer);
    if (target.layer >= 0 && target.layer !== before && sender.needsKeyFrame)
      this.#keyFrames.needed(nowMs, source, receiver, sender);
  }

  #dropTaker(source: Source, receiver: Endpoint, sender: VideoSender, key: number): void {
    source.videoTakers = source.videoTakers.filter((taker) => taker.sender !== sender);
    receiver.videoSenders.delete(key);
  }

  #watchedBy(receiver: Endpoint): Source[] {
    const watched: Source[] = [];
    for (const [key, sender] of receiver.videoSenders) {
      const source = this.#state.sources[key % MAX_SOURCES];
      if (source !== undefined && sender.target >= 0) watched.push(source);
    }
    return watched;
  }
}
