/**
 * People meet: three in two browsers, on a box started as a newcomer starts it.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Browser } from "puppeteer-core";
import { disarmGuard } from "../real-time.ts";
import { Box } from "./box.ts";
import { launch } from "./browsers.ts";
import { Participant } from "./participant.ts";
import { until } from "./until.ts";

disarmGuard(); // each of these files runs in a process of its own

let box: Box;
let chromium: Browser;
let firefox: Browser;
let ana: Participant;
let ben: Participant;
let cleo: Participant;
const everybody = (): Participant[] => [ana, ben, cleo];
const othersOf = (person: Participant): Participant[] => everybody().filter((each) => each !== person);
const room = (): string => `${box.ready.base}/standup`;

beforeAll(async () => {
  box = await Box.start();
  [chromium, firefox] = await Promise.all([launch("chromium"), launch("firefox")]);
}, 120_000);

afterAll(async () => {
  await Promise.allSettled([chromium?.close(), firefox?.close()]);
  await box?.stop();
}, 60_000);

test("three people in Chromium and Firefox see and hear each other", async () => {
  ana = await Participant.join(chromium, room(), "Ana", { width: 1440, height: 900 });
  ben = await Participant.join(firefox, room(), "Ben");
  cleo = await Participant.join(chromium, room(), "Cleo", { width: 390, height: 844 });
  for (const person of everybody()) await person.seesAndHears(othersOf(person));
}, 120_000);

test("each tile shows the picture of the person whose name it carries", async () => {
  for (const person of everybody()) {
    const { participants } = await person.summary();
    const tiles = await until(`${person.name}'s tiles to show pictures`, 20_000, async () => {
      const found = await person.page.evaluate(() =>
        [...document.querySelectorAll<HTMLElement>("#stage li[data-endpoint]")].map((tile) => {
          const video = tile.querySelector("video");
          return {
            endpoint: tile.dataset["endpoint"] ?? "",
            label: tile.getAttribute("aria-label") ?? "",
            source: tile.dataset["source"] ?? "",
            width: video?.videoWidth ?? 0,
            playing: video !== null && !video.paused && video.currentTime > 0,
          };
        }),
      );
      return found.length === 3 && found.every((tile) => tile.width > 0 && tile.playing) ? found : false;
    });
    for (const other of participants) {
      const tile = tiles.find((each) => each.endpoint === other.endpoint);
      expect(tile?.label).toContain(other.name);
      expect(tile?.source).toBe(`${other.endpoint}-v0`);
    }
    expect(participants.map((each) => each.name).sort()).toEqual(
      othersOf(person)
        .map((each) => each.name)
        .sort(),
    );
  }
  await ana.screenshot("meeting-1440x900");
  await ben.screenshot("meeting-800x480");
  await cleo.screenshot("meeting-390x844");
}, 60_000);

test("nothing is lost in the chat, and all see one order", async () => {
  await Promise.all(everybody().map((person) => person.openChat()));
  for (let round = 1; round <= 3; round++)
    await Promise.all(everybody().map((person) => person.write(`${person.name} says ${round}`)));
  const seen: string[][] = [];
  for (const person of everybody()) {
    const summary = await person.until("to have nine messages", ({ chat }) => chat.length === 9);
    seen.push(summary.chat.map((line) => line.text));
    expect(new Set(seen.at(-1)).size).toBe(9);
  }
  expect(seen[1]).toEqual(seen[0] ?? []);
  expect(seen[2]).toEqual(seen[0] ?? []);
  await ana.screenshot("chat-1440x900");
  await cleo.screenshot("chat-390x844");
}, 60_000);

test("muting is seen by the others, and undone", async () => {
  const { endpoint } = await ben.summary();
  await ben.key("m");
  await ben.until("to be muted", (summary) => !summary.microphoneOn);
  for (const other of [ana, cleo])
    await other.until("to see Ben muted", ({ participants }) =>
      participants.some((each) => each.endpoint === endpoint && each.microphoneMuted),
    );
  await ben.key("m");
  for (const other of [ana, cleo])
    await other.until("to see Ben unmuted", ({ participants }) =>
      participants.some((each) => each.endpoint === endpoint && !each.microphoneMuted),
    );
  await ana.seesAndHears([ben]);
}, 60_000);

test("a camera goes off and on again", async () => {
  const { endpoint } = await cleo.summary();
  await cleo.key("v");
  for (const other of [ana, ben])
    await other.until("to see Cleo's camera off", ({ participants }) =>
      participants.some((each) => each.endpoint === endpoint && each.cameraMuted),
    );
  await cleo.key("v");
  await ben.seesAndHears([cleo]);
}, 60_000);

test("a raised hand is seen", async () => {
  await ben.key("r");
  await ana.until("to see Ben's hand", ({ participants }) =>
    participants.some((each) => each.name === "Ben" && each.handRaised),
  );
  await ben.key("r");
  await ana.until("to see Ben's hand go down", ({ participants }) =>
    participants.some((each) => each.name === "Ben" && !each.handRaised),
  );
}, 40_000);

test("the first who came is moderator and can mute somebody", async () => {
  const { role } = await ana.summary();
  expect(role).toBe("moderator");
  await ana.muteOther("Cleo");
  await cleo.until("to have been muted", (summary) => !summary.microphoneOn);
  await cleo.key("m");
  await cleo.until("to speak again", (summary) => summary.microphoneOn);
  await ana.seesAndHears([cleo]);
}, 60_000);

test("a shared screen is a source of its own", async () => {
  await ana.key("d");
  await ana.until("to share", (summary) => summary.sharing);
  for (const other of [ben, cleo])
    await other.until("to see Ana's screen", (summary) =>
      Participant.others(summary, "video").some((each) => each.videoType === "desktop" && each.framesDecoded > 0),
    );
  await ben.screenshot("screen-share-800x480");
  await ana.key("d");
  for (const other of [ben, cleo])
    await other.until(
      "to see the screen go",
      (summary) => !Participant.others(summary, "video").some((each) => each.videoType === "desktop"),
    );
}, 60_000);

test("a dropped WebSocket is resumed: same participant, media uninterrupted, chat complete", async () => {
  const before = await ben.summary();
  await ben.dropStream();
  await ana.write("while Ben was away");
  const after = await ben.until(
    "to have its stream back",
    ({ connections, chat }) =>
      connections.stream === "connected" && chat.filter((line) => line.text === "while Ben was away").length === 1,
    30_000,
  );
  expect(after.endpoint).toBe(before.endpoint);
  expect((await ana.summary()).participants.map((each) => each.endpoint)).toContain(before.endpoint);
  await ana.seesAndHears([ben]);
  await ben.seesAndHears([ana]);
}, 60_000);

test("a page reload brings its person back, and only once", async () => {
  await cleo.page.reload({ waitUntil: "load" });
  await cleo.enter();
  for (const person of everybody()) await person.seesAndHears(othersOf(person));
  await ana.until("to see one Cleo only", ({ participants }) => participants.length === 2);
}, 90_000);

test("somebody leaves and comes again", async () => {
  await ben.press("Leave", "#controls");
  await ben.until("to have left", (summary) => summary.page === "end");
  await ben.screenshot("end-800x480");
  await ana.until("to see Ben gone", ({ participants }) => participants.every((each) => each.name !== "Ben"));
  await ben.press("Join again");
  await ben.enterAgain();
  for (const person of everybody()) await person.seesAndHears(othersOf(person));
}, 90_000);

test("no page had an error, nor had the box", () => {
  expect(everybody().flatMap((person) => person.errors().map((error) => `${person.name}: ${error}`))).toEqual([]);
  expect(box.errors()).toEqual([]);
});
