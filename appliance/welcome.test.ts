import { expect, test } from "bun:test";
import { parseConfig } from "./config/read.ts";
import { readyContent } from "./ready-file.ts";
import { welcome } from "./welcome.ts";

const textOf = (toml: string, hosts: readonly string[]): string => {
  const result = parseConfig(toml);
  if (!result.ok) throw new Error(JSON.stringify(result.faults));
  const { settings } = result.configuration;
  const control = { pid: 2, ports: { https: 8443, http: 8000 } };
  return welcome(settings, hosts, readyContent(settings, { focus: "f", bridge: "b" }, 1, control, []));
};

test("at home: the loopback, the way without a warning, and how to open the box", () => {
  const text = textOf("", ["localhost", "127.0.0.1"]);
  expect(text).toContain("  https://localhost:8443/first-meeting\n");
  expect(text).toContain("  http://localhost:8000/first-meeting   (on this machine, without a certificate warning)");
  expect(text).toContain("--lan");
});

test("on the network: the address that phones can reach comes first and into the QR code", () => {
  const text = textOf("[listen]\nlan = true", ["10.0.0.5", "box.local", "localhost"]);
  expect(text.indexOf("https://10.0.0.5:8443/first-meeting")).toBeLessThan(
    text.indexOf("https://box.local:8443/first-meeting"),
  );
  expect(text).toContain("Phones and other machines");
  // 29 modules and two of margin on each side, two rows of modules to a line of text.
  expect(text.split("\n").filter((line) => /^[█▀▄ ]{33}$/.test(line)).length).toBe(17);
});
