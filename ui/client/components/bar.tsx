/** The controls at the bottom (at the end side on a phone held sideways). */
import { useEffect, useRef } from "preact/hooks";
import type { MessageId } from "../../messages/messages.ts";
import { isModerator, mayUnmute } from "../state.ts";
import { TimeOfDay } from "./clock.tsx";
import { useStore } from "./context.ts";
import { toggleFullScreen } from "./full-screen.ts";
import { Icon, type IconName } from "./icon.tsx";
import { Menu, MenuItem } from "./menu.tsx";
import { Meter } from "./meter.tsx";
import { DeviceRow } from "./prejoin.tsx";
import { REACTIONS } from "./tile.tsx";

export const canShare = (): boolean =>
  navigator.mediaDevices !== undefined && "getDisplayMedia" in navigator.mediaDevices;

export function Bar() {
  const store = useStore();
  const { state } = store;
  const { local, companion } = state;
  const bar = useRef<HTMLElement>(null);
  useRovingFocus(bar);
  const speakAllowed = mayUnmute(state, "audio") || local.microphoneOn;
  const cameraAllowed = mayUnmute(state, "video") || local.cameraOn;
  return (
    <nav class="bar" id="controls" aria-label={store.t("meeting.controls")} ref={bar}>
      <div class="tools first muted">
        <TimeOfDay />
        {state.room.appName === "" ? null : (
          <>
            <span aria-hidden="true">·</span>
            <span class="clip">{state.room.appName}</span>
          </>
        )}
      </div>
      <div class="tools mid">
        <div class="duo">
          <Tool
            icon={local.microphoneOn ? "mic" : "mic-off"}
            name={store.t(local.silent ? "bar.microphone-silent" : "bar.microphone")}
            keyName="M"
            pressed={local.microphoneOn}
            off={!local.microphoneOn}
            disabled={companion || !speakAllowed}
            why={speakAllowed ? undefined : store.t("bar.forbidden")}
            warn={local.silent || local.microphoneFault !== undefined}
            onClick={() => store.dispatch({ kind: "toggle", media: "microphone" })}
          />
          <Menu
            label={store.t("bar.microphone-options")}
            button={<Icon name="chevron-up" size="s" />}
            class="tb open-menu"
          >
            <div class="menu-meter">
              <span class="vh">{store.t("menu.level")}</span>
              <Icon name="mic" size="s" />
              <Meter bars={24} />
            </div>
            <DeviceRow />
          </Menu>
        </div>
        <div class="duo">
          <Tool
            icon={local.cameraOn ? "video" : "video-off"}
            name={store.t("bar.camera")}
            keyName="V"
            pressed={local.cameraOn}
            off={!local.cameraOn}
            disabled={companion || !cameraAllowed}
            why={cameraAllowed ? undefined : store.t("bar.forbidden")}
            warn={local.cameraFault !== undefined}
            onClick={() => store.dispatch({ kind: "toggle", media: "camera" })}
          />
          <Menu label={store.t("bar.camera-options")} button={<Icon name="chevron-up" size="s" />} class="tb open-menu">
            <DeviceRow />
          </Menu>
        </div>
        {canShare() ? (
          <Tool
            extra
            icon={local.sharing ? "monitor-off" : "monitor-up"}
            name={store.t("bar.share")}
            keyName="D"
            pressed={local.sharing}
            onClick={() => store.dispatch({ kind: "share", on: !local.sharing })}
          />
        ) : null}
        <Tool
          icon="hand"
          name={store.t("bar.hand")}
          keyName="R"
          pressed={state.handAt !== undefined}
          up={state.handAt !== undefined}
          onClick={() => store.dispatch({ kind: "hand" })}
        />
        <Menu label={store.t("bar.react")} button={<Icon name="smile" />} class="tb extra roomy">
          <div class="reactions">
            {Object.entries(REACTIONS).map(([name, drawing]) => (
              <button
                key={name}
                class="btn ghost sq"
                type="button"
                aria-label={store.t(`reaction.${name}` as MessageId)}
                onClick={() => store.dispatch({ kind: "react", reaction: name })}
              >
                {drawing}
              </button>
            ))}
          </div>
        </Menu>
        <Tool
          extra
          roomy
          icon={state.view === "tiles" ? "panel-right" : "layout-grid"}
          name={store.t("bar.view")}
          keyName="W"
          pressed={state.view === "speaker"}
          onClick={() => store.dispatch({ kind: "view" })}
        />
        <More />
        <button
          class="tb red"
          type="button"
          aria-label={store.t("bar.leave")}
          onClick={() =>
            isModerator(state) && state.people.size > 0 && state.components.endConference !== undefined
              ? store.dispatch({ kind: "dialog", dialog: { kind: "leave" } })
              : store.dispatch({ kind: "leave" })
          }
        >
          <Icon name="hang-up" />
          <span class="wide">{store.t("bar.leave")}</span>
        </button>
      </div>
      <div class="tools last">
        <Tool
          icon="message-square"
          name={store.t("bar.chat")}
          keyName="C"
          open={state.drawer === "chat"}
          badge={state.unread}
          badgeLabel={state.unread > 0 ? store.t("bar.chat-unread", state.unread) : undefined}
          onClick={() => store.dispatch({ kind: "drawer", drawer: "chat" })}
        />
        <Tool
          icon="users"
          name={store.t("bar.people")}
          keyName="P"
          open={state.drawer === "people"}
          badge={state.knockers.length}
          badgeLabel={
            state.knockers.length === 0
              ? store.t("bar.people-count", state.people.size + 1)
              : store.t("bar.people-waiting", state.people.size + 1, state.knockers.length)
          }
          count={state.people.size + 1}
          onClick={() => store.dispatch({ kind: "drawer", drawer: "people" })}
        />
      </div>
    </nav>
  );
}

