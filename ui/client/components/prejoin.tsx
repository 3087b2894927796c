/** Before the meeting: name, picture, devices, Join; waiting in the lobby keeps the page (look page, 8). */
import { useState } from "preact/hooks";
import { faultText } from "../fault-text.ts";
import type { Device, DeviceFault, Media } from "../state.ts";
import { Elapsed } from "./clock.tsx";
import { useStore } from "./context.ts";
import { Icon, type IconName, Mark } from "./icon.tsx";
import { Meter } from "./meter.tsx";
import { Face } from "./person.tsx";
import { Video } from "./video.tsx";

export function TopBar({ children }: { readonly children?: preact.ComponentChildren }) {
  const store = useStore();
  return (
    <header class="top">
      <a class="brand" href="/">
        <Mark />
        <span>{store.t("app.name")}</span>
      </a>
      <span class="muted wide">{store.state.room.appName}</span>
      <span class="end" />
      {children}
    </header>
  );
}

export function Prejoin() {
  const store = useStore();
  const { state } = store;
  return (
    <div class="pre">
      <a class="skip" href="#join">
        {store.t("prejoin.skip")}
      </a>
      <TopBar>
        <button
          class="btn ghost small"
          type="button"
          onClick={() => store.dispatch({ kind: "dialog", dialog: { kind: "settings" } })}
        >
          <Icon name="settings" size="s" />
          <span class="wide">{store.t("menu.settings")}</span>
          <span class="vh narrow-only">{store.t("menu.settings")}</span>
        </button>
      </TopBar>
      <main>
        <section aria-label={store.t("prejoin.picture")}>
          <Preview />
          <DeviceRow />
          <Faults />
        </section>
        {state.joining === "lobby" ? <LobbyWait /> : <JoinForm />}
      </main>
      <footer class="foot">
        <span class="row tight">
          <Icon name="shield-check" size="s" />
          {store.t("app.privacy")}
        </span>
      </footer>
    </div>
  );
}

function Preview() {
  const store = useStore();
  const { local, companion, permission, preferences } = store.state;
  store.tracks.value;
  const track = local.cameraOn ? store.world.ownTrack("camera") : undefined;
  const name = preferences.name.trim();
  return (
    <div class="preview">
      {track !== undefined ? (
        <Video track={track} source="preview" mirrored={preferences.mirror && local.facing === "user"} />
      ) : (
        <div class="init">
          <Face endpoint="self" name={name} />
          <p class="muted">
            {store.t(
              permission === "asking"
                ? "prejoin.asking"
                : local.cameraOn && local.cameraFault === undefined
                  ? "prejoin.starting-camera"
                  : "prejoin.no-camera",
            )}
          </p>
        </div>
      )}
      {name === "" ? null : <div class="ovl bs tag wide">{name}</div>}
      {local.microphoneOn && !companion ? (
        <div class="ovl ts tag">
          <Icon name="mic" />
          <Meter bars={10} />
        </div>
      ) : null}
      <div class="ovl bc">
        <RoundToggle
          media="microphone"
          on={local.microphoneOn}
          icons={["mic", "mic-off"]}
          fault={local.microphoneFault}
        />
        <RoundToggle media="camera" on={local.cameraOn} icons={["video", "video-off"]} fault={local.cameraFault} />
        <button
          class="round"
          type="button"
          aria-label={store.t("devices.title")}
          title={store.t("devices.title")}
          onClick={() => store.dispatch({ kind: "dialog", dialog: { kind: "devices" } })}
        >
          <Icon name="sliders-horizontal" />
        </button>
      </div>
    </div>
  );
}

interface RoundToggleProps {
  readonly media: Media;
  readonly on: boolean;
  readonly icons: readonly [IconName, IconName];
  readonly fault: DeviceFault | undefined;
}

