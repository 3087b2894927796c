/** Questions and settings, on the native dialog: focus is held inside, Escape closes, the safe answer is focused (look page, 6). */
import { useState } from "preact/hooks";
import { LANGUAGES } from "../../messages/messages.ts";
import { useStore } from "./context.ts";
import { Done, Frame, Switch } from "./dialog-frame.tsx";
import { HoldButton } from "./hold-button.tsx";
import { Icon } from "./icon.tsx";
import { DeviceRow } from "./prejoin.tsx";
import { RenameRoomDialog } from "./rename-room.tsx";
import { SecurityDialog } from "./security.tsx";
import { ShortcutList } from "./shortcut-list.tsx";
import { SpeakingTimeDialog } from "./speaking-time.tsx";

export function Dialogs() {
  const store = useStore();
  const { dialog } = store.state;
  switch (dialog?.kind) {
    case undefined:
      return null;
    case "password":
      return <PasswordDialog wrong={dialog.wrong} />;
    case "login":
      return <LoginDialog wrong={dialog.wrong} />;
    case "leave":
      return <LeaveDialog />;
    case "remove":
      return <RemoveDialog endpoint={dialog.endpoint} />;
    case "mute-all":
      return <MuteAllDialog />;
    case "settings":
      return <SettingsDialog />;
    case "shortcuts":
      return (
        <Frame title={store.t("shortcuts.title")}>
          <ShortcutList />
          <Done label={store.t("settings.done")} />
        </Frame>
      );
    case "security":
      return <SecurityDialog />;
    case "poll":
      return <PollDialog />;
    case "rename-room":
      return <RenameRoomDialog jid={dialog.jid} />;
    case "speaking-time":
      return <SpeakingTimeDialog />;
    case "devices":
      return (
        <Frame title={store.t("devices.title")}>
          <DeviceRow />
          <Done label={store.t("devices.done")} />
        </Frame>
      );
  }
}

function PasswordDialog({ wrong }: { readonly wrong: boolean }) {
  const store = useStore();
  const [password, setPassword] = useState("");
  return (
    <Frame title={store.t("password.title")} onClose={() => store.dispatch({ kind: "cancel-join" })}>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          if (password !== "") store.dispatch({ kind: "password-given", password });
        }}
      >
        <div class="field">
          <label for="room-password">{store.t("password.label")}</label>
          <input
            class="input"
            id="room-password"
            type="password"
            data-first
            autocomplete="off"
            inputMode={/^\d*$/.test(password) ? "numeric" : "text"}
            aria-invalid={wrong}
            aria-describedby={wrong ? "password-wrong" : undefined}
            value={password}
            onInput={(event) => setPassword(event.currentTarget.value)}
          />
          {wrong ? (
            <p class="error" id="password-wrong" role="alert">
              <Icon name="triangle-alert" size="s" />
              {store.t("password.wrong")}
            </p>
          ) : null}
        </div>
        <div class="answers">
          <button class="btn" type="button" onClick={() => store.dispatch({ kind: "cancel-join" })}>
            {store.t("prejoin.cancel")}
          </button>
          <button class="btn primary" type="submit">
            {store.t("password.join")}
          </button>
        </div>
      </form>
    </Frame>
  );
}

function LoginDialog({ wrong }: { readonly wrong: boolean }) {
  const store = useStore();
  const [user, setUser] = useState("");
  const [password, setPassword] = useState("");
  const { loginUrl } = store.state;
  if (loginUrl !== undefined) return <LoginElsewhere url={loginUrl} />;
  return (
    <Frame title={store.t("login.title")} onClose={() => store.dispatch({ kind: "cancel-join" })}>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          if (user !== "") store.dispatch({ kind: "login-given", user, password });
        }}
      >
        <div class="field">
          <label for="login-user">{store.t("login.user")}</label>
          <input
            class="input"
            id="login-user"
            data-first
            autocomplete="username"
            value={user}
            onInput={(event) => setUser(event.currentTarget.value)}
          />
        </div>
        <div class="field">
          <label for="login-password">{store.t("login.password")}</label>
          <input
            class="input"
            id="login-password"
            type="password"
            autocomplete="current-password"
            aria-invalid={wrong}
            aria-describedby={wrong ? "login-wrong" : undefined}
            value={password}
            onInput={(event) => setPassword(event.currentTarget.value)}
          />
          {wrong ? (
            <p class="error" id="login-wrong" role="alert">
              <Icon name="triangle-alert" size="s" />
              {store.t("login.wrong")}
            </p>
          ) : null}
        </div>
        <div class="answers">
          <button class="btn" type="button" onClick={() => store.dispatch({ kind: "cancel-join" })}>
            {store.t("prejoin.cancel")}
          </button>
          <button class="btn primary" type="submit">
            {store.t("login.go")}
          </button>
        </div>
      </form>
    </Frame>
  );
}

/** The box takes tokens of another service: people log in there and come back with one. */
function LoginElsewhere({ url }: { readonly url: string }) {
  const store = useStore();
  return (
    <Frame title={store.t("login.title")} onClose={() => store.dispatch({ kind: "cancel-join" })}>
      <p>{store.t("login.elsewhere")}</p>
      <div class="answers">
        <button class="btn" type="button" onClick={() => store.dispatch({ kind: "cancel-join" })}>
          {store.t("prejoin.cancel")}
        </button>
        <a class="btn primary" href={url} data-first>
          {store.t("login.go")}
        </a>
      </div>
    </Frame>
  );
}

