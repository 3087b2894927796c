/** The icons in use, from lucide (ISC), one file each in icons/; drawn by components/icon.tsx. */
import arrowRight from "./icons/arrow-right.svg" with { type: "text" };
import check from "./icons/check.svg" with { type: "text" };
import chevronDown from "./icons/chevron-down.svg" with { type: "text" };
import chevronLeft from "./icons/chevron-left.svg" with { type: "text" };
import chevronRight from "./icons/chevron-right.svg" with { type: "text" };
import chevronUp from "./icons/chevron-up.svg" with { type: "text" };
import circleDot from "./icons/circle-dot.svg" with { type: "text" };
import copy from "./icons/copy.svg" with { type: "text" };
import crown from "./icons/crown.svg" with { type: "text" };
import doorOpen from "./icons/door-open.svg" with { type: "text" };
import ellipsis from "./icons/ellipsis.svg" with { type: "text" };
import globe from "./icons/globe.svg" with { type: "text" };
import hand from "./icons/hand.svg" with { type: "text" };
import hangUp from "./icons/hang-up.svg" with { type: "text" };
import headphones from "./icons/headphones.svg" with { type: "text" };
import info from "./icons/info.svg" with { type: "text" };
import keyboard from "./icons/keyboard.svg" with { type: "text" };
import laptop from "./icons/laptop.svg" with { type: "text" };
import layoutGrid from "./icons/layout-grid.svg" with { type: "text" };
import link from "./icons/link.svg" with { type: "text" };
import list from "./icons/list.svg" with { type: "text" };
import loaderCircle from "./icons/loader-circle.svg" with { type: "text" };
import lock from "./icons/lock.svg" with { type: "text" };
import lockOpen from "./icons/lock-open.svg" with { type: "text" };
import logOut from "./icons/log-out.svg" with { type: "text" };
import maximize from "./icons/maximize.svg" with { type: "text" };
import messageSquare from "./icons/message-square.svg" with { type: "text" };
import mic from "./icons/mic.svg" with { type: "text" };
import micOff from "./icons/mic-off.svg" with { type: "text" };
import minimize from "./icons/minimize.svg" with { type: "text" };
import monitorOff from "./icons/monitor-off.svg" with { type: "text" };
import monitorUp from "./icons/monitor-up.svg" with { type: "text" };
import panelRight from "./icons/panel-right.svg" with { type: "text" };
import pencil from "./icons/pencil.svg" with { type: "text" };
import phone from "./icons/phone.svg" with { type: "text" };
import phoneOff from "./icons/phone-off.svg" with { type: "text" };
import pin from "./icons/pin.svg" with { type: "text" };
import pinOff from "./icons/pin-off.svg" with { type: "text" };
import play from "./icons/play.svg" with { type: "text" };
import plus from "./icons/plus.svg" with { type: "text" };
import send from "./icons/send.svg" with { type: "text" };
import settings from "./icons/settings.svg" with { type: "text" };
import shieldCheck from "./icons/shield-check.svg" with { type: "text" };
import slidersHorizontal from "./icons/sliders-horizontal.svg" with { type: "text" };
import smile from "./icons/smile.svg" with { type: "text" };
import switchCamera from "./icons/switch-camera.svg" with { type: "text" };
import trash2 from "./icons/trash-2.svg" with { type: "text" };
import triangleAlert from "./icons/triangle-alert.svg" with { type: "text" };
import undo2 from "./icons/undo-2.svg" with { type: "text" };
import userCheck from "./icons/user-check.svg" with { type: "text" };
import userPlus from "./icons/user-plus.svg" with { type: "text" };
import userX from "./icons/user-x.svg" with { type: "text" };
import users from "./icons/users.svg" with { type: "text" };
import usersRound from "./icons/users-round.svg" with { type: "text" };
import video from "./icons/video.svg" with { type: "text" };
import videoOff from "./icons/video-off.svg" with { type: "text" };
import volume2 from "./icons/volume-2.svg" with { type: "text" };
import wifi from "./icons/wifi.svg" with { type: "text" };
import wifiOff from "./icons/wifi-off.svg" with { type: "text" };
import x from "./icons/x.svg" with { type: "text" };
import zoomIn from "./icons/zoom-in.svg" with { type: "text" };
import zoomOut from "./icons/zoom-out.svg" with { type: "text" };

const DRAWINGS = {
  "arrow-right": arrowRight,
  check,
  "chevron-down": chevronDown,
  "chevron-left": chevronLeft,
  "chevron-right": chevronRight,
  "chevron-up": chevronUp,
  "circle-dot": circleDot,
  copy,
  crown,
  "door-open": doorOpen,
  ellipsis,
  globe,
  hand,
  "hang-up": hangUp,
  headphones,
  info,
  keyboard,
  laptop,
  "layout-grid": layoutGrid,
  link,
  list,
  "loader-circle": loaderCircle,
  lock,
  "lock-open": lockOpen,
  "log-out": logOut,
  maximize,
  "message-square": messageSquare,
  mic,
  "mic-off": micOff,
  minimize,
  "monitor-off": monitorOff,
  "monitor-up": monitorUp,
  "panel-right": panelRight,
  pencil,
  phone,
  "phone-off": phoneOff,
  pin,
  "pin-off": pinOff,
  play,
  plus,
  send,
  settings,
  "shield-check": shieldCheck,
  "sliders-horizontal": slidersHorizontal,
  smile,
  "switch-camera": switchCamera,
  "trash-2": trash2,
  "triangle-alert": triangleAlert,
  "undo-2": undo2,
  "user-check": userCheck,
  "user-plus": userPlus,
  "user-x": userX,
  users,
  "users-round": usersRound,
  video,
  "video-off": videoOff,
  "volume-2": volume2,
  wifi,
  "wifi-off": wifiOff,
  x,
  "zoom-in": zoomIn,
  "zoom-out": zoomOut,
} as const;

export type IconName = keyof typeof DRAWINGS;

/** What is inside the svg element of a drawing, by name. */
export const ICONS: Readonly<Record<IconName, string>> = Object.fromEntries(
  Object.entries(DRAWINGS).map(([name, drawing]) => [name, inner(drawing)] as const),
) as Record<IconName, string>;

function inner(drawing: string): string {
  const start = drawing.indexOf(">", drawing.indexOf("<svg")) + 1;
  return drawing.slice(start, drawing.lastIndexOf("</svg>")).trim();
}
