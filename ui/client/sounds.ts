/**
 * Shell: short tones, made on the spot: no files. On the chosen speaker where the browser allows it.
 */
type Note = readonly [frequencyHz: number, startMs: number, lengthMs: number];

const SOUNDS = {
  join: [
    [523, 0, 90],
    [784, 90, 130],
  ],
  leave: [
    [523, 0, 90],
    [392, 90, 130],
  ],
  hand: [
    [659, 0, 80],
    [880, 80, 80],
    [659, 160, 120],
  ],
  chat: [[880, 0, 60]],
  knock: [
    [330, 0, 70],
    [330, 140, 70],
    [392, 280, 120],
  ],
} as const satisfies Record<string, readonly Note[]>;

export type SoundName = keyof typeof SOUNDS;

const GAIN = 0.08;

export function playSound(name: SoundName, speaker: string | undefined): void {
  void play(SOUNDS[name], GAIN, speaker);
}

export const playTestTone = (speaker: string | undefined): Promise<void> =>
  play(
    [
      [440, 0, 250],
      [554, 250, 250],
      [659, 500, 500],
    ],
    0.2,
    speaker,
  );

async function play(notes: readonly Note[], gain: number, speaker: string | undefined): Promise<void> {
  const context = new AudioContext();
  try {
    if (speaker !== undefined && "setSinkId" in context)
      await (context as AudioContext & { setSinkId(id: string): Promise<void> }).setSinkId(speaker);
    if (context.state === "suspended") await context.resume();
    let end = 0;
    for (const [frequencyHz, startMs, lengthMs] of notes) {
      const oscillator = context.createOscillator();
      const volume = context.createGain();
      const start = context.currentTime + startMs / 1000;
      const stop = start + lengthMs / 1000;
      oscillator.frequency.value = frequencyHz;
      volume.gain.setValueAtTime(0, start);
      volume.gain.linearRampToValueAtTime(gain, start + 0.01);
      volume.gain.setValueAtTime(gain, stop - 0.02);
      volume.gain.linearRampToValueAtTime(0, stop);
      oscillator.connect(volume).connect(context.destination);
      oscillator.start(start);
      oscillator.stop(stop);
      end = Math.max(end, startMs + lengthMs);
    }
    await new Promise((done) => setTimeout(done, end + 50));
  } catch (error) {
    console.debug("no sound", error); // before the first tap, or no output device
  } finally {
    void context.close().catch(() => undefined);
  }
}
