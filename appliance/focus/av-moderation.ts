/**
 * What the AV moderation component says about a room: kinds under moderation and who may unmute nevertheless. signaling.md 5.4, 6.2.
 */
export type ModeratedMedia = "audio" | "video" | "desktop";
const MEDIA: readonly string[] = ["audio", "video", "desktop"];
export const isModeratedMedia = (value: unknown): value is ModeratedMedia =>
  typeof value === "string" && MEDIA.includes(value);

const MAX_ALLOWED = 2_000;

export class AvModeration {
  readonly #enabled = new Set<ModeratedMedia>();
  readonly #allowed = new Map<ModeratedMedia, ReadonlySet<string>>();

  enabled(media: ModeratedMedia): boolean {
    return this.#enabled.has(media);
  }

  setEnabled(media: ModeratedMedia, enabled: boolean): void {
    if (enabled) this.#enabled.add(media);
    else {
      this.#enabled.delete(media);
      this.#allowed.delete(media);
    }
  }

  /** Occupant JIDs that may unmute. */
  setAllowed(media: ModeratedMedia, occupants: readonly string[]): void {
    this.#allowed.set(media, new Set(occupants.slice(0, MAX_ALLOWED)));
  }

  allowed(media: ModeratedMedia, occupantJid: string): boolean {
    return this.#allowed.get(media)?.has(occupantJid) ?? false;
  }
}
