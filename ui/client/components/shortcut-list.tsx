/** The keys, as they really are (W41). */
import { SHORTCUT_LIST } from "../shortcuts.ts";
import { useStore } from "./context.ts";

export function ShortcutList() {
  const store = useStore();
  return (
    <dl class="keys">
      {SHORTCUT_LIST.map(({ keys, text }) => (
        <div key={keys}>
          <dt>{store.t(text)}</dt>
          <dd>
            <kbd class="ltr">{keys === "␣" ? store.t("shortcuts.space") : keys}</kbd>
          </dd>
        </div>
      ))}
    </dl>
  );
}
