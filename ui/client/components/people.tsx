/** People: those who wait first, then raised hands, then who spoke lately, then names (look page, 8). */
import { handNumbers, isModerator, type MeetingState, type Person } from "../state.ts";
import { muteAllMakesSense } from "../state-actions.ts";
import { useStore } from "./context.ts";
import { DrawerFrame } from "./drawer.tsx";
import { Icon } from "./icon.tsx";
import { Menu, MenuItem } from "./menu.tsx";
import { Face } from "./person.tsx";
import { CopyLink } from "./stage.tsx";

/** Order of the list; pure. */
export function peopleInOrder(state: MeetingState): readonly Person[] {
  const hands = handNumbers(state);
  return [...state.people.values()].toSorted((a, b) => {
    const handA = hands.get(a.endpoint) ?? Infinity;
    const handB = hands.get(b.endpoint) ?? Infinity;
    if (handA !== handB) return handA - handB;
    if (a.heardAt !== b.heardAt) return b.heardAt - a.heardAt;
    return a.name.localeCompare(b.name);
  });
}

export function People() {
  const store = useStore();
  const { state } = store;
  return (
    <DrawerFrame title={store.t("people.title")} id="people" actions={<CopyLink plain />}>
      <div class="scroll">
        {state.knockers.length === 0 || !isModerator(state) ? null : <Waiting />}
        <h3 class="vh">{store.t("people.inside")}</h3>
        <ul class="plist">
          <SelfRow />
          {peopleInOrder(state).map((person) => (
            <Row key={person.endpoint} person={person} />
          ))}
        </ul>
      </div>
      {muteAllMakesSense(state) ? (
        <div class="foot-actions">
          <button
            class="btn full"
            type="button"
            onClick={() => store.dispatch({ kind: "dialog", dialog: { kind: "mute-all" } })}
          >
            <Icon name="mic-off" size="s" />
            {store.t("people.mute-all")}
          </button>
        </div>
      ) : null}
    </DrawerFrame>
  );
}

