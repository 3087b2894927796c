/**
 * Shell: keys of the meeting page to actions; holding Space talks (W36 to W41).
 */
import { toggleFullScreen } from "./components/full-screen.ts";
import { commandOf, type Focus, type Key, type Shortcut, shortcutOf } from "./shortcuts.ts";
import { allTiles } from "./stage.ts";
import type { Store } from "./store.ts";

const HOLD_MS = 150;
const CONTROL_ROLES = ["button", "menuitem", "radio", "tab", "option", "switch", "slider", "log", "checkbox"];

export class KeyboardListener {
  readonly #store: Store;
  #hold: ReturnType<typeof setTimeout> | undefined;
  #talking = false;

  constructor(store: Store) {
    this.#store = store;
  }

  start(): void {
    window.addEventListener("keydown", (event) => this.#down(event));
    window.addEventListener("keyup", (event) => this.#up(event));
    window.addEventListener("blur", () => this.#stopTalking());
  }

  #down(event: KeyboardEvent): void {
    const { page, dialog } = this.#store.peek();
    if (page !== "meeting" && page !== "prejoin") return;
    const command = commandOf(keyOf(event));
    if (command !== undefined) {
      event.preventDefault();
      if (!event.repeat) this.#run(command);
      return;
    }
    if (event.code !== "Space" || event.ctrlKey || event.altKey || event.metaKey || dialog !== undefined) return;
    const focus = focusNow();
    if (focus.typing || focus.control || page !== "meeting") return;
    event.preventDefault(); // Space never scrolls (W40)
    if (event.repeat || this.#hold !== undefined || !this.#store.peek().preferences.shortcuts) return;
    this.#hold = setTimeout(() => {
      if (this.#store.peek().local.microphoneOn) return; // somebody who is heard stays heard (W39)
      this.#talking = true;
      this.#store.dispatch({ kind: "talk", on: true });
    }, HOLD_MS);
  }

  #up(event: KeyboardEvent): void {
    if (event.code === "Space") this.#stopTalking();
    const state = this.#store.peek();
    if (!state.preferences.shortcuts || state.dialog !== undefined) return;
    if (state.page !== "meeting" && state.page !== "prejoin") return;
    const shortcut = shortcutOf(keyOf(event), focusNow());
    if (shortcut === undefined) return;
    if (state.page === "prejoin" && shortcut !== "microphone" && shortcut !== "camera") return;
    this.#run(shortcut);
  }

  #stopTalking(): void {
    clearTimeout(this.#hold);
    this.#hold = undefined;
    if (!this.#talking) return;
    this.#talking = false;
    this.#store.dispatch({ kind: "talk", on: false });
  }

  #run(shortcut: Shortcut): void {
    const { dispatch } = this.#store;
    const state = this.#store.peek();
    if (typeof shortcut !== "string") {
      const tiles = allTiles(state).filter((tile) => !tile.screen);
      const others = tiles.filter((tile) => !tile.self);
      const tile = shortcut.pin === 0 ? tiles.find((each) => each.self) : others[shortcut.pin - 1];
      if (tile !== undefined) dispatch({ kind: "pin", tile: tile.key });
      return;
    }
    switch (shortcut) {
      case "microphone":
      case "camera":
        dispatch({ kind: "toggle", media: shortcut });
        return;
      case "chat":
      case "people":
        dispatch({ kind: "drawer", drawer: shortcut });
        return;
      case "share":
        dispatch({ kind: "share", on: !state.local.sharing });
        return;
      case "hand":
        dispatch({ kind: "hand" });
        return;
      case "view":
        dispatch({ kind: "view" });
        return;
      case "audio-only":
        dispatch({ kind: "audio-only", on: !state.audioOnly });
        return;
      case "speaking-time":
        dispatch({ kind: "dialog", dialog: { kind: "speaking-time" } });
        return;
      case "full-screen":
        toggleFullScreen();
        return;
      case "toolbar":
        document.querySelector<HTMLElement>('#controls button.tb[tabindex="0"]')?.focus();
        return;
      case "list":
        dispatch({ kind: "dialog", dialog: { kind: "shortcuts" } });
        return;
      default:
        dispatch({ kind: "react", reaction: shortcut });
        return;
    }
  }
}

const keyOf = (event: KeyboardEvent): Key => ({
  key: event.key,
  code: event.code,
  ctrl: event.ctrlKey,
  alt: event.altKey,
  meta: event.metaKey,
  shift: event.shiftKey,
});

function focusNow(): Focus {
  const element = document.activeElement;
  const typing =
    element instanceof HTMLElement &&
    (element.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(element.tagName));
  const role = element?.getAttribute("role") ?? "";
  const control =
    element !== null && (["BUTTON", "A", "SUMMARY"].includes(element.tagName) || CONTROL_ROLES.includes(role));
  return { typing, control, selection: (getSelection()?.toString() ?? "") !== "" };
}
