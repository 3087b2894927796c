/**
 * Whole sessions of the original server, recorded (protocol/transcripts), with ours in its place: the same stanzas to the same clients, section by section. Ids,
 * the order among different senders, and what each server says of itself are left aside.
 */
import { expect, test } from "bun:test";
import { SessionReplay, type SessionReplayOptions } from "../../tests/xmpp-session-replay.ts";
import { attr } from "../wire/xml.ts";

const SESSIONS: readonly (readonly [string, SessionReplayOptions])[] = [
  ["ws-p2p", {}],
  ["ws-ice-restart-and-session-restart", {}],
  ["ws-http-conference-request", {}],
  ["ws-resume", {}],
  ["bosh-session", {}],
];

const fixture = (name: string): Promise<string> => Bun.file(new URL(`./fixtures/${name}.txt`, import.meta.url)).text();

test.each([...SESSIONS])("%s", async (name, options) => {
  const sections = new SessionReplay(options).run(await fixture(name));
  expect(sections.some((each) => each.recorded.length > 0)).toBe(true);
  for (const { title, who, recorded, ours } of sections)
    expect({ title, who, got: [...ours] }).toEqual({ title, who, got: [...recorded] });
});

test("ws-unknown-iq-to-focus: the bug named there is not copied: the focus answers, its stream and every room live on", async () => {
  const room = "recfocuskill@muc.meet.test";
  const sections = new SessionReplay({
    present: { room, people: ["p0", "p1"] },
    focusAnswersUnknown: true,
    // Broken XML from the focus, whose stream the server then ended; what followed from that.
    unwanted: (_, element) =>
      attr(element, "from") === `${room}/focus` || ["odd1", "odd2"].includes(attr(element, "id") ?? ""),
  }).run(await fixture("ws-unknown-iq-to-focus"));
  const refused: string[] = [];
  for (const { title, who, recorded, ours } of sections) {
    const answers = ours.filter((each) => each.includes("<feature-not-implemented"));
    refused.push(...answers.map((each) => / from=(\S+)/.exec(each)?.[1] ?? ""));
    expect({ title, who, got: ours.filter((each) => !answers.includes(each)) }).toEqual({
      title,
      who,
      got: [...recorded],
    });
  }
  expect(refused).toEqual(["focus.meet.test", `${room}/focus`]);
});