function RoundToggle({ media, on, icons, fault }: RoundToggleProps) {
  const store = useStore();
  const { companion } = store.state;
  const name = store.t(media === "microphone" ? "bar.microphone" : "bar.camera");
  return (
    <button
      class={`round ${on ? "" : "off"}`}
      type="button"
      aria-pressed={on}
      aria-label={name}
      aria-disabled={companion}
      aria-describedby={fault === undefined ? undefined : `fault-${media}`}
      title={store.t("bar.key", name, media === "microphone" ? "M" : "V")}
      aria-keyshortcuts={media === "microphone" ? "m" : "v"}
      onClick={() => store.dispatch({ kind: "toggle", media })}
    >
      {on && media === "microphone" ? <Meter ring /> : null}
      <Icon name={on ? icons[0] : icons[1]} />
      {fault === undefined ? null : <span class="warn" aria-hidden="true" />}
    </button>
  );
}

export function DeviceRow() {
  const store = useStore();
  const { devices, local, preferences } = store.state;
  return (
    <div class="devs">
      <DevicePick
        device="microphone"
        icon="mic"
        list={devices.microphones}
        current={local.microphoneLabel}
        chosen={preferences.microphone}
        label={store.t("prejoin.microphone")}
        empty={store.t("prejoin.no-microphone")}
      />
      <DevicePick
        device="camera"
        icon="video"
        list={devices.cameras}
        current={local.cameraLabel}
        chosen={preferences.camera}
        label={store.t("prejoin.camera")}
        empty={store.t("prejoin.no-camera-device")}
      />
      {devices.speakers.length > 1 ? (
        <div class="row tight">
          <DevicePick
            device="speaker"
            icon="volume-2"
            list={devices.speakers}
            current=""
            chosen={preferences.speaker}
            label={store.t("prejoin.speaker")}
            empty={store.t("prejoin.default-speaker")}
          />
          <button
            class="btn sq"
            type="button"
            aria-label={store.t("prejoin.test-speaker")}
            title={store.t("prejoin.test-speaker")}
            onClick={() => store.dispatch({ kind: "test-speaker" })}
          >
            <Icon name="play" size="s" />
          </button>
        </div>
      ) : (
        <button class="pick spk" type="button" onClick={() => store.dispatch({ kind: "test-speaker" })}>
          <Icon name="volume-2" size="s" />
          <span class="grow clip">{store.t("prejoin.test-speaker")}</span>
        </button>
      )}
    </div>
  );
}

interface DevicePickProps {
  readonly device: "microphone" | "camera" | "speaker";
  readonly icon: IconName;
  readonly list: readonly Device[];
  readonly current: string;
  readonly chosen: string | undefined;
  readonly label: string;
  readonly empty: string;
}

export function DevicePick({ device, icon, list, current, chosen, label, empty }: DevicePickProps) {
  const store = useStore();
  const used = list.find((each) => each.label === current || current.startsWith(each.label))?.id;
  return (
    <label class="pick">
      <Icon name={icon} size="s" />
      <span class="vh">{label}</span>
      <select
        class="grow clip"
        disabled={list.length === 0}
        value={used ?? chosen ?? list[0]?.id ?? ""}
        onChange={(event) => store.dispatch({ kind: "choose-device", device, id: event.currentTarget.value })}
      >
        {list.length === 0 ? <option value="">{empty}</option> : null}
        {list.map((each) => (
          <option key={each.id} value={each.id}>
            {each.label}
          </option>
        ))}
      </select>
      <Icon name="chevron-down" size="s" />
    </label>
  );
}

function Faults() {
  const store = useStore();
  const { local } = store.state;
  const faults = [
    ["microphone", local.microphoneFault],
    ["camera", local.cameraFault],
  ] as const;
  if (faults.every(([, fault]) => fault === undefined)) return null;
  return (
    <div class="stack gap-s faults" role="status">
      {faults.map(([media, fault]) =>
        fault === undefined ? null : (
          <p class="note brass" id={`fault-${media}`} key={media}>
            <Icon name="triangle-alert" size="s" />
            <span class="grow">{store.t(`fault.${media}.${fault}`)}</span>
          </p>
        ),
      )}
      <div>
        <button class="btn small" type="button" onClick={() => store.dispatch({ kind: "try-devices-again" })}>
          {store.t("action.try-again")}
        </button>
      </div>
    </div>
  );
}

