/**
 * Tokens in links, in the pages of our own client: a moderator by claim, what is said of a token that does not hold, guests who wait for the host,
 * and where to log in.
 */
import { expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { disarmGuard } from "../real-time.ts";
import { Box } from "./box.ts";
import { Participant } from "./participant.ts";
import { People } from "./people.ts";
import { Stage } from "./stage.ts";

disarmGuard(); // each of these files runs in a process of its own

const SECRET = "a secret of this test only";
const TOKENS = `[xmpp.tokens]\napp_id = "tests"\nsecret = "${SECRET}"\n`;
const GUESTS_WAIT = `allow_empty = true\n[xmpp.rooms]\nowners = "token"\nwait_for_host = true\n[focus]\nauto_owner = false\n`;

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
function token(claims: object = {}, secret = SECRET): string {
  const exp = Math.floor(Date.now() / 1000) + 600;
  const user = { id: "1", name: "Tora" };
  const signed = `${part({ alg: "HS256", typ: "JWT" })}.${part({ iss: "tests", room: "*", exp, context: { user }, ...claims })}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}
const moderator = { context: { user: { id: "2", name: "Mona", moderator: true } } };

const stage = new Stage({ toml: `${TOKENS}${GUESTS_WAIT}[gateway.client]\nresolution = 180\n` });
const people = new People();
const url = (room: string, jwt?: string): string => stage.url(jwt === undefined ? room : `${room}?jwt=${jwt}`);

async function join(room: string, name: string, jwt?: string, wait = true): Promise<Participant> {
  return people.add(await Participant.join(stage.chromium, url(room, jwt), name, { wait, width: 1280, height: 720 }));
}

test("the link's token names its holder and makes a moderator of whom it says so, and of nobody else", async () => {
  const context = await stage.chromium.createBrowserContext();
  const page = await context.newPage();
  await page.goto(url("named", token(moderator)), { waitUntil: "load" });
  await page.waitForSelector("#name");
  expect(await page.evaluate(() => document.querySelector<HTMLInputElement>("#name")?.value)).toBe("Mona");
  await context.close();
  const tora = await join("named", "Tora", token());
  const mona = await join("named", "Mona", token(moderator));
  await mona.until("to be moderator", ({ role }) => role === "moderator");
  await tora.seesAndHears([mona]);
  expect((await tora.summary()).role).toBe("participant");
  await people.gone();
}, 90_000);

test.each([
  ["expired", { exp: 1_700_000_000 }, SECRET, "This link has expired. Ask for a new one."],
  ["of next year", { nbf: Math.floor(Date.now() / 1000) + 31_536_000 }, SECRET, "This link is not valid yet."],
  ["signed by somebody else", {}, "another secret", "This link is not valid. Ask for a new one."],
  ["for another room", { room: "elsewhere" }, SECRET, "This link does not open this room."],
])(
  "a token %s: the page says so, in words",
  async (_what, claims, secret, words) => {
    const person = await join("refused", "Rita", token(claims, secret), false);
    await person.sees(words);
    await person.screenshot(`token-${words.length}-1280x720`);
    expect((await person.summary()).page).toBe("prejoin");
    await people.gone();
  },
  60_000,
);

test("guests wait until somebody with a token is there", async () => {
  const guest = await join("waiting", "Gus", undefined, false);
  await guest.sees("The host is not here yet. You will be let in when they come.");
  await guest.screenshot("waiting-for-host-1280x720");
  const mona = await join("waiting", "Mona", token(moderator));
  await guest.untilJoined();
  await guest.seesAndHears([mona]);
  await mona.seesAndHears([guest]);
  await people.gone();
}, 90_000);

test("a token outlives a dropped connection", async () => {
  const mona = await join("resumed", "Mona", token(moderator));
  const { endpoint } = await mona.summary();
  await mona.dropStream();
  await mona.until("to be back", ({ connections }) => connections.stream === "connected", 30_000);
  expect((await mona.summary()).endpoint).toBe(endpoint);
  expect((await mona.summary()).role).toBe("moderator");
  await people.gone();
}, 60_000);

test("the box had no error", () => expect(stage.box.errors()).toEqual([]));

test("where only people with a token may come in, others are shown the way to one", async () => {
  const strict = await Box.start({
    toml: `${TOKENS}[gateway.client]\nresolution = 180\ntokenAuthUrl = "https://id.example/login/{room}"\n`,
  });
  try {
    const person = await Participant.join(stage.chromium, `${strict.ready.base}/Weekly-Plan`, "Nora", { wait: false });
    await person.sees("You log in at another place and come back to this room.");
    expect(await person.page.evaluate(() => document.querySelector<HTMLAnchorElement>("dialog a.primary")?.href)).toBe(
      "https://id.example/login/Weekly-Plan",
    );
    await person.screenshot("login-elsewhere-800x480");
    expect(person.errors()).toEqual([]);
    await person.close();
    expect(strict.errors()).toEqual([]);
  } finally {
    await strict.stop();
  }
}, 90_000);
