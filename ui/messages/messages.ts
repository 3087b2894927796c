/** The texts of the chosen language. Keys come from the English file; a language that lacks one does not compile. */
import { de } from "./de.ts";
import { en } from "./en.ts";

export type MessageId = keyof typeof en;
export type Messages = Readonly<Record<MessageId, string | ((...args: (string | number)[]) => string)>>;

export const LANGUAGES: Readonly<Record<string, { readonly name: string; readonly messages: Messages }>> = {
  en: { name: "English", messages: en },
  de: { name: "Deutsch", messages: de },
};

/** Text of a message in these messages. */
export function message(messages: Messages, id: MessageId, ...args: readonly (string | number)[]): string {
  const found = messages[id];
  return typeof found === "string" ? found : found(...args);
}

/** The best of our languages for what the browser prefers. */
export function chooseLanguage(wanted: string, preferred: readonly string[]): string {
  for (const each of [wanted, ...preferred]) {
    const base = each.toLowerCase().split("-")[0] ?? "";
    if (base in LANGUAGES) return base;
  }
  return "en";
}
