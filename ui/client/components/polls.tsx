/** Polls of the room, ours and those of stock clients (W53). */
import { useState } from "preact/hooks";
import type { Poll } from "../../session/components.ts";
import { useStore } from "./context.ts";
import { DrawerFrame } from "./drawer.tsx";
import { Icon } from "./icon.tsx";

export function Polls() {
  const store = useStore();
  const { polls } = store.state;
  return (
    <DrawerFrame title={store.t("polls.title")} id="polls">
      <div class="scroll stack padded">
        {polls.length === 0 ? (
          <div class="empty">
            <Icon name="list" size="l" />
            <p class="muted">{store.t("polls.none")}</p>
          </div>
        ) : null}
        {polls.map((poll) => (
          <PollCard key={poll.id} poll={poll} />
        ))}
      </div>
      <div class="foot-actions">
        <button
          class="btn primary full"
          type="button"
          data-first
          onClick={() => store.dispatch({ kind: "dialog", dialog: { kind: "poll" } })}
        >
          <Icon name="plus" size="s" />
          {store.t("polls.new")}
        </button>
      </div>
    </DrawerFrame>
  );
}

function PollCard({ poll }: { readonly poll: Poll }) {
  const store = useStore();
  const { self } = store.state;
  const mine = poll.answers.map((answer) => answer.voters.has(self.endpoint));
  const voted = mine.some((each) => each);
  const [choice, setChoice] = useState<readonly boolean[]>(mine);
  const [changing, setChanging] = useState(false);
  const total = new Set(poll.answers.flatMap((answer) => [...answer.voters.keys()])).size;
  const asker =
    poll.senderId === self.endpoint
      ? store.state.preferences.name
      : (poll.senderName ?? store.state.people.get(poll.senderId)?.name ?? "");
  const open = !voted || changing;
  return (
    <form
      class="card poll"
      onSubmit={(event) => {
        event.preventDefault();
        store.dispatch({ kind: "vote", poll: poll.id, answers: poll.answers.map((_, i) => choice[i] === true) });
        setChanging(false);
      }}
    >
      <fieldset>
        <legend class="strong">{poll.question}</legend>
        <p class="hint">{store.t("polls.by", asker)}</p>
        {poll.answers.map((answer, i) => (
          <label class="answer" key={i} for={`${poll.id}-${i}`}>
            {open ? (
              <input
                id={`${poll.id}-${i}`}
                type="checkbox"
                checked={choice[i] === true}
                onChange={(event) => {
                  const { checked } = event.currentTarget;
                  setChoice(poll.answers.map((_, at) => (at === i ? checked : choice[at] === true)));
                }}
              />
            ) : null}
            <span class="grow">{answer.name}</span>
            {voted || poll.senderId === self.endpoint ? (
              <span class="hint num" title={[...answer.voters.values()].join(", ")}>
                {store.t("polls.votes", answer.voters.size)}
              </span>
            ) : null}
            {voted ? <meter class="lvl" min={0} max={Math.max(1, total)} value={answer.voters.size} /> : null}
          </label>
        ))}
      </fieldset>
      {open ? (
        <button class="btn primary small" type="submit" aria-disabled={!choice.some((each) => each)}>
          {store.t("polls.vote")}
        </button>
      ) : (
        <button class="btn small" type="button" onClick={() => setChanging(true)}>
          {store.t("polls.change")}
        </button>
      )}
    </form>
  );
}
