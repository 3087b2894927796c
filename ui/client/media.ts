/**
 * Shell: the browser's devices: permission, tracks, levels, lists, the screen. Tells the page what happens as DeviceEvents.
 */

import { millis } from "../session/time.ts";
import { deviceChanges, faultOf, pick, sortDevices } from "./devices.ts";
import { LevelMeter } from "./level-meter.ts";
import { Silence, SpeechHint } from "./listening.ts";
import type { DeviceEvent, Devices, Media, Preferences } from "./state.ts";

export type OwnTrack = "microphone" | "camera" | "screen";

export interface LocalMediaEvents {
  readonly event: (event: DeviceEvent) => void;
  /** A track began, changed or ended. */
  readonly track: (media: OwnTrack, track: MediaStreamTrack | undefined) => void;
  readonly unnamed: (kind: string, n: number) => string;
}

type Choices = Pick<Preferences, "microphone" | "camera" | "speaker">;

export class LocalMedia {
  readonly #events: LocalMediaEvents;
  readonly #cameraHeight: number;
  #choices: Choices;
  #devices: Devices = { microphones: [], cameras: [], speakers: [] };
  #microphone: MediaStreamTrack | undefined;
  #camera: MediaStreamTrack | undefined;
  #screen: MediaStreamTrack | undefined;
  #microphoneWanted = false;
  #cameraWanted = false;
  /** Rises with each request, so that a slow answer to an older one is dropped. */
  #request = { microphone: 0, camera: 0 };
  #facing: "user" | "environment" = "user";
  readonly meter: LevelMeter;
  readonly #silence = new Silence();
  readonly #hint = new SpeechHint();

