/** Chat: everybody's and private messages, with the meeting's events between them (W50). */
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { MessageId } from "../../messages/messages.ts";
import { linkParts } from "../links.ts";
import type { ChatLine } from "../state.ts";
import { useStore } from "./context.ts";
import { DrawerFrame } from "./drawer.tsx";
import { Icon } from "./icon.tsx";
import { Face } from "./person.tsx";

export function Chat() {
  const store = useStore();
  const { state } = store;
  const [draft, setDraft] = useState("");
  const log = useRef<HTMLDivElement>(null);
  const pinned = useRef(true);
  const count = state.chat.length;
  useLayoutEffect(() => {
    const element = log.current;
    if (element !== null && pinned.current) element.scrollTop = element.scrollHeight;
  }, [count]);
  const people = [...state.people.values()];
  const to = state.chatTo === undefined ? undefined : state.people.get(state.chatTo);
  const send = (): void => {
    if (draft.trim() === "") return;
    store.dispatch({ kind: "send-chat", body: draft });
    setDraft("");
    pinned.current = true;
  };
  return (
    <DrawerFrame title={store.t("chat.title")} id="chat">
      <div
        class="log"
        role="log"
        aria-label={store.t("chat.title")}
        aria-live="off"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a part that scrolls has to be reached by keyboard
        tabIndex={0}
        ref={log}
        onScroll={(event) => {
          const element = event.currentTarget;
          pinned.current = element.scrollHeight - element.scrollTop - element.clientHeight < 40;
        }}
      >
        <p class="event">{store.t("chat.gone")}</p>
        {state.chat.map((line) => (
          <Line key={line.key} line={line} />
        ))}
      </div>
      <form
        class="compose"
        onSubmit={(event) => {
          event.preventDefault();
          send();
        }}
      >
        {people.length === 0 ? null : (
          <label class="pick recipient">
            <span class="hint">{store.t("chat.recipient")}</span>
            <select
              class="grow"
              value={state.chatTo ?? ""}
              onChange={(event) =>
                store.dispatch({
                  kind: "chat-to",
                  endpoint: event.currentTarget.value === "" ? undefined : event.currentTarget.value,
                })
              }
            >
              <option value="">{store.t("chat.everybody")}</option>
              {people.map((person) => (
                <option key={person.endpoint} value={person.endpoint}>
                  {person.name || store.t("meeting.unnamed")}
                </option>
              ))}
            </select>
          </label>
        )}
        <textarea
          class="input grow"
          rows={1}
          data-first
          maxLength={8000}
          aria-label={to === undefined ? store.t("chat.to-everybody") : store.t("chat.to", to.name)}
          placeholder={to === undefined ? store.t("chat.to-everybody") : store.t("chat.to", to.name)}
          value={draft}
          onInput={(event) => setDraft(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
            event.preventDefault();
            send();
          }}
        />
        <button class="btn primary sq" type="submit" aria-label={store.t("chat.send")}>
          <Icon name="send" directed />
        </button>
      </form>
    </DrawerFrame>
  );
}

function Line({ line }: { readonly line: ChatLine }) {
  const store = useStore();
  if (line.kind === "event") return <p class="event">{store.t(line.body as MessageId, line.name)}</p>;
  const name = line.name || store.t("meeting.unnamed");
  const time = new Intl.DateTimeFormat(store.language.value, {
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
  }).format(line.at);
  const by =
    line.privateWith === undefined
      ? line.mine
        ? store.t("meeting.you")
        : name
      : line.mine
        ? store.t("chat.you-to", line.privateWith)
        : store.t("chat.only-you", name);
  return (
    <div class={`msg ${line.mine ? "mine" : ""} ${line.privateWith === undefined ? "" : "priv"}`}>
      {line.mine ? null : <Face endpoint={line.from} name={name} />}
      <p class="by">
        <b>{by}</b> <span class="num">{time}</span>
      </p>
      <p class="text">
        {linkParts(line.body).map((part, i) =>
          part.href === undefined ? (
            part.text
          ) : (
            <a key={i} href={part.href} target="_blank" rel="noopener noreferrer">
              {part.text}
            </a>
          ),
        )}
      </p>
      {line.failed ? <p class="hint failed">{store.t("chat.failed")}</p> : null}
    </div>
  );
}
