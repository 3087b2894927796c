/**
 * How people deal with each other in the pages of our own client: private messages, reactions, speaking time, asking before sharing, how newcomers
 * start, groups that get another name and end, lost media that comes back within its session, the end for everybody.
 */
import { expect, test } from "bun:test";
import { disarmGuard } from "../real-time.ts";
import { Participant } from "./participant.ts";
import { Stage } from "./stage.ts";
import { until } from "./until.ts";

disarmGuard(); // each of these files runs in a process of its own

const stage = new Stage({ toml: "[gateway.client]\nresolution = 180\n" });
let ana: Participant;
let ben: Participant;
let cleo: Participant;
const everybody = (): Participant[] => [ana, ben, cleo];

const join = (name: string): Promise<Participant> =>
  Participant.join(stage.chromium, stage.url("conduct"), name, { width: 1280, height: 720 });

test("three people meet", async () => {
  ana = await join("Ana");
  await ana.until("to be moderator", ({ role }) => role === "moderator");
  ben = await join("Ben");
  cleo = await join("Cleo");
  for (const person of everybody()) await person.seesAndHears(everybody().filter((each) => each !== person));
}, 120_000);

test("a private message reaches one person, marked as private, and nobody else", async () => {
  await ana.option("Ben", "Write privately");
  await ana.write("between us");
  await ana.sees("You, only to Ben");
  await ben.until("to read it", ({ chat }) => chat.some((line) => line.text === "between us" && line.private));
  await ben.openChat();
  await ben.sees("Ana, only to you");
  await ana.page.select("#chat select", "");
  await ana.write("for everybody");
  const { chat } = await cleo.until("to read the public one", (summary) =>
    summary.chat.some((line) => line.text === "for everybody"),
  );
  expect(chat.map((line) => line.text)).not.toContain("between us");
  await ben.key("c");
}, 120_000);

test("a reaction floats over the tile of whoever sent it", async () => {
  const { endpoint } = await ana.summary();
  await ana.press("React", "#controls");
  await ana.press("Heart", "[popover]:popover-open");
  for (const other of [ben, cleo])
    await until(`${other.name} to see the heart`, 5_000, () =>
      other.page.evaluate(
        (from: string) =>
          document.querySelector(`#stage [data-endpoint="${from}"]`)?.textContent?.includes("💖") === true,
        endpoint,
      ),
    );
}, 60_000);

test("speaking time is counted and shown", async () => {
  await ana.key("m");
  await cleo.key("m");
  const { endpoint } = await ben.summary();
  await ana.until("to hear Ben alone", ({ dominantSpeaker }) => dominantSpeaker === endpoint, 30_000);
  await ana.key("t");
  const line = (): Promise<string> =>
    ana.page.evaluate(
      () =>
        [...document.querySelectorAll("#speaking-time li")].find((each) => each.textContent?.includes("Ben") === true)
          ?.textContent ?? "",
    );
  const seconds = (text: string): number => {
    const [, minutes = "0", rest = "0"] = /(\d+):(\d\d)$/.exec(text) ?? [];
    return Number(minutes) * 60 + Number(rest);
  };
  const first = await until("the list to say that Ben speaks", 20_000, async () => {
    const text = await line();
    return text.includes("speaks now") ? text : false;
  });
  await until("his time to grow", 10_000, async () => seconds(await line()) > seconds(first));
  await ana.screenshot("speaking-time-1280x720");
  await ana.press("Close", "dialog");
  for (const person of [ana, cleo]) await person.key("m");
}, 120_000);

/** Cleo goes out and comes in again as a newcomer: another endpoint, nothing remembered of the meeting. */
async function cleoComesAnew(): Promise<void> {
  const { endpoint } = await cleo.summary();
  await cleo.press("Leave", "#controls");
  await cleo.until("to have left", (summary) => summary.page === "end");
  await ana.until("to see Cleo gone", ({ participants }) => participants.length === 1);
  await cleo.press("Join again");
  await cleo.enterAgain();
  expect((await cleo.summary()).endpoint).not.toBe(endpoint);
}

test("a newcomer is told who spoke before", async () => {
  await cleoComesAnew();
  await cleo.key("t");
  await until("Cleo to see Ben's time", 15_000, () =>
    cleo.page.evaluate(() =>
      [...document.querySelectorAll("#speaking-time li")].some(
        (each) => each.textContent?.includes("Ben") === true && !each.textContent.endsWith("0:00"),
      ),
    ),
  );
  await cleo.press("Close", "dialog");
}, 120_000);

test("where sharing has to be asked for, it waits for a moderator", async () => {
  await ana.menu("Lock and lobby");
  await ana.flip("Ask before sharing");
  await ana.press("Done", "dialog");
  await ben.sees("A host lets people share one by one.");
  await ben.key("d");
  await ben.sees("A host keeps this off.");
  expect((await ben.summary()).sharing).toBe(false);
  await ana.option("Ben", "Allow to share");
  await ben.sees("You may share your screen now.");
  await ben.key("d");
  await ana.until("to see Ben's screen", (summary) =>
    Participant.others(summary, "video").some((each) => each.videoType === "desktop" && each.framesDecoded > 0),
  );
  await ben.key("d");
  await ana.menu("Lock and lobby");
  await ana.flip("Ask before sharing");
  await ana.press("Done", "dialog");
  await cleo.sees("Everybody may share again.");
}, 120_000);

