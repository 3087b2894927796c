/** The meeting page: header, stage, drawer, controls. */
import { handNumbers, isModerator } from "../state.ts";
import { Bar } from "./bar.tsx";
import { Chat } from "./chat.tsx";
import { Elapsed } from "./clock.tsx";
import { useStore } from "./context.ts";
import { toggleFullScreen } from "./full-screen.ts";
import { Icon, Mark } from "./icon.tsx";
import { People } from "./people.tsx";
import { Polls } from "./polls.tsx";
import { Rooms } from "./rooms.tsx";
import { CopyLink, Stage } from "./stage.tsx";

export function Meeting() {
  const store = useStore();
  const { state } = store;
  return (
    <div class="meet">
      <a class="skip" href="#stage">
        {store.t("meeting.skip")}
      </a>
      <div class="head">
        <Header />
        <NetworkBanner />
        <WaitingBanner />
      </div>
      <div class={`body ${state.drawer === "none" ? "" : "open"}`}>
        <Stage />
        <DrawerContent />
      </div>
      <Bar />
    </div>
  );
}

function DrawerContent() {
  const store = useStore();
  switch (store.state.drawer) {
    case "chat":
      return <Chat />;
    case "people":
      return <People />;
    case "polls":
      return <Polls />;
    case "rooms":
      return <Rooms />;
    case "none":
      return null;
  }
}

function Header() {
  const store = useStore();
  const { state } = store;
  const hands = handNumbers(state).size;
  const since = state.info.createdAt ?? state.joinedAt;
  const people = state.people.size + 1;
  const group = state.breakout.find(
    (each) => state.info.isBreakout && each.people.some((p) => p.endpoint === state.self.endpoint),
  );
  return (
    <header>
      <Mark />
      <div class="grow heading">
        <h1 class="clip">{state.room.subject || state.room.title}</h1>
        <p class="hint num under">
          <Elapsed since={since} /> · {store.t("meeting.people", people)}
        </p>
      </div>
      <span class="muted beside">
        <span class="vh">{store.t("meeting.running")} </span>
        <Elapsed since={since} />
      </span>
      {group === undefined ? null : <span class="chip blue">{store.t("meeting.breakout", group.name)}</span>}
      {state.recording ? (
        <span class="chip rec">
          <span class="dot" />
          <span class="wide">{store.t("meeting.recording")}</span>
          <span class="narrow-only" aria-hidden="true">
            {store.t("meeting.rec")}
          </span>
        </span>
      ) : null}
      {state.info.locked ? (
        <span class="chip">
          <Icon name="lock" size="s" />
          <span class="wide">{store.t("meeting.locked")}</span>
        </span>
      ) : null}
      {hands > 0 ? (
        <button
          class="chip brassfill"
          type="button"
          aria-label={store.t("meeting.hands", hands)}
          onClick={() => store.dispatch({ kind: "drawer", drawer: "people" })}
        >
          <Icon name="hand" size="s" />
          <span class="wide">{store.t("meeting.hands", hands)}</span>
          <span class="narrow-only" aria-hidden="true">
            {hands}
          </span>
        </button>
      ) : null}
      {state.local.sharing ? (
        <span class="chip rec sharing">
          <Icon name="monitor-up" size="s" />
          <span class="wide">{store.t("meeting.you-share")}</span>
          <button class="btn small" type="button" onClick={() => store.dispatch({ kind: "share", on: false })}>
            {store.t("meeting.stop-sharing")}
          </button>
        </span>
      ) : null}
      <span class="end wide row tight">
        <CopyLink plain />
        <FullScreen />
      </span>
      <button
        class="btn ghost small sq switch-camera"
        type="button"
        aria-label={store.t("menu.switch-camera")}
        onClick={() => store.dispatch({ kind: "switch-camera" })}
      >
        <Icon name="switch-camera" />
      </button>
    </header>
  );
}

function FullScreen() {
  const store = useStore();
  if (!("requestFullscreen" in document.documentElement)) return null;
  return (
    <button
      class="btn ghost small sq"
      type="button"
      aria-label={store.t("meeting.full-screen")}
      title={store.t("bar.key", store.t("meeting.full-screen"), "S")}
      onClick={toggleFullScreen}
    >
      <Icon name="maximize" size="s" />
    </button>
  );
}

/** Somebody is at the door: brass, and over everything until it is answered (look page, 6). */
function WaitingBanner() {
  const store = useStore();
  const { state } = store;
  const [first] = state.knockers;
  if (first === undefined || !isModerator(state) || state.drawer === "people") return null;
  const several = state.knockers.length > 1;
  return (
    <section class="banner" aria-label={store.t("people.waiting")}>
      <Icon name="door-open" />
      <span class="grow clip">
        {several ? store.t("people.several-wait", state.knockers.length) : store.t("said.knocks", first.name)}
      </span>
      {several ? (
        <button
          class="btn small yes"
          type="button"
          onClick={() => store.dispatch({ kind: "drawer", drawer: "people" })}
        >
          {store.t("people.show")}
        </button>
      ) : (
        <>
          <button class="btn small" type="button" onClick={() => store.dispatch({ kind: "deny", nick: first.nick })}>
            {store.t("people.refuse")}
          </button>
          <button
            class="btn small yes"
            type="button"
            onClick={() => store.dispatch({ kind: "admit", nicks: [first.nick] })}
          >
            {store.t("people.admit")}
          </button>
        </>
      )}
    </section>
  );
}

/** Texts 1, 2 and 4 of the look page's voice table; one status, not several. */
function NetworkBanner() {
  const store = useStore();
  const { network, bridgeMissing, people, load, local } = store.state;
  const noBridge = network === "fine" && bridgeMissing && people.size > 0;
  const loaded = network === "fine" && !bridgeMissing && load !== "fine" && people.size > 0;
  return (
    <div class="network" role="status">
      {network === "fine" ? null : (
        <p>
          <Icon name={network === "media-lost" ? "wifi-off" : "loader-circle"} size="s" />
          {store.t(`network.${network}`)}
        </p>
      )}
      {noBridge ? (
        <p>
          <Icon name="triangle-alert" size="s" />
          {store.t(load === "full" ? "meeting.box-full" : "meeting.no-bridge")}
        </p>
      ) : null}
      {loaded ? (
        <p id="load">
          <Icon name={load === "full" && !local.cameraOn ? "video-off" : "triangle-alert"} size="s" />
          {store.t(load === "full" && !local.cameraOn ? "meeting.cameras-full" : "meeting.smaller-pictures")}
        </p>
      ) : null}
    </div>
  );
}