function Waiting() {
  const store = useStore();
  const { knockers } = store.state;
  return (
    <section class="waiting" aria-label={store.t("people.waiting")}>
      <div class="row between">
        <h3>{store.t("people.waiting")}</h3>
        {knockers.length > 1 ? (
          <button
            class="btn small"
            type="button"
            onClick={() => store.dispatch({ kind: "admit", nicks: knockers.map((each) => each.nick) })}
          >
            {store.t("people.admit-all")}
          </button>
        ) : null}
      </div>
      <ul>
        {knockers.map((each) => (
          <li class="pl" key={each.nick}>
            <Face endpoint={each.nick} name={each.name} />
            <span class="grow clip">{each.name || store.t("meeting.unnamed")}</span>
            <button
              class="btn small"
              type="button"
              aria-label={store.t("people.refuse-name", each.name)}
              onClick={() => store.dispatch({ kind: "deny", nick: each.nick })}
            >
              {store.t("people.refuse")}
            </button>
            <button
              class="btn brass small"
              type="button"
              aria-label={store.t("people.admit-name", each.name)}
              onClick={() => store.dispatch({ kind: "admit", nicks: [each.nick] })}
            >
              {store.t("people.admit")}
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

function SelfRow() {
  const store = useStore();
  const { state } = store;
  const hand = handNumbers(state).get(state.self.endpoint);
  return (
    <li class="pl">
      <Face endpoint={state.self.endpoint} name={state.preferences.name} />
      <span class="grow clip">{store.t("meeting.you-named", state.preferences.name)}</span>
      {hand === undefined ? null : (
        <span class="chip brassfill">
          <Icon name="hand" size="s" />
          {hand}
        </span>
      )}
      {state.self.role === "moderator" ? <Icon name="crown" size="s" /> : null}
      <Icon name={state.companion ? "laptop" : state.local.microphoneOn ? "mic" : "mic-off"} size="s" />
    </li>
  );
}

function Row({ person }: { readonly person: Person }) {
  const store = useStore();
  const { state, dispatch } = store;
  const name = person.name || store.t("meeting.unnamed");
  const hand = handNumbers(state).get(person.endpoint);
  const moderating = isModerator(state);
  const sharing = state.sources.some((each) => each.owner === person.endpoint && each.videoType === "desktop");
  const moderated = state.moderation.on;
  const mayTalk = state.moderation.allowed.get("audio")?.includes(person.endpoint) === true;
  const mayShow = state.moderation.allowed.get("video")?.includes(person.endpoint) === true;
  const mayShare = state.moderation.allowed.get("desktop")?.includes(person.endpoint) === true;
  return (
    <li class="pl" data-endpoint={person.endpoint}>
      <Face endpoint={person.endpoint} name={name} />
      <span class="grow clip">
        {name}
        {person.role === "moderator" ? <span class="vh">, {store.t("people.moderator")}</span> : null}
      </span>
      {hand === undefined ? null : (
        <span class="chip brassfill">
          <Icon name="hand" size="s" />
          <span class="vh">{store.t("tile.hand", hand)}</span>
          <span aria-hidden="true">{hand}</span>
        </span>
      )}
      {person.role === "moderator" ? <Icon name="crown" size="s" /> : null}
      <Icon name={person.companion ? "laptop" : person.microphoneMuted ? "mic-off" : "mic"} size="s" />
      {person.microphoneMuted ? <span class="vh">{store.t("tile.microphone-off")}</span> : null}
      <Menu
        label={store.t("people.options", name)}
        button={<Icon name="ellipsis" size="s" />}
        class="btn ghost sq small"
      >
        <MenuItem icon="message-square" onSelect={() => dispatch({ kind: "chat-to", endpoint: person.endpoint })}>
          {store.t("chat.private")}
        </MenuItem>
        <MenuItem icon="pin" onSelect={() => dispatch({ kind: "pin", tile: person.endpoint })}>
          {store.t(state.pinned === person.endpoint ? "tile.unpin" : "tile.pin")}
        </MenuItem>
        {moderating && !person.microphoneMuted ? (
          <MenuItem
            icon="mic-off"
            onSelect={() => dispatch({ kind: "mute-person", endpoint: person.endpoint, media: "audio" })}
          >
            {store.t("people.mute")}
          </MenuItem>
        ) : null}
        {moderating && !person.cameraMuted ? (
          <MenuItem
            icon="video-off"
            onSelect={() => dispatch({ kind: "mute-person", endpoint: person.endpoint, media: "video" })}
          >
            {store.t("people.camera-off")}
          </MenuItem>
        ) : null}
        {moderating && sharing ? (
          <MenuItem
            icon="monitor-off"
            onSelect={() => dispatch({ kind: "mute-person", endpoint: person.endpoint, media: "desktop" })}
          >
            {store.t("people.stop-share")}
          </MenuItem>
        ) : null}
        {moderating && person.role !== "moderator" && moderated.has("audio") ? (
          <MenuItem
            icon="mic"
            onSelect={() => dispatch({ kind: "allow", endpoint: person.endpoint, media: "audio", on: !mayTalk })}
          >
            {store.t(mayTalk ? "people.forbid-microphone" : "people.allow-microphone")}
          </MenuItem>
        ) : null}
        {moderating && person.role !== "moderator" && moderated.has("video") && !mayShow ? (
          <MenuItem
            icon="video"
            onSelect={() => dispatch({ kind: "allow", endpoint: person.endpoint, media: "video", on: true })}
          >
            {store.t("people.allow-camera")}
          </MenuItem>
        ) : null}
        {moderating && person.role !== "moderator" && moderated.has("desktop") && !mayShare ? (
          <MenuItem
            icon="monitor-up"
            onSelect={() => dispatch({ kind: "allow", endpoint: person.endpoint, media: "desktop", on: true })}
          >
            {store.t("people.allow-share")}
          </MenuItem>
        ) : null}
        {moderating && person.role !== "moderator" ? (
          <MenuItem icon="crown" onSelect={() => dispatch({ kind: "grant", endpoint: person.endpoint })}>
            {store.t("people.make-moderator")}
          </MenuItem>
        ) : null}
        {moderating ? (
          <MenuItem
            icon="user-x"
            danger
            onSelect={() => dispatch({ kind: "dialog", dialog: { kind: "remove", endpoint: person.endpoint } })}
          >
            {store.t("people.remove")}
          </MenuItem>
        ) : null}
      </Menu>
    </li>
  );
}
