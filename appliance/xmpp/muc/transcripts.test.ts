/**
 * The recorded scenarios of the original server (protocol/transcripts): our rooms and components take its place and must answer alike: the same
 * stanzas to the same people, section by section, ids and times aside.
 */
import { describe, expect, test } from "bun:test";
import { FocusReplay } from "./focus-replay.ts";
import { Replay } from "./transcript-replay.ts";

const recording = (name: string): Promise<string> =>
  Bun.file(new URL(`./fixtures/${name}.txt`, import.meta.url)).text();

describe("answers like the original", () => {
  for (const name of [
    "ws-connect-join-alone",
    "ws-call-3",
    "ws-password",
    "ws-lobby",
    "ws-av-moderation",
    "ws-breakout",
    "ws-polls-metadata-reactions-end",
  ])
    test(name, async () => {
      const sections = new Replay().run(await recording(name));
      expect(sections.some((each) => each.recorded.length > 0)).toBe(true);
      for (const section of sections) {
        const { title, who } = section;
        const ours = section.ours.filter((each) => !UNANSWERED.some((mine) => each.startsWith(mine)));
        expect({ title, who, got: ours }).toEqual({ title, who, got: [...section.recorded] });
      }
    });

  test("xmpp-jicofo, the focus's side", async () => {
    for (const { title, recorded, ours } of new FocusReplay().run(await recording("xmpp-jicofo")))
      expect({ title, got: [...ours] }).toEqual({ title, got: [...recorded] });
  });

  test("ws-odd-requests-and-errors", async () => {
    const room = "recodd@muc.meet.test";
    const children =
      '<stats-id>Reagan-lfY</stats-id><c hash="sha-1" ver="dtzK/3xhISaXUMVg59IpXxdvKyQ=" node="https://jitsi.org/jitsi-meet" xmlns="http://jabber.org/protocol/caps"/><jitsi_participant_codecList>av1,vp9,vp8,h264</jitsi_participant_codecList><nick xmlns="http://jabber.org/protocol/nick">Name p1</nick><SourceInfo>{"5279e222-a0":{"muted":false},"5279e222-v0":{"muted":false}}</SourceInfo>';
    const sections = new Replay().run(await recording("ws-odd-requests-and-errors"), {
      // The recording begins in a meeting of two.
      prepare(replay) {
        replay.focusSays(room, "<priority>0</priority>");
        const p0 = replay.person("p0", "d0503fa2-e29d-4b0d-9588-8419ef7d1673@meet.test/WlaACxF6lDVv");
        p0.join(room, "d0503fa2");
        replay.grant(room, p0.bare);
        replay
          .person("p1", "5279e222-3355-492d-a295-9a438ec0638f@meet.test/ddfizszMJtxK")
          .join(room, "5279e222", "", children);
      },
    });
    for (const { title, who, recorded, ours } of sections) {
      if (DIFFERENT.has(title)) continue;
      expect({ title, who, got: [...ours] }).toEqual({ title, who, got: [...recorded] });
    }
  });
});

/** Where we mean to answer otherwise. */
const DIFFERENT: ReadonlySet<string> = new Set([
  // The original's set-up had no such host; ours has one and refuses guests.
  "p1: join of the brewery MUC",
  // Its own name and features.
  "p1: disco#info of the MUC component",
]);

/** What the original leaves unanswered though RFC 6120 §8.2.3 wants an answer: a kick in the lobby. */
const UNANSWERED = ["<iq from=reclobby@lobby.meet.test "];
