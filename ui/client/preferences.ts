/**
 * Shell: one versioned object in the browser's storage (W6). A browser that refuses storage starts with the defaults each time.
 */
import { DEFAULT_PREFERENCES, type Preferences } from "./state.ts";

const KEY = "parley.preferences.1";
const MACHINE_KEY = "parley.machine";

export function loadPreferences(nameOfLink: string | undefined): Preferences {
  const stored = readPreferences(readItem(KEY));
  return nameOfLink === undefined ? stored : { ...stored, name: nameOfLink };
}

export function savePreferences(preferences: Preferences): void {
  writeItem(KEY, JSON.stringify(preferences));
}

/** Member by member: whatever is missing or of the wrong type is the default. */
export function readPreferences(source: string | undefined): Preferences {
  if (source === undefined) return DEFAULT_PREFERENCES;
  let value: unknown;
  try {
    value = JSON.parse(source);
  } catch {
    return DEFAULT_PREFERENCES; // somebody else's text under our key
  }
  if (typeof value !== "object" || value === null) return DEFAULT_PREFERENCES;
  const bag = value as Record<string, unknown>;
  const text = (key: keyof Preferences): string | undefined =>
    typeof bag[key] === "string" && bag[key].length <= 300 ? bag[key] : undefined;
  const flag = (key: keyof Preferences, otherwise: boolean): boolean =>
    typeof bag[key] === "boolean" ? bag[key] : otherwise;
  const theme = text("theme");
  return {
    name: (text("name") ?? "").slice(0, 80),
    microphone: text("microphone"),
    camera: text("camera"),
    speaker: text("speaker"),
    microphoneOn: flag("microphoneOn", true),
    cameraOn: flag("cameraOn", true),
    mirror: flag("mirror", true),
    view: text("view") === "speaker" ? "speaker" : "tiles",
    theme: theme === "light" || theme === "dark" ? theme : "system",
    shortcuts: flag("shortcuts", true),
    sounds: flag("sounds", true),
    language: text("language") ?? "",
  };
}

/** 32 hex digits that stay with this browser: the focus ties a login to them (signaling.md 2.1). */
export function machineId(): string {
  const stored = readItem(MACHINE_KEY);
  if (stored !== undefined && /^[0-9a-f]{32}$/.test(stored)) return stored;
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const fresh = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  writeItem(MACHINE_KEY, fresh);
  return fresh;
}

function readItem(key: string): string | undefined {
  try {
    return localStorage.getItem(key) ?? undefined;
  } catch {
    return undefined; // storage is switched off
  }
}

function writeItem(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // Full or switched off: this visit works all the same.
  }
}