  constructor(choices: Choices, cameraHeight: number, events: LocalMediaEvents) {
    this.#choices = choices;
    this.#cameraHeight = cameraHeight;
    this.#events = events;
    this.meter = new LevelMeter((level, exact) => this.#heard(level, exact));
    navigator.mediaDevices?.addEventListener("devicechange", () => void this.refresh());
  }

  get camera(): MediaStreamTrack | undefined {
    return this.#camera;
  }

  get microphone(): MediaStreamTrack | undefined {
    return this.#microphone;
  }

  get screen(): MediaStreamTrack | undefined {
    return this.#screen;
  }

  /** One prompt for both where both are wanted (W1); each alone when the pair fails (W9). */
  async acquire(microphone: boolean, camera: boolean): Promise<void> {
    this.#microphoneWanted = microphone;
    this.#cameraWanted = camera;
    const needMicrophone = microphone && this.#microphone === undefined;
    const needCamera = camera && this.#camera === undefined;
    if (navigator.mediaDevices === undefined) {
      if (microphone) this.#events.event({ kind: "refused", media: "microphone", fault: "other" });
      if (camera) this.#events.event({ kind: "refused", media: "camera", fault: "other" });
      return;
    }
    if (needMicrophone && needCamera) {
      this.#events.event({ kind: "asking" });
      const request = { microphone: ++this.#request.microphone, camera: ++this.#request.camera };
      try {
        const stream = await navigator.mediaDevices.getUserMedia({
          audio: this.#audioConstraints(),
          video: this.#videoConstraints(),
        });
        if (request.microphone === this.#request.microphone) this.#gotMicrophone(stream.getAudioTracks()[0]);
        else for (const track of stream.getAudioTracks()) track.stop();
        if (request.camera === this.#request.camera) this.#gotCamera(stream.getVideoTracks()[0]);
        else for (const track of stream.getVideoTracks()) track.stop();
        await this.refresh();
        return;
      } catch {
        // One of the two is missing or in use: each is asked for alone below, and says itself what is wrong.
      }
    }
    if (needMicrophone) await this.#askMicrophone();
    if (needCamera) await this.#askCamera();
    await this.refresh();
  }

  async setMicrophone(on: boolean): Promise<void> {
    this.#microphoneWanted = on;
    if (this.#microphone !== undefined) {
      this.#microphone.enabled = on;
      this.#silence.reset();
    } else if (on) await this.#askMicrophone();
  }

  async setCamera(on: boolean): Promise<void> {
    this.#cameraWanted = on;
    if (on && this.#camera === undefined) await this.#askCamera();
    if (!on) this.#releaseCamera();
  }

  async #askMicrophone(): Promise<void> {
    const request = ++this.#request.microphone;
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: this.#audioConstraints() });
      const track = stream.getAudioTracks()[0];
      if (request === this.#request.microphone) this.#gotMicrophone(track);
      else track?.stop();
    } catch (error) {
      if (request === this.#request.microphone) this.#refused("microphone", error);
    }
  }

  async #askCamera(): Promise<void> {
    const request = ++this.#request.camera;
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ video: this.#videoConstraints() });
      const track = stream.getVideoTracks()[0];
      if (request === this.#request.camera && this.#cameraWanted) this.#gotCamera(track);
      else track?.stop();
    } catch (error) {
      if (request === this.#request.camera) this.#refused("camera", error);
    }
  }

  #refused(media: Media, error: unknown): void {
    const { name, message } = error instanceof Error ? error : { name: "", message: String(error) };
    if (media === "microphone") this.#microphoneWanted = false;
    else this.#cameraWanted = false;
    this.#events.event({ kind: "refused", media, fault: faultOf(name, message) });
  }

  #audioConstraints(): MediaTrackConstraints {
    const deviceId = pick(this.#devices.microphones, this.#choices.microphone) ?? this.#choices.microphone;
    return {
      echoCancellation: true,
      noiseSuppression: true,
      autoGainControl: true,
      ...(deviceId !== undefined ? { deviceId: { ideal: deviceId } } : {}),
    };
  }

  #videoConstraints(): MediaTrackConstraints {
    const deviceId = this.#choices.camera;
    const height = this.#cameraHeight;
    return {
      height: { ideal: height },
      width: { ideal: Math.round((height * 16) / 9) },
      frameRate: { ideal: 30, max: 30 },
      ...(deviceId !== undefined ? { deviceId: { ideal: deviceId } } : { facingMode: { ideal: this.#facing } }),
    };
  }

  #gotMicrophone(track: MediaStreamTrack | undefined): void {
    if (track === undefined) return;
    this.#microphone?.stop();
    this.#microphone = track;
    track.enabled = this.#microphoneWanted;
    track.addEventListener("ended", () => {
      if (this.#microphone === track) void this.#lostMicrophone(track.label);
    });
    this.meter.listen(track);
    this.#silence.reset();
    this.#events.track("microphone", track);
    this.#events.event({
      kind: "acquired",
      media: "microphone",
      label: track.label,
      deviceId: track.getSettings().deviceId ?? "",
      facing: "user",
    });
  }

  #gotCamera(track: MediaStreamTrack | undefined): void {
    if (track === undefined) return;
    if (!this.#cameraWanted) {
      track.stop();
      return;
    }
    this.#camera?.stop();
    this.#camera = track;
    track.contentHint = "motion";
    track.addEventListener("ended", () => {
      if (this.#camera === track) void this.#lostCamera(track.label);
    });
    this.#facing = track.getSettings().facingMode === "environment" ? "environment" : "user";
    this.#events.track("camera", track);
    this.#events.event({
      kind: "acquired",
      media: "camera",
      label: track.label,
      deviceId: track.getSettings().deviceId ?? "",
      facing: this.#facing,
    });
  }

  #releaseCamera(): void {
    this.#request.camera += 1;
    const track = this.#camera;
    this.#camera = undefined;
    track?.stop();
    if (track !== undefined) {
      this.#events.track("camera", undefined);
      this.#events.event({ kind: "released", media: "camera" });
    }
  }

  /** The device in use was unplugged: the browser's default takes over (W5). */
  async #lostMicrophone(label: string): Promise<void> {
    this.#microphone = undefined;
    this.#choices = { ...this.#choices, microphone: undefined };
    await this.#askMicrophone();
    const next = this.microphone;
    if (next === undefined) this.#events.track("microphone", undefined);
    this.#events.event({ kind: "unplugged", media: "microphone", label, next: next?.label });
  }

