/**
 * What people see when the box is ready: its addresses, and a QR code of the first meeting page. Pure.
 */
import { renderUnicodeCompact } from "uqr";
import type { Settings } from "./config/options.ts";
import { type ReadyContent, webAddress } from "./ready-file.ts";

const FIRST_ROOM = "/first-meeting";

/** `hosts`: names and addresses that the box is reached by, best first. */
export const welcome = (settings: Settings, hosts: readonly string[], ready: ReadyContent): string => {
  const { https, http } = ready.ports;
  if (typeof https !== "number" || https === 0) return "Parley runs.\n";
  const addresses = hosts.map((host) => webAddress("https", host, https, FIRST_ROOM));
  const [first = ""] = addresses;
  const lines = [
    "",
    "Parley runs. Open the first meeting in two browsers:",
    "",
    ...addresses.map((each) => `  ${each}`),
  ];
  if (typeof http === "number" && http !== 0 && hosts.includes("localhost"))
    lines.push(
      `  ${webAddress("http", "localhost", http, FIRST_ROOM)}   (on this machine, without a certificate warning)`,
    );
  lines.push("", renderUnicodeCompact(first, { border: 2 }), "");
  lines.push(
    settings["listen.lan"]
      ? "Phones and other machines: scan, accept the warning about the certificate once, meet."
      : "Only this machine can come in. `./scripts/start --lan` opens it to phones and other machines.",
    "Ctrl-C stops everything.",
    "",
  );
  return `${lines.join("\n")}\n`;
};
