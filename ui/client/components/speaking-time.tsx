/** Shell: who spoke how long: time and share for each person, brought up to date once a second (W56). */
import { useEffect, useState } from "preact/hooks";
import { epochMillis } from "../../session/time.ts";
import { speechLines } from "../speech.ts";
import { elapsed } from "./clock.tsx";
import { useStore } from "./context.ts";
import { Done, Frame } from "./dialog-frame.tsx";
import { Face } from "./person.tsx";

export function SpeakingTimeDialog() {
  const store = useStore();
  const { state } = store;
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  const here = new Map([...state.people.values()].map((person) => [person.endpoint, person.name]));
  here.set(state.self.endpoint, state.preferences.name);
  const percent = new Intl.NumberFormat(store.language.value, { style: "percent" });
  return (
    <Frame title={store.t("speaking-time.title")}>
      <ul class="speaking-time" id="speaking-time">
        {speechLines(state.speech, here, epochMillis(now)).map((line) => (
          <li key={line.endpoint} style={{ "--share": line.share }}>
            <Face endpoint={line.endpoint} name={line.name} />
            <span class="grow clip">
              {line.endpoint === state.self.endpoint
                ? store.t("meeting.you-named", line.name)
                : line.name || store.t("meeting.unnamed")}
              {line.speaking ? <span class="hint"> {store.t("speaking-time.now")}</span> : null}
            </span>
            <span class="num hint">{percent.format(line.share)}</span>
            <span class="num">{elapsed(line.ms)}</span>
          </li>
        ))}
      </ul>
      <Done label={store.t("action.close")} />
    </Frame>
  );
}