  async #lostCamera(label: string): Promise<void> {
    this.#camera = undefined;
    this.#choices = { ...this.#choices, camera: undefined };
    if (this.#cameraWanted) await this.#askCamera();
    const next = this.camera;
    if (next === undefined) this.#events.track("camera", undefined);
    this.#events.event({ kind: "unplugged", media: "camera", label, next: next?.label });
  }

  async use(device: "microphone" | "camera" | "speaker", id: string): Promise<void> {
    this.#choices = { ...this.#choices, [device]: id };
    if (device === "microphone" && this.#microphone !== undefined) await this.#askMicrophone();
    if (device === "camera" && this.#camera !== undefined) await this.#askCamera();
  }

  async switchCamera(): Promise<void> {
    this.#facing = this.#facing === "user" ? "environment" : "user";
    this.#choices = { ...this.#choices, camera: undefined };
    if (this.#cameraWanted) {
      this.#camera?.stop(); // phones give one camera at a time
      await this.#askCamera();
    }
  }

  get speaker(): string | undefined {
    return pick(this.#devices.speakers, this.#choices.speaker);
  }

  async refresh(): Promise<void> {
    const { mediaDevices } = navigator;
    if (mediaDevices === undefined) return;
    const before = this.#devices;
    let raw: MediaDeviceInfo[];
    try {
      raw = await mediaDevices.enumerateDevices();
    } catch (error) {
      console.warn("devices not listed", error);
      return;
    }
    this.#devices = sortDevices(raw, this.#events.unnamed);
    if (!("setSinkId" in HTMLMediaElement.prototype)) this.#devices = { ...this.#devices, speakers: [] };
    this.#events.event({ kind: "devices", devices: this.#devices });
    for (const [key, device] of [
      ["microphones", "microphone"],
      ["cameras", "camera"],
      ["speakers", "speaker"],
    ] as const) {
      const { added, removed } = deviceChanges(before[key], this.#devices[key]);
      const newest = added[0];
      if (newest !== undefined) this.#events.event({ kind: "plugged", device, added: newest });
      const gone = removed.find((each) => each.id === this.#choices[device]);
      if (device === "speaker" && gone !== undefined)
        this.#events.event({ kind: "unplugged", media: "speaker", label: gone.label, next: undefined });
    }
  }

  async share(on: boolean): Promise<void> {
    if (!on) {
      this.#endScreen();
      return;
    }
    try {
      const stream = await navigator.mediaDevices.getDisplayMedia({
        video: { frameRate: { ideal: 15, max: 30 } },
        audio: false,
      });
      const track = stream.getVideoTracks()[0];
      if (track === undefined) return;
      this.#screen?.stop();
      this.#screen = track;
      track.contentHint = "detail";
      track.addEventListener("ended", () => {
        if (this.#screen === track) this.#endScreen();
      });
      this.#events.track("screen", track);
      this.#events.event({ kind: "sharing", on: true });
    } catch (error) {
      const { name, message } = error instanceof Error ? error : { name: "", message: "" };
      // Closing the picker is a NotAllowedError too and is not worth a word (W43).
      if (name === "NotAllowedError" && !/system/i.test(message)) return;
      this.#events.event({ kind: "share-failed", denied: name === "NotAllowedError" });
    }
  }

  #endScreen(): void {
    const track = this.#screen;
    this.#screen = undefined;
    if (track === undefined) return;
    track.stop();
    this.#events.track("screen", undefined);
    this.#events.event({ kind: "sharing", on: false });
  }

  #heard(level: number, exact: boolean): void {
    const now = millis(performance.now());
    const unmuted = this.#microphone?.enabled === true;
    const silent = this.#silence.heard(now, unmuted, exact);
    if (silent !== undefined) this.#events.event({ kind: "silent", silent });
    if (this.#hint.heard(now, this.#microphone !== undefined && !unmuted, level))
      this.#events.event({ kind: "speaking-while-muted" });
  }

  stop(): void {
    this.#request.microphone += 1;
    this.#request.camera += 1;
    this.meter.stop();
    for (const track of [this.#microphone, this.#camera, this.#screen]) track?.stop();
    this.#microphone = undefined;
    this.#camera = undefined;
    this.#screen = undefined;
  }
}
