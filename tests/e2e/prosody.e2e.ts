/**
 * Our focus and bridge under a foreign XMPP server: Debian's Prosody with MUC and none of Jitsi's plugins (design.md 3, "The focus's address").
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser } from "puppeteer-core";
import { disarmGuard } from "../real-time.ts";
import { Box } from "./box.ts";
import { launch } from "./browsers.ts";
import { Participant } from "./participant.ts";
import { Prosody } from "./prosody.ts";

disarmGuard(); // each of these files runs in a process of its own

let prosody: Prosody;
let box: Box;
let chromium: Browser;
let ana: Participant;
let ben: Participant;
let cleo: Participant;

const domain = "prosody.test";
const focus = { user: "focus", password: "a long password of the focus" };
const bridge = { user: "jvb", password: "a long password of the bridge" };

beforeAll(async () => {
  prosody = await Prosody.start({ domain, accounts: [focus, bridge] });
  const root = join(prosody.folder, "root.pem");
  writeFileSync(root, prosody.certificate);
  box = await Box.start({
    toml: `
[start]
parts = ["focus", "gateway", "bridge"]
[domains]
domain = "${domain}"
auth = "auth.${domain}"
muc = "muc.${domain}"
internal_muc = "internal-muc.${domain}"
focus = "focus.${domain}"
[server]
host = "127.0.0.1"
port = ${prosody.ports.c2s}
tls = "ca:${root}"
[focus]
password = "${focus.password}"
component_port = ${prosody.ports.component}
component_secret = "${prosody.componentSecret}"
[bridge]
password = "${bridge.password}"
[gateway]
xmpp_http = "http://127.0.0.1:${prosody.ports.http}"
`,
  });
  chromium = await launch("chromium");
}, 120_000);

afterAll(async () => {
  await chromium?.close();
  await box?.stop();
  await prosody?.stop();
}, 60_000);

test("three people meet through Prosody, our focus and our bridge", async () => {
  const room = `${box.ready.base}/foreign`;
  ana = await Participant.join(chromium, room, "Ana");
  ben = await Participant.join(chromium, room, "Ben");
  cleo = await Participant.join(chromium, room, "Cleo");
  const everybody = [ana, ben, cleo];
  for (const person of everybody) await person.seesAndHears(everybody.filter((each) => each !== person));
}, 120_000);

test("chat, mute and moderation work there too", async () => {
  await ana.write("hello over Prosody");
  for (const person of [ana, ben, cleo])
    await person.until("to read it", ({ chat }) => chat.some((line) => line.text === "hello over Prosody"));
  expect((await ana.summary()).role).toBe("moderator");
  await ana.muteOther("Ben");
  await ben.until("to have been muted", (summary) => !summary.microphoneOn);
  await cleo.until("to see Ben muted", ({ participants }) =>
    participants.some((each) => each.name === "Ben" && each.microphoneMuted),
  );
}, 60_000);

test("somebody leaves; the others go on", async () => {
  await cleo.press("Leave", "#controls");
  await ana.until("to see Cleo gone", ({ participants }) => participants.every((each) => each.name !== "Cleo"));
  await ben.seesAndHears([ana]);
  expect(box.errors()).toEqual([]);
}, 60_000);
