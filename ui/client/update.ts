/**
 * What becomes of the state by an event, and what is to be done: each kind of event has its own file.
 */
import type { EpochMillis } from "../session/time.ts";
import type { Effect, MeetingEvent, MeetingState, Step, Toast } from "./state.ts";
import { updateAction } from "./state-actions.ts";
import { updateDevices } from "./state-devices.ts";
import { updateSession } from "./state-session.ts";

const TOAST_MS = 5000;
const TOAST_WITH_ACTION_MS = 10_000;

export function update(state: MeetingState, event: MeetingEvent, now: EpochMillis): Step {
  const [next, effects] = updateBy(state, event, now);
  return [next, [...effects, ...toastTimer(state.toasts, next.toasts)]];
}

function updateBy(state: MeetingState, event: MeetingEvent, now: EpochMillis): Step {
  switch (event.from) {
    case "session":
      return updateSession(state, event.event, now);
    case "devices":
      return updateDevices(state, event.event);
    case "user":
      return updateAction(state, event.event, now);
  }
}

/** The timer of the toast that comes to the front, if it is another one than before. */
function toastTimer(before: readonly Toast[], after: readonly Toast[]): readonly Effect[] {
  const shown = after[0];
  if (shown === undefined || shown.key === before[0]?.key) return [];
  return [{ kind: "toast-timer", key: shown.key, ms: shown.action === undefined ? TOAST_MS : TOAST_WITH_ACTION_MS }];
}
