/** Another name for a group. */
import { useState } from "preact/hooks";
import { useStore } from "./context.ts";
import { Frame } from "./dialog-frame.tsx";

export function RenameRoomDialog({ jid }: { readonly jid: string }) {
  const store = useStore();
  const [name, setName] = useState(store.state.breakout.find((each) => each.jid === jid)?.name ?? "");
  const trimmed = name.trim();
  return (
    <Frame title={store.t("rooms.rename-title")}>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          if (trimmed !== "") store.dispatch({ kind: "breakout-rename", jid, name: trimmed });
        }}
      >
        <div class="field">
          <label for="group-name">{store.t("rooms.name")}</label>
          <input
            class="input"
            id="group-name"
            data-first
            autocomplete="off"
            maxLength={80}
            value={name}
            onInput={(event) => setName(event.currentTarget.value)}
          />
        </div>
        <div class="answers">
          <button class="btn" type="button" onClick={() => store.dispatch({ kind: "dialog", dialog: undefined })}>
            {store.t("prejoin.cancel")}
          </button>
          <button class="btn primary" type="submit" aria-disabled={trimmed === ""}>
            {store.t("rooms.rename")}
          </button>
        </div>
      </form>
    </Frame>
  );
}
