/** How the page changes when devices come, go, fail or speak. */
import { type DeviceEvent, type MeetingState, none, type Step, text, withToast } from "./state.ts";

export function updateDevices(state: MeetingState, event: DeviceEvent): Step {
  switch (event.kind) {
    case "devices":
      return none({ ...state, devices: event.devices });
    case "asking":
      return none({ ...state, permission: "asking" });
    case "acquired": {
      const microphone = event.media === "microphone";
      const step: Step = [
        {
          ...state,
          permission: "granted",
          local: microphone
            ? { ...state.local, microphoneFault: undefined, microphoneLabel: event.label }
            : { ...state.local, cameraFault: undefined, cameraLabel: event.label, facing: event.facing },
        },
        state.page === "meeting" ? [{ kind: "own-presence" }] : [],
      ];
      return step;
    }
    case "released":
      return none(state);
    case "refused": {
      const microphone = event.media === "microphone";
      const local = microphone
        ? { ...state.local, microphoneOn: false, microphoneFault: event.fault }
        : { ...state.local, cameraOn: false, cameraFault: event.fault };
      const next: MeetingState = {
        ...state,
        local,
        permission: event.fault === "denied" || event.fault === "system" ? "denied" : state.permission,
      };
      if (state.page !== "meeting") return none(next);
      return withToast([next, [{ kind: "own-presence" }]], {
        kind: `fault-${event.media}`,
        icon: microphone ? "mic-off" : "video-off",
        text: text(`fault.${event.media}.${event.fault}`),
        action: { label: text("action.try-again"), event: { kind: "toggle", media: event.media, on: true } },
      });
    }
    case "unplugged":
      return withToast([state, []], {
        kind: "unplugged",
        icon: event.media === "camera" ? "video" : event.media === "speaker" ? "volume-2" : "mic",
        text:
          event.next === undefined
            ? text("toast.unplugged", event.label)
            : text("toast.unplugged-now", event.label, event.next),
        action: undefined,
      });
    case "plugged":
      return withToast([state, []], {
        kind: "plugged",
        icon: event.device === "camera" ? "video" : event.device === "speaker" ? "volume-2" : "mic",
        text: text("toast.plugged", event.added.label),
        action: {
          label: text("action.use"),
          event: { kind: "choose-device", device: event.device, id: event.added.id },
        },
      });
    case "silent": {
      const next = { ...state, local: { ...state.local, silent: event.silent } };
      if (!event.silent || state.page !== "meeting") return none(next);
      return withToast([next, []], {
        kind: "silent",
        icon: "mic",
        text: text("toast.silent"),
        action: { label: text("action.choose-another"), event: { kind: "dialog", dialog: { kind: "devices" } } },
      });
    }
    case "speaking-while-muted":
      return withToast([state, []], {
        kind: "muted-hint",
        icon: "mic-off",
        text: text("toast.you-are-muted"),
        action: { label: text("action.unmute"), event: { kind: "toggle", media: "microphone", on: true } },
      });
    case "sharing":
      if (state.local.sharing === event.on) return none(state);
      return [{ ...state, local: { ...state.local, sharing: event.on } }, [{ kind: "own-presence" }]];
    case "share-failed":
      return withToast([{ ...state, local: { ...state.local, sharing: false } }, []], {
        kind: "share-failed",
        icon: "monitor-off",
        text: text(event.denied ? "toast.share-denied" : "toast.share-failed"),
        action: undefined,
      });
    case "sound-blocked":
      return none({ ...state, soundBlocked: event.blocked });
    case "links":
      return none({ ...state, links: event.links });
    case "speaker-tested":
      return none({ ...state, announcement: text("prejoin.speaker-played") });
  }
}