function LeaveDialog() {
  const store = useStore();
  return (
    <Frame title={store.t("leave.title")}>
      <div class="answers column">
        <button class="btn red" type="button" data-first onClick={() => store.dispatch({ kind: "leave" })}>
          {store.t("leave.leave")}
        </button>
        <HoldButton
          label={store.t("leave.end")}
          hint={store.t("leave.end-hint")}
          onHeld={() => store.dispatch({ kind: "end-for-all" })}
        />
        <button class="btn" type="button" onClick={() => store.dispatch({ kind: "dialog", dialog: undefined })}>
          {store.t("leave.stay")}
        </button>
      </div>
    </Frame>
  );
}

function RemoveDialog({ endpoint }: { readonly endpoint: string }) {
  const store = useStore();
  const name = store.state.people.get(endpoint)?.name ?? "";
  return (
    <Frame title={store.t("remove.title", name)}>
      <p class="muted">{store.t("remove.text")}</p>
      <div class="answers">
        <button
          class="btn"
          type="button"
          data-first
          onClick={() => store.dispatch({ kind: "dialog", dialog: undefined })}
        >
          {store.t("remove.no")}
        </button>
        <button class="btn red" type="button" onClick={() => store.dispatch({ kind: "kick", endpoint })}>
          {store.t("remove.yes", name)}
        </button>
      </div>
    </Frame>
  );
}

function MuteAllDialog() {
  const store = useStore();
  const [forbid, setForbid] = useState(false);
  const canForbid = store.state.components.avModeration !== undefined;
  return (
    <Frame title={store.t("mute-all.title")}>
      {canForbid ? <Switch label={store.t("mute-all.forbid")} checked={forbid} onChange={setForbid} /> : null}
      {forbid ? null : <p class="muted">{store.t("mute-all.text")}</p>}
      <div class="answers">
        <button
          class="btn"
          type="button"
          data-first
          onClick={() => store.dispatch({ kind: "dialog", dialog: undefined })}
        >
          {store.t("mute-all.no")}
        </button>
        <button
          class="btn primary"
          type="button"
          onClick={() => store.dispatch({ kind: "mute-all", media: "audio", forbid: forbid && canForbid })}
        >
          {store.t("mute-all.yes")}
        </button>
      </div>
    </Frame>
  );
}

function SettingsDialog() {
  const store = useStore();
  const { preferences } = store.state;
  const change = (part: Partial<typeof preferences>): void => store.dispatch({ kind: "preference", change: part });
  return (
    <Frame title={store.t("settings.title")}>
      <div class="stack gap-s">
        <label class="field">
          <span class="label">{store.t("settings.theme")}</span>
          <select
            class="select"
            value={preferences.theme}
            onChange={(event) => {
              const { value } = event.currentTarget;
              change({ theme: value === "light" || value === "dark" ? value : "system" });
            }}
          >
            <option value="system">{store.t("settings.theme-system")}</option>
            <option value="light">{store.t("settings.theme-light")}</option>
            <option value="dark">{store.t("settings.theme-dark")}</option>
          </select>
        </label>
        {Object.keys(LANGUAGES).length > 1 ? (
          <label class="field">
            <span class="label">{store.t("settings.language")}</span>
            <select
              class="select"
              value={store.language.value}
              onChange={(event) => change({ language: event.currentTarget.value })}
            >
              {Object.entries(LANGUAGES).map(([code, { name }]) => (
                <option key={code} value={code}>
                  {name}
                </option>
              ))}
            </select>
          </label>
        ) : null}
        <Switch
          label={store.t("settings.mirror")}
          checked={preferences.mirror}
          onChange={(mirror) => change({ mirror })}
        />
        <Switch
          label={store.t("settings.sounds")}
          checked={preferences.sounds}
          onChange={(sounds) => change({ sounds })}
        />
        <Switch
          label={store.t("settings.shortcuts")}
          checked={preferences.shortcuts}
          onChange={(shortcuts) => change({ shortcuts })}
        />
      </div>
      <Done label={store.t("settings.done")} />
    </Frame>
  );
}

const MAX_ANSWERS = 10;

function PollDialog() {
  const store = useStore();
  const [question, setQuestion] = useState("");
  const [answers, setAnswers] = useState<readonly string[]>(["", ""]);
  const filled = answers.map((each) => each.trim()).filter((each) => each !== "");
  const ready = question.trim() !== "" && filled.length >= 2;
  return (
    <Frame title={store.t("polls.new")}>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          if (ready) store.dispatch({ kind: "new-poll", question: question.trim(), answers: filled });
        }}
      >
        <div class="field">
          <label for="poll-question">{store.t("polls.question")}</label>
          <input
            class="input"
            id="poll-question"
            data-first
            maxLength={200}
            value={question}
            onInput={(event) => setQuestion(event.currentTarget.value)}
          />
        </div>
        {answers.map((answer, i) => (
          <input
            key={i}
            class="input"
            maxLength={100}
            aria-label={store.t("polls.answer", i + 1)}
            placeholder={store.t("polls.answer", i + 1)}
            value={answer}
            onInput={(event) => {
              const { value } = event.currentTarget;
              setAnswers(answers.map((each, at) => (at === i ? value : each)));
            }}
          />
        ))}
        {answers.length < MAX_ANSWERS ? (
          <button class="btn ghost small" type="button" onClick={() => setAnswers([...answers, ""])}>
            <Icon name="plus" size="s" />
            {store.t("polls.add-answer")}
          </button>
        ) : null}
        <div class="answers">
          <button class="btn" type="button" onClick={() => store.dispatch({ kind: "dialog", dialog: undefined })}>
            {store.t("prejoin.cancel")}
          </button>
          <button class="btn primary" type="submit" aria-disabled={!ready}>
            {store.t("polls.create")}
          </button>
        </div>
      </form>
    </Frame>
  );
}
