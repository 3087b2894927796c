/** The page: which of its four faces is shown, dialogs, sound, and the one live region. */
import { useEffect, useState } from "preact/hooks";
import type { Store } from "../store.ts";
import { StoreContext, useStore } from "./context.ts";
import { Dialogs } from "./dialogs.tsx";
import { End } from "./end.tsx";
import { Meeting } from "./meeting.tsx";
import { Prejoin, TopBar } from "./prejoin.tsx";
import { Sound } from "./sound.tsx";

export const App = ({ store, stayedMs }: { readonly store: Store; readonly stayedMs: () => number }) => (
  <StoreContext.Provider value={store}>
    <CurrentPage stayedMs={stayedMs} />
    <Dialogs />
    <Sound />
    <Announcer />
    <Title />
  </StoreContext.Provider>
);

function CurrentPage({ stayedMs }: { readonly stayedMs: () => number }) {
  const store = useStore();
  switch (store.state.page) {
    case "start":
      return <Start />;
    case "prejoin":
      return <Prejoin />;
    case "meeting":
      return <Meeting />;
    case "end":
      return <End stayedMs={stayedMs()} />;
  }
}

function Start() {
  const store = useStore();
  const [room, setRoom] = useState("");
  return (
    <div class="endp start">
      <TopBar />
      <main>
        <form
          class="card"
          onSubmit={(event) => {
            event.preventDefault();
            store.dispatch({ kind: "open-room", name: room });
          }}
        >
          <h1>{store.t("start.title")}</h1>
          <p class="muted">{store.t("start.explain")}</p>
          <div class="field">
            <label for="room">{store.t("start.room")}</label>
            <input
              class="input"
              id="room"
              maxLength={100}
              autocomplete="off"
              autocapitalize="off"
              value={room}
              onInput={(event) => setRoom(event.currentTarget.value)}
            />
          </div>
          <button class="btn primary big full" type="submit">
            {store.t("start.go")}
          </button>
        </form>
      </main>
      <footer class="foot">
        <span>{store.t("app.privacy")}</span>
      </footer>
    </div>
  );
}

/** One polite live region; bursts give the last word (W71). */
function Announcer() {
  const store = useStore();
  const { announcement } = store.state;
  return (
    <div class="vh" aria-live="polite" aria-atomic="true" id="announcer">
      {announcement === undefined ? "" : store.tell(announcement)}
    </div>
  );
}

function Title() {
  const store = useStore();
  const { page, room, unread } = store.state;
  const app = store.t("app.name");
  const name = room.subject || room.title;
  const title =
    page === "start" || name === "" ? app : `${unread > 0 && page === "meeting" ? `(${unread}) ` : ""}${name} – ${app}`;
  const language = store.language.value;
  useEffect(() => {
    document.title = title;
    document.documentElement.lang = language;
  }, [title, language]);
  return null;
}