function More() {
  const store = useStore();
  const { state } = store;
  const { dispatch } = store;
  const badge = state.unread + state.knockers.length + state.unseenPolls;
  return (
    <Menu
      label={badge === 0 ? store.t("bar.more") : store.t("bar.more-new", badge)}
      button={
        <>
          <Icon name="ellipsis" />
          {badge > 0 ? (
            <span class="badge phone-only" aria-hidden="true">
              {badge}
            </span>
          ) : null}
        </>
      }
      class="tb"
    >
      <MenuItem
        icon="message-square"
        phoneOnly
        badge={state.unread}
        onSelect={() => dispatch({ kind: "drawer", drawer: "chat" })}
      >
        {store.t("menu.chat")}
      </MenuItem>
      <MenuItem
        icon="users"
        phoneOnly
        badge={state.knockers.length}
        onSelect={() => dispatch({ kind: "drawer", drawer: "people" })}
      >
        {store.t("menu.people")}
      </MenuItem>
      <MenuItem icon="panel-right" compactOnly onSelect={() => dispatch({ kind: "view" })}>
        {store.t("bar.view")}
      </MenuItem>
      <div class="reactions compact-only">
        {Object.entries(REACTIONS).map(([name, drawing]) => (
          <button
            key={name}
            class="btn ghost sq"
            type="button"
            aria-label={store.t(`reaction.${name}` as MessageId)}
            onClick={() => dispatch({ kind: "react", reaction: name })}
          >
            {drawing}
          </button>
        ))}
      </div>
      {state.components.polls === undefined ? null : (
        <MenuItem icon="list" badge={state.unseenPolls} onSelect={() => dispatch({ kind: "drawer", drawer: "polls" })}>
          {store.t("menu.polls")}
        </MenuItem>
      )}
      {state.components.breakoutRooms === undefined || (!isModerator(state) && state.breakout.length < 2) ? null : (
        <MenuItem icon="door-open" onSelect={() => dispatch({ kind: "drawer", drawer: "rooms" })}>
          {store.t("menu.rooms")}
        </MenuItem>
      )}
      <MenuItem icon="volume-2" onSelect={() => dispatch({ kind: "dialog", dialog: { kind: "speaking-time" } })}>
        {store.t("menu.speaking-time")}
      </MenuItem>
      <MenuItem
        icon="headphones"
        checked={state.audioOnly}
        onSelect={() => dispatch({ kind: "audio-only", on: !state.audioOnly })}
      >
        {store.t("menu.audio-only")}
      </MenuItem>
      <MenuItem
        icon="sliders-horizontal"
        compactOnly
        onSelect={() => dispatch({ kind: "dialog", dialog: { kind: "devices" } })}
      >
        {store.t("devices.title")}
      </MenuItem>
      <MenuItem icon="switch-camera" phoneOnly onSelect={() => dispatch({ kind: "switch-camera" })}>
        {store.t("menu.switch-camera")}
      </MenuItem>
      <MenuItem icon="shield-check" onSelect={() => dispatch({ kind: "dialog", dialog: { kind: "security" } })}>
        {store.t("menu.security")}
      </MenuItem>
      <MenuItem icon="maximize" onSelect={toggleFullScreen}>
        {store.t("menu.full-screen")}
      </MenuItem>
      <MenuItem icon="settings" onSelect={() => dispatch({ kind: "dialog", dialog: { kind: "settings" } })}>
        {store.t("menu.settings")}
      </MenuItem>
      <MenuItem icon="keyboard" wideOnly onSelect={() => dispatch({ kind: "dialog", dialog: { kind: "shortcuts" } })}>
        {store.t("menu.shortcuts")}
      </MenuItem>
    </Menu>
  );
}

