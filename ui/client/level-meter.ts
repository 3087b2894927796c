/**
 * Shell: the level of one microphone track, 0 … 1, twenty times a second. Listens to a copy of the track, so that it hears a muted microphone too.
 */
export type LevelListener = (level: number, exactSilence: boolean) => void;

const EVERY_MS = 50;
/** dBFS shown as 0 and as 1. */
const FLOOR_DB = -60;
const TOP_DB = -10;

export class LevelMeter {
  readonly #listener: LevelListener;
  readonly #watchers = new Set<(level: number) => void>();
  #context: AudioContext | undefined;
  #copy: MediaStreamTrack | undefined;
  #source: MediaStreamAudioSourceNode | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  #level = 0;

  constructor(listener: LevelListener) {
    this.#listener = listener;
  }

  get level(): number {
    return this.#level;
  }

  listen(track: MediaStreamTrack): void {
    this.stop();
    const context = new AudioContext();
    this.#context = context;
    const copy = track.clone();
    copy.enabled = true;
    this.#copy = copy;
    const analyser = context.createAnalyser();
    analyser.fftSize = 1024;
    this.#source = context.createMediaStreamSource(new MediaStream([copy]));
    this.#source.connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    this.#timer = setInterval(() => {
      if (context.state === "suspended") {
        void context.resume().catch(() => undefined); // until the first tap on the page
        return;
      }
      analyser.getFloatTimeDomainData(samples);
      let sum = 0;
      for (const sample of samples) sum += sample * sample;
      const rms = Math.sqrt(sum / samples.length);
      const db = rms === 0 ? FLOOR_DB : 20 * Math.log10(rms);
      const now = Math.min(1, Math.max(0, (db - FLOOR_DB) / (TOP_DB - FLOOR_DB)));
      this.#level = Math.max(now, this.#level * 0.75);
      this.#listener(this.#level, sum === 0);
      for (const watcher of this.#watchers) watcher(this.#level);
    }, EVERY_MS);
  }

  watch(watcher: (level: number) => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#source?.disconnect();
    this.#copy?.stop();
    void this.#context?.close();
    this.#context = undefined;
    this.#copy = undefined;
    this.#source = undefined;
    this.#level = 0;
  }
}
