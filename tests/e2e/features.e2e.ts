/**
 * What a meeting offers beyond sound and picture, in the pages of our own client: password, lobby, AV moderation, polls, groups, BOSH alone.
 */
import { expect, test } from "bun:test";
import { disarmGuard } from "../real-time.ts";
import { Participant } from "./participant.ts";
import { People } from "./people.ts";
import { Stage } from "./stage.ts";

disarmGuard(); // each of these files runs in a process of its own

const stage = new Stage({ toml: "[gateway.client]\nresolution = 180\n" });
const people = new People();

async function join(room: string, name: string, options: Parameters<typeof Participant.join>[3] = {}) {
  return people.add(
    await Participant.join(stage.chromium, stage.url(room), name, { width: 1280, height: 720, ...options }),
  );
}

test("a password is set, asked for, refused when wrong, and taken off again", async () => {
  const ana = await join("locked", "Ana");
  await ana.until("to be moderator", ({ role }) => role === "moderator");
  await ana.menu("Lock and lobby");
  await ana.fill("set-password", "swordfish");
  await ana.press("Set", "dialog");
  await ana.sees("The room has a password.");
  await ana.press("Done", "dialog");
  const ben = await join("locked", "Ben", { wait: false });
  await ben.fill("room-password", "sardine");
  await ben.press("Join", "dialog");
  await ben.sees("That is not the password.");
  await ben.screenshot("password-1280x720");
  await ben.fill("room-password", "swordfish");
  await ben.press("Join", "dialog");
  await ben.untilJoined();
  await ben.seesAndHears([ana]);
  await ana.menu("Lock and lobby");
  await ana.press("Remove password", "dialog");
  await ana.press("Done", "dialog");
  const cleo = await join("locked", "Cleo");
  await cleo.untilJoined();
  await people.gone();
}, 90_000);

test("in the lobby one waits, is refused, asks again and is let in", async () => {
  const ana = await join("lobby", "Ana");
  await ana.until("to be moderator", ({ role }) => role === "moderator");
  await ana.menu("Lock and lobby");
  await ana.flip("Lobby");
  await ana.press("Done", "dialog");
  const ben = await join("lobby", "Ben", { wait: false });
  await ben.sees("Waiting for a host");
  await ben.screenshot("lobby-1280x720");
  await ana.until("to see Ben knock", ({ knockers }) => knockers.includes("Ben"));
  await ana.key("p");
  await ana.screenshot("knock-1280x720");
  await ana.press("Refuse Ben");
  await ben.sees("The host did not let you in this time.");
  await ben.press("Ask again");
  await ana.until("to see Ben knock again", ({ knockers }) => knockers.includes("Ben"));
  await ana.press("Let in Ben");
  await ben.untilJoined();
  await ben.seesAndHears([ana]);
  await people.gone();
}, 90_000);

test("a poll is asked, answered and counted", async () => {
  const ana = await join("poll", "Ana");
  const ben = await join("poll", "Ben");
  await ben.seesAndHears([ana]);
  await ana.menu("Polls");
  await ana.press("New poll", "#polls");
  await ana.page.waitForSelector("dialog input, dialog textarea", { visible: true });
  const fields = await ana.page.$$("dialog :is(input, textarea)");
  for (const [index, text] of ["Lunch at one?", "Yes", "No"].entries()) await fields[index]?.type(text);
  await ana.press("Ask", "dialog");
  await ben.menu("Polls");
  await ben.sees("Lunch at one?");
  await ben.page.evaluate(() => document.querySelector<HTMLInputElement>("#polls input[type=checkbox]")?.click());
  await ben.press("Vote", "#polls");
  await ana.sees("1 vote");
  await ben.screenshot("poll-1280x720");
  await people.gone();
}, 90_000);

test("whoever must ask before speaking stays muted until a moderator allows it", async () => {
  const ana = await join("moderated", "Ana");
  const ben = await join("moderated", "Ben");
  await ben.seesAndHears([ana]);
  await ana.key("p");
  await ana.press("Mute all", "#people");
  await ana.flip("Only those I allow may speak");
  await ana.press("Mute all", "dialog");
  await ben.until("to be muted", (summary) => !summary.microphoneOn);
  await ben.key("m");
  await ben.key("r");
  await ana.until("to see Ben's hand", ({ participants }) => participants.some((each) => each.handRaised));
  expect((await ben.summary()).microphoneOn).toBe(false);
  await ana.press("Options for Ben", "#people");
  await ana.press("Allow to speak");
  await ben.until("to be allowed to speak", (summary) => summary.microphoneOn, 3_000).catch(() => undefined);
  if (!(await ben.summary()).microphoneOn) await ben.key("m");
  await ben.until("to speak", (summary) => summary.microphoneOn);
  await ana.seesAndHears([ben]);
  await people.gone();
}, 90_000);

test("a group is opened, somebody goes there and comes back", async () => {
  const ana = await join("groups", "Ana");
  const ben = await join("groups", "Ben");
  const cleo = await join("groups", "Cleo");
  await ben.seesAndHears([ana]);
  await ana.menu("Groups");
  await ana.press("New group", "#rooms");
  await ana.sees("Group 1");
  await ben.menu("Groups");
  await ben.press("Go there", "#rooms");
  await ana.until("to see Ben leave the main room", ({ participants }) =>
    participants.every((each) => each.name !== "Ben"),
  );
  await ana.press("Go there", "#rooms");
  await ben.until("to meet Ana in the group", ({ participants }) => participants.some((each) => each.name === "Ana"));
  await ben.seesAndHears([ana]);
  await ben.screenshot("group-1280x720");
  expect((await cleo.summary()).participants).toEqual([]);
  if ((await ben.page.$("#rooms")) === null) await ben.menu("Groups");
  await ben.press("Back to the main room", "#rooms");
  await cleo.until("to see Ben again", ({ participants }) => participants.some((each) => each.name === "Ben"));
  await cleo.seesAndHears([ben]);
  await people.gone();
}, 120_000);

test("without WebSockets the page uses BOSH, and the data channel to the bridge", async () => {
  const open = async (name: string): Promise<Participant> => {
    const person = await Participant.opened(stage.chromium, stage.url("bosh"), name, () => {
      class Blocked {
        constructor() {
          throw new Error("WebSockets are not to be had here");
        }
      }
      Object.defineProperty(globalThis, "WebSocket", { value: Blocked });
    });
    return people.add(person);
  };
  const ana = await open("Ana");
  const ben = await open("Ben");
  await ben.seesAndHears([ana]);
  await ana.seesAndHears([ben]);
  const summary = await ana.until("to have its bridge channel", ({ connections }) => connections.channel);
  expect(summary.connections.transport).toBe("bosh");
  await ana.write("over BOSH");
  await ben.until("to read it", ({ chat }) => chat.some((line) => line.text === "over BOSH"));
  await people.leave();
}, 90_000);

test("the box had no error", () => expect(stage.box.errors()).toEqual([]));