interface ToolProps {
  readonly icon: IconName;
  readonly name: string;
  readonly keyName: string;
  readonly pressed?: boolean;
  readonly off?: boolean;
  readonly up?: boolean;
  readonly open?: boolean;
  readonly disabled?: boolean;
  readonly why?: string | undefined;
  readonly warn?: boolean;
  readonly badge?: number;
  readonly badgeLabel?: string | undefined;
  readonly count?: number;
  /** Hidden on phones, where the menu has it. */
  readonly extra?: boolean;
  /** Hidden where the bar is short of room; the menu has it then. */
  readonly roomy?: boolean;
  readonly onClick: () => void;
}

function Tool(props: ToolProps) {
  const store = useStore();
  const classes = [
    "tb",
    props.off === true ? "off" : "",
    props.up === true ? "up" : "",
    props.open === true ? "open" : "",
    props.count === undefined ? "" : "pair",
    props.extra === true ? "extra" : "",
    props.roomy === true ? "roomy" : "",
  ];
  return (
    <button
      class={classes.join(" ")}
      type="button"
      aria-label={props.badgeLabel ?? props.name}
      aria-pressed={props.pressed}
      aria-expanded={props.open}
      aria-disabled={props.disabled}
      aria-keyshortcuts={props.keyName.toLowerCase()}
      title={props.why ?? store.t("bar.key", props.name, props.keyName)}
      onClick={props.onClick}
    >
      <Icon name={props.icon} />
      {props.count === undefined ? null : (
        <span class="cnt" aria-hidden="true">
          {props.count}
        </span>
      )}
      {props.badge === undefined || props.badge === 0 ? null : (
        <span class="badge" aria-hidden="true">
          {" "}
          {props.badge}
        </span>
      )}
      {props.warn === true ? <span class="warn" aria-hidden="true" /> : null}
    </button>
  );
}

/** Arrow keys move along the controls; Tab leaves them (W69). */
function useRovingFocus(bar: { readonly current: HTMLElement | null }): void {
  useEffect(() => {
    const element = bar.current;
    if (element === null) return;
    const buttons = (): HTMLElement[] =>
      Array.from(element.querySelectorAll<HTMLElement>("button.tb")).filter((each) => each.offsetParent !== null);
    const mark = (): void => {
      const all = buttons();
      const current =
        all.find((each) => each === document.activeElement) ?? all.find((each) => each.tabIndex === 0) ?? all[0];
      for (const each of all) each.tabIndex = each === current ? 0 : -1;
    };
    const keyed = (event: KeyboardEvent): void => {
      const all = buttons();
      const at = all.indexOf(document.activeElement as HTMLElement);
      if (at === -1) return;
      const rtl = getComputedStyle(element).direction === "rtl";
      const step =
        event.key === "ArrowRight" || event.key === "ArrowDown"
          ? 1
          : event.key === "ArrowLeft" || event.key === "ArrowUp"
            ? -1
            : 0;
      if (step === 0 && event.key !== "Home" && event.key !== "End") return;
      event.preventDefault();
      const horizontal = event.key === "ArrowLeft" || event.key === "ArrowRight";
      const next =
        event.key === "Home"
          ? 0
          : event.key === "End"
            ? all.length - 1
            : (at + step * (rtl && horizontal ? -1 : 1) + all.length) % all.length;
      all[next]?.focus();
      mark();
    };
    mark();
    element.addEventListener("keydown", keyed);
    element.addEventListener("focusin", mark);
    return () => {
      element.removeEventListener("keydown", keyed);
      element.removeEventListener("focusin", mark);
    };
  }, [bar]);
}
