/** Groups: breakout rooms of the meeting, who is in which, going there and back (signaling.md 6.4). */
import type { BreakoutRoom } from "../../session/components.ts";
import { isModerator } from "../state.ts";
import { useStore } from "./context.ts";
import { DrawerFrame } from "./drawer.tsx";
import { Icon } from "./icon.tsx";
import { Menu, MenuItem } from "./menu.tsx";
import { Face } from "./person.tsx";

export function Rooms() {
  const store = useStore();
  const { state } = store;
  const groups = state.breakout.filter((each) => !each.isMain);
  const main = state.breakout.find((each) => each.isMain);
  return (
    <DrawerFrame title={store.t("rooms.title")} id="rooms">
      <div class="scroll stack padded">
        {groups.length === 0 ? (
          <div class="empty">
            <Icon name="door-open" size="l" />
            <p class="muted">{store.t("rooms.none")}</p>
          </div>
        ) : null}
        {main === undefined || groups.length === 0 ? null : <Group room={main} title={store.t("rooms.main")} />}
        {groups.map((room) => (
          <Group key={room.jid} room={room} title={room.name} />
        ))}
      </div>
      {isModerator(state) ? (
        <div class="foot-actions">
          <button
            class="btn primary full"
            type="button"
            data-first
            onClick={() =>
              store.dispatch({ kind: "breakout-add", name: store.t("rooms.default-name", groups.length + 1) })
            }
          >
            <Icon name="plus" size="s" />
            {store.t("rooms.add")}
          </button>
        </div>
      ) : null}
    </DrawerFrame>
  );
}

function Group({ room, title }: { readonly room: BreakoutRoom; readonly title: string }) {
  const store = useStore();
  const { state } = store;
  const here = room.people.some((each) => each.endpoint === state.self.endpoint);
  const moderating = isModerator(state);
  const others = state.breakout.filter((each) => each.jid !== room.jid);
  return (
    <section class="card group" aria-label={title}>
      <div class="row">
        <h3 class="grow clip">{title}</h3>
        {here ? (
          <span class="chip green">{store.t("rooms.here")}</span>
        ) : (
          <button
            class="btn small"
            type="button"
            onClick={() => store.dispatch({ kind: "breakout-enter", jid: room.jid })}
          >
            {store.t(room.isMain ? "rooms.back" : "rooms.join")}
          </button>
        )}
        {moderating && !room.isMain ? (
          <Menu
            label={store.t("rooms.options", title)}
            button={<Icon name="ellipsis" size="s" />}
            class="btn ghost small sq"
          >
            <MenuItem
              icon="pencil"
              onSelect={() => store.dispatch({ kind: "dialog", dialog: { kind: "rename-room", jid: room.jid } })}
            >
              {store.t("rooms.rename")}
            </MenuItem>
            <MenuItem icon="trash-2" danger onSelect={() => store.dispatch({ kind: "breakout-remove", jid: room.jid })}>
              {store.t("rooms.remove")}
            </MenuItem>
          </Menu>
        ) : null}
      </div>
      <ul>
        {room.people.map((person) => (
          <li class="pl" key={person.realJid}>
            <Face endpoint={person.endpoint} name={person.name} />
            <span class="grow clip">{person.name || store.t("meeting.unnamed")}</span>
            {moderating && others.length > 0 ? (
              <Menu
                label={store.t("rooms.send", person.name)}
                button={<Icon name="arrow-right" size="s" directed />}
                class="btn ghost small sq"
              >
                {others.map((each) => (
                  <MenuItem
                    key={each.jid}
                    icon="door-open"
                    onSelect={() => store.dispatch({ kind: "breakout-move", realJid: person.realJid, jid: each.jid })}
                  >
                    {each.isMain ? store.t("rooms.main") : each.name}
                  </MenuItem>
                ))}
              </Menu>
            ) : null}
          </li>
        ))}
      </ul>
    </section>
  );
}
