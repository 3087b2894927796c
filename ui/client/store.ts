/**
 * The page's one signal, its language, and what components reach the world through. Components read `store.state` and call `store.dispatch`.
 */
import { computed, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { chooseLanguage, LANGUAGES, type MessageId, type Messages, message } from "../messages/messages.ts";
import type { MeetingState, Text, UserAction } from "./state.ts";

/** Live things that are not state: tracks and elements. */
export interface World {
  /** Track of a source of others, if it has one now. */
  readonly track: (sourceName: string) => MediaStreamTrack | undefined;
  readonly ownTrack: (media: "microphone" | "camera" | "screen") => MediaStreamTrack | undefined;
  /** Calls back with the level of our microphone, 0 … 1; the answer stops it. */
  readonly watchLevel: (watcher: (level: number) => void) => () => void;
  /** Chosen speaker, or undefined for the browser's own. */
  readonly speaker: () => string | undefined;
  readonly soundBlocked: () => void;
}

export class Store {
  readonly #state: Signal<MeetingState>;
  readonly #messages: ReadonlySignal<Messages>;
  readonly language: ReadonlySignal<string>;
  /** Rises when tracks may have changed while the state did not. */
  readonly tracks = signal(0);
  readonly world: World;
  readonly dispatch: (action: UserAction) => void;

  constructor(state: MeetingState, world: World, dispatch: (action: UserAction) => void, preferred: readonly string[]) {
    this.#state = signal(state);
    this.world = world;
    this.dispatch = dispatch;
    this.language = computed(() => chooseLanguage(this.#state.value.preferences.language, preferred));
    this.#messages = computed(() => LANGUAGES[this.language.value]?.messages ?? fallback());
  }

  get state(): MeetingState {
    return this.#state.value;
  }

  peek(): MeetingState {
    return this.#state.peek();
  }

  set(state: MeetingState): void {
    this.#state.value = state;
  }

  t(id: MessageId, ...args: readonly (string | number)[]): string {
    return message(this.#messages.value, id, ...args);
  }

  tell(text: Text): string {
    return this.t(text.id, ...text.args);
  }
}

function fallback(): Messages {
  const english = LANGUAGES["en"];
  if (english === undefined) throw new Error("no English messages");
  return english.messages;
}
