/** Who comes in and who may do what: lobby, password, asking before speaking, how newcomers start. */
import { useState } from "preact/hooks";
import { isModerator } from "../state.ts";
import { useStore } from "./context.ts";
import { Done, Frame, Switch } from "./dialog-frame.tsx";

export function SecurityDialog() {
  const store = useStore();
  const { state, dispatch } = store;
  const { info, moderation, components, startMuted } = state;
  const [password, setPassword] = useState("");
  const mine = isModerator(state);
  return (
    <Frame title={store.t("security.title")}>
      <div class="stack gap-s">
        {mine ? null : <p class="note">{store.t("security.only-moderators")}</p>}
        {components.lobby === undefined || info.isBreakout ? null : (
          <Switch
            label={store.t("security.lobby")}
            hint={store.t("security.lobby-hint")}
            checked={info.lobbyOn}
            disabled={!mine}
            onChange={(on) => dispatch({ kind: "set-lobby", on })}
          />
        )}
        {components.avModeration === undefined ? null : (
          <>
            <Switch
              label={store.t("security.moderate-audio")}
              checked={moderation.on.has("audio")}
              disabled={!mine}
              onChange={(on) => dispatch({ kind: "moderate", media: "audio", on })}
            />
            <Switch
              label={store.t("security.moderate-video")}
              checked={moderation.on.has("video")}
              disabled={!mine}
              onChange={(on) => dispatch({ kind: "moderate", media: "video", on })}
            />
            <Switch
              label={store.t("security.moderate-desktop")}
              checked={moderation.on.has("desktop")}
              disabled={!mine}
              onChange={(on) => dispatch({ kind: "moderate", media: "desktop", on })}
            />
          </>
        )}
        {components.roomMetadata === undefined ? null : (
          <>
            <Switch
              label={store.t("security.start-muted-audio")}
              checked={startMuted.audio}
              disabled={!mine}
              onChange={(audio) => dispatch({ kind: "set-start-muted", ...startMuted, audio })}
            />
            <Switch
              label={store.t("security.start-muted-video")}
              checked={startMuted.video}
              disabled={!mine}
              onChange={(video) => dispatch({ kind: "set-start-muted", ...startMuted, video })}
            />
          </>
        )}
        {info.locked ? (
          <div class="row between">
            <p>{store.t("security.locked")}</p>
            <button
              class="btn small"
              type="button"
              disabled={!mine}
              onClick={() => dispatch({ kind: "set-password", password: "" })}
            >
              {store.t("security.remove")}
            </button>
          </div>
        ) : (
          <form
            class="field"
            onSubmit={(event) => {
              event.preventDefault();
              if (password.trim() === "") return;
              dispatch({ kind: "set-password", password: password.trim() });
              setPassword("");
            }}
          >
            <label for="set-password">{store.t("security.password")}</label>
            <div class="row">
              <input
                class="input grow"
                id="set-password"
                autocomplete="off"
                maxLength={80}
                disabled={!mine}
                aria-describedby="set-password-hint"
                value={password}
                onInput={(event) => setPassword(event.currentTarget.value)}
              />
              <button class="btn" type="submit" disabled={!mine}>
                {store.t("security.set")}
              </button>
            </div>
            <p class="hint" id="set-password-hint">
              {store.t("security.password-hint")}
            </p>
          </form>
        )}
      </div>
      <Done label={store.t("security.done")} />
    </Frame>
  );
}
