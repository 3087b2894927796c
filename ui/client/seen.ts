/**
 * Shell: measures which pictures are on the screen, and how large, and tells the bridge's side of the session (W24).
 */
import type { ConferenceMedia } from "../session/conference-media.ts";
import type { SeenSource } from "../session/quality.ts";
import type { Store } from "./store.ts";

export class Seen {
  readonly #store: Store;
  readonly #media: () => ConferenceMedia | undefined;
  #planned = false;

  constructor(store: Store, media: () => ConferenceMedia | undefined) {
    this.#store = store;
    this.#media = media;
    addEventListener("resize", () => this.changed());
  }

  /** Something may be drawn differently: measured after the next frame. */
  changed(): void {
    if (this.#planned) return;
    this.#planned = true;
    const measure = (): void => {
      this.#planned = false;
      this.#measure();
    };
    if (document.hidden)
      setTimeout(measure, 0); // hidden pages draw no frames
    else requestAnimationFrame(() => setTimeout(measure, 0));
  }

  #measure(): void {
    const state = this.#store.peek();
    const media = this.#media();
    if (media === undefined || state.page !== "meeting") return;
    const seen: SeenSource[] = [];
    for (const tile of document.querySelectorAll<HTMLElement>(".tile[data-source]")) {
      const name = tile.dataset["source"];
      if (name === undefined) continue;
      const { height } = tile.getBoundingClientRect();
      seen.push({
        name,
        heightPx: Math.round(height * Math.min(devicePixelRatio, 2)),
        onStage: tile.classList.contains("big"),
      });
    }
    media.show(seen, { audioOnly: state.audioOnly, hidden: document.hidden });
  }
}
