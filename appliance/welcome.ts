/**
 * What people see when the box is ready: its addresses, and a QR code of the first meeting page. Pure but for the machine's addresses, which come in by machine.ts.
 */
import { renderUnicodeCompact } from "uqr";
import type { Settings } from "./config/options.ts";
import { machineAddresses } from "./machine.ts";
import { ownHosts, type ReadyContent, webAddress } from "./ready-file.ts";

const FIRST_ROOM = "/first-meeting";

export const welcome = (settings: Settings, boxName: string, ready: ReadyContent): string => {
  const { https, http } = ready.ports;
  if (typeof https !== "number" || https === 0) return "Parley runs.\n";
  const hosts = ownHosts(settings, boxName, machineAddresses());
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
