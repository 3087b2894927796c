/**
 * Keys of the meeting page (product.md 3.4): which event means what. Pure.
 */
import type { MessageId } from "../messages/messages.ts";

export type Shortcut =
  | "microphone"
  | "camera"
  | "chat"
  | "share"
  | "people"
  | "hand"
  | "view"
  | "full-screen"
  | "audio-only"
  | "speaking-time"
  | "toolbar"
  | "list"
  | "like"
  | "clap"
  | "laugh"
  | "surprised"
  | "boo"
  | "silence"
  | "love"
  | { readonly pin: number };

export interface Key {
  /** As KeyboardEvent.key. */
  readonly key: string;
  /** As KeyboardEvent.code: the position, whatever the layout. */
  readonly code: string;
  readonly ctrl: boolean;
  readonly alt: boolean;
  readonly meta: boolean;
  readonly shift: boolean;
}

/** What has the focus. */
export interface Focus {
  /** An input, text area, select or editable element. */
  readonly typing: boolean;
  /** A button or something with such a role: letters go to it (W37). */
  readonly control: boolean;
  /** Text is selected. */
  readonly selection: boolean;
}

const LETTERS: Readonly<Record<string, Shortcut>> = {
  m: "microphone",
  v: "camera",
  c: "chat",
  d: "share",
  p: "people",
  r: "hand",
  w: "view",
  s: "full-screen",
  a: "audio-only",
  t: "speaking-time",
};

const REACTION_LETTERS: Readonly<Record<string, Shortcut>> = {
  t: "like",
  c: "clap",
  l: "laugh",
  o: "surprised",
  b: "boo",
  s: "silence",
  h: "love",
};

/** The Latin letter of a key: by its name, else by its place, so that other scripts work (W38). */
export function letterOf(key: Key): string | undefined {
  if (/^[a-z]$/i.test(key.key)) return key.key.toLowerCase();
  // Alt makes other characters on some systems; and Cyrillic, Greek, Arabic layouts give theirs.
  const placed = /^Key([A-Z])$/.exec(key.code)?.[1];
  return placed !== undefined && (key.key.length !== 1 || key.key.charCodeAt(0) > 127)
    ? placed.toLowerCase()
    : undefined;
}

/** The single-key shortcut of a key-up event; nothing while typing, on a control, or with Ctrl or Meta. */
export function shortcutOf(key: Key, focus: Focus): Shortcut | undefined {
  if (focus.typing || key.ctrl || key.meta) return undefined;
  const letter = letterOf(key);
  if (key.alt) return letter === undefined ? undefined : REACTION_LETTERS[letter];
  if (focus.control) return undefined;
  if (key.key === "?") return "list";
  const digit = /^[0-9]$/.exec(key.key)?.[0];
  if (digit !== undefined) return { pin: Number(digit) };
  if (letter === undefined || key.shift) return undefined;
  const found = LETTERS[letter];
  return found === "chat" && focus.selection ? undefined : found;
}

/** Combinations that work on key-down, everywhere: Ctrl or Cmd with D and E, F2 (W36). */
export function commandOf(key: Key): Shortcut | undefined {
  if (key.key === "F2" && !key.ctrl && !key.alt && !key.meta) return "toolbar";
  if (key.ctrl === key.meta || key.alt || key.shift) return undefined;
  const letter = letterOf(key);
  return letter === "d" ? "microphone" : letter === "e" ? "camera" : undefined;
}

/** For the list on the screen. */
export const SHORTCUT_LIST: readonly { readonly keys: string; readonly text: MessageId }[] = [
  { keys: "M", text: "bar.microphone" },
  { keys: "V", text: "bar.camera" },
  { keys: "␣", text: "shortcuts.talk" },
  { keys: "D", text: "bar.share" },
  { keys: "R", text: "bar.hand" },
  { keys: "C", text: "bar.chat" },
  { keys: "P", text: "shortcuts.people" },
  { keys: "W", text: "bar.view" },
  { keys: "A", text: "menu.audio-only" },
  { keys: "T", text: "menu.speaking-time" },
  { keys: "S", text: "shortcuts.full-screen" },
  { keys: "0", text: "shortcuts.pin-self" },
  { keys: "1-9", text: "shortcuts.pin-others" },
  { keys: "F2", text: "shortcuts.toolbar" },
  { keys: "?", text: "shortcuts.list" },
];