test("newcomers start without sound and picture where a moderator wants that, and can switch them on", async () => {
  await ana.menu("Lock and lobby");
  await ana.flip("Newcomers start without sound");
  await ana.flip("Newcomers start without picture");
  await until("the switches to show it", 10_000, () =>
    ana.page.evaluate(() =>
      [...document.querySelectorAll("dialog label")]
        .filter((each) => each.textContent?.startsWith("Newcomers"))
        .every((each) => each.querySelector("input")?.checked === true),
    ),
  );
  await ana.screenshot("security-1280x720");
  await ana.press("Done", "dialog");
  await cleoComesAnew();
  await cleo.until("to start muted", (each) => !each.microphoneOn && !each.cameraOn);
  await ana.until("to see Cleo muted", ({ participants }) =>
    participants.some((each) => each.name === "Cleo" && each.microphoneMuted && each.cameraMuted),
  );
  expect((await ben.summary()).microphoneOn).toBe(true); // those who were there are left alone
  await cleo.key("m");
  await cleo.key("v");
  await ana.seesAndHears([cleo]);
  await ana.menu("Lock and lobby");
  await ana.flip("Newcomers start without sound");
  await ana.flip("Newcomers start without picture");
  await ana.press("Done", "dialog");
  await cleoComesAnew();
  expect((await cleo.summary()).microphoneOn).toBe(true);
}, 120_000);

test("a group gets another name, somebody is sent there, and comes back when it ends", async () => {
  await ana.menu("Groups");
  await ana.press("New group", "#rooms");
  await ana.sees("Group 1");
  await ana.press("Options for Group 1", "#rooms");
  await ana.press("Rename", "[popover]:popover-open");
  await ana.fill("group-name", "Blue table");
  await ana.screenshot("rename-group-1280x720");
  await ana.press("Rename", "dialog");
  await ana.sees("Blue table");
  await ana.press("Send Cleo to", "#rooms");
  await ana.press("Blue table", "[popover]:popover-open");
  await ana.until("to see Cleo go", ({ participants }) => participants.every((each) => each.name !== "Cleo"));
  await cleo.sees("Group: Blue table");
  await ana.press("Options for Blue table", "#rooms");
  await ana.press("Remove group", "[popover]:popover-open");
  await ana.until("to see Cleo again", ({ participants }) => participants.some((each) => each.name === "Cleo"));
  await ana.seesAndHears([cleo]);
  await cleo.seesAndHears([ana, ben]);
}, 120_000);

test("a bridge that is silent for a while: ICE is restarted within the session, nobody is invited anew", async () => {
  const focus = async (): Promise<{ restarted: number; invited: number }> => {
    const text = await (await fetch(`http://127.0.0.1:${stage.box.ready.ports.focusHttp}/metrics`)).text();
    const value = (name: RegExp): number => Number(name.exec(text)?.[1] ?? 0);
    return {
      restarted: value(/^\S*focus_ice_restarts\S* (\d+)/m),
      invited: value(/^\S*participants_restart_requested\S* (\d+)/m),
    };
  };
  const before = await focus();
  const [bridge] = stage.box.refresh().pids.bridge;
  if (bridge === undefined) throw new Error("no bridge");
  process.kill(bridge, "SIGSTOP");
  try {
    for (const person of everybody())
      await person.until("to miss the bridge", ({ connections }) => connections.network === "media-lost", 30_000);
    // Four seconds of silence are waited for by the page before it asks.
    await until(
      "a page to ask for a restart",
      20_000,
      async () => (await everybody()[0]?.summary())?.connections.asked === "ice-restart",
    );
  } finally {
    process.kill(bridge, "SIGCONT");
  }
  for (const person of everybody()) await person.seesAndHears(everybody().filter((each) => each !== person));
  const after = await focus();
  expect(after.restarted).toBeGreaterThan(before.restarted);
  expect(after.invited).toBe(before.invited);
}, 120_000);

test("a moderator ends the meeting for everybody by holding the button", async () => {
  await ana.press("Leave", "#controls");
  const button = await ana.page.waitForSelector("dialog .hold", { visible: true });
  const at = await button?.boundingBox();
  if (at === null || at === undefined) throw new Error("no button to hold");
  await ana.page.mouse.move(at.x + at.width / 2, at.y + at.height / 2);
  await ana.page.mouse.down();
  for (const person of everybody())
    await person.until("to see the end", (summary) => summary.page === "end" && summary.end === "ended");
  await ben.sees("A host ended it for everybody.");
  await ana.page.mouse.up();
}, 120_000);

test("no page had an error, nor had the box", () => {
  expect(everybody().flatMap((person) => person.errors().map((error) => `${person.name}: ${error}`))).toEqual([]);
  expect(stage.box.errors()).toEqual([]);
});