function JoinForm() {
  const store = useStore();
  const { state } = store;
  const busy = state.joining !== "no";
  const missing = state.requireName && state.preferences.name.trim() === "";
  return (
    <form
      class="side"
      id="join"
      aria-labelledby="room-title"
      onSubmit={(event) => {
        event.preventDefault();
        if (busy) return;
        store.dispatch({ kind: "join" });
      }}
    >
      <div class="stack gap-s">
        <h1 id="room-title">{state.room.subject || state.room.title}</h1>
      </div>
      <div class="field">
        <label for="name">{store.t("prejoin.name")}</label>
        <input
          class="input"
          id="name"
          value={state.preferences.name}
          maxLength={80}
          autocomplete="name"
          aria-describedby={state.requireName ? "name-needed" : undefined}
          onInput={(event) => store.dispatch({ kind: "set-name", name: event.currentTarget.value })}
        />
        {state.requireName ? (
          <p class="hint" id="name-needed">
            {store.t("prejoin.name-needed")}
          </p>
        ) : null}
      </div>
      <label class="opt">
        <input
          class="toggle"
          type="checkbox"
          role="switch"
          aria-checked={state.companion}
          checked={state.companion}
          aria-describedby="companion-hint"
          onChange={(event) => store.dispatch({ kind: "companion", on: event.currentTarget.checked })}
        />
        <span class="grow">
          <span class="strong">{store.t("prejoin.companion")}</span>
          <span class="hint block" id="companion-hint">
            {store.t("prejoin.companion-hint")}
          </span>
        </span>
        <Icon name="laptop" />
      </label>
      <JoinFaultNote />
      <div class="join">
        <button class="btn primary big full" type="submit" aria-disabled={missing} aria-busy={busy}>
          {busy ? <Icon name="loader-circle" /> : null}
          {store.t(busy ? "prejoin.joining" : state.lobbyRefused ? "lobby.ask-again" : "prejoin.join")}
        </button>
        {busy ? (
          <button class="btn ghost full" type="button" onClick={() => store.dispatch({ kind: "cancel-join" })}>
            {store.t("prejoin.cancel")}
          </button>
        ) : null}
        {state.joining === "focus" || state.joining === "full" ? (
          <p class="hint center" role="status">
            {store.t(`prejoin.joining-${state.joining}`)}
          </p>
        ) : null}
      </div>
    </form>
  );
}

function JoinFaultNote() {
  const store = useStore();
  const { fault, lobbyRefused } = store.state;
  if (fault === undefined && !lobbyRefused) return null;
  return (
    <p class="note brass" role="alert">
      <Icon name="triangle-alert" size="s" />
      <span class="grow">
        {lobbyRefused || fault === undefined ? store.t("lobby.refused") : store.tell(faultText(fault))}
      </span>
    </p>
  );
}

function LobbyWait() {
  const store = useStore();
  const { state } = store;
  const [draft, setDraft] = useState("");
  return (
    <section class="side" id="join" aria-labelledby="room-title">
      <div class="stack gap-s">
        <h1 id="room-title">{state.room.title}</h1>
        <p class="strong" role="status">
          {store.t("lobby.waiting")}
        </p>
        <p class="muted">{store.t(state.waitingForHost ? "lobby.waiting-host" : "lobby.waiting-text")}</p>
        <span class="chip">
          <Elapsed since={state.waitingSince} wrap={(time) => store.t("lobby.since", time)} />
        </span>
      </div>
      <div class="lobby-chat" role="log" aria-label={store.t("lobby.write")}>
        {state.chat.map((line) => (
          <p key={line.key} class={line.mine ? "mine" : ""}>
            {line.body}
          </p>
        ))}
      </div>
      <form
        class="row"
        onSubmit={(event) => {
          event.preventDefault();
          if (draft.trim() === "") return;
          store.dispatch({ kind: "lobby-message", body: draft.trim() });
          setDraft("");
        }}
      >
        <input
          class="input grow"
          aria-label={store.t("lobby.write")}
          placeholder={store.t("lobby.write")}
          value={draft}
          onInput={(event) => setDraft(event.currentTarget.value)}
        />
        <button class="btn sq" type="submit" aria-label={store.t("chat.send")}>
          <Icon name="send" directed />
        </button>
      </form>
      <button class="btn full" type="button" onClick={() => store.dispatch({ kind: "cancel-join" })}>
        {store.t("lobby.leave")}
      </button>
    </section>
  );
}
