import { expect, test } from "bun:test";
import { DialogueServer, type Participant, TEST_DOMAINS } from "../../tests/xmpp-dialogue.ts";
import { seconds } from "../time.ts";
import { NS } from "../wire/namespaces.ts";
import { attr } from "../wire/xml.ts";
import { createMucHosts } from "./muc/hosts.ts";

/** Numbers that follow from the seed (mulberry32). */
function numbers(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4294967296) * below);
  };
}

const SEED = Number(process.env["SEED"] ?? 20260822);
const ROUNDS = Number(process.env["ROUNDS"] ?? 40);

/** Pieces of everything that the server understands, to be put together wrongly. */
const FRAMES: readonly string[] = [
  `<open xmlns="${NS.framing}" to="meet.test" version="1.0"/>`,
  `<open xmlns="${NS.framing}" to="auth.meet.test" version="1.0"/>`,
  `<open xmlns="${NS.framing}"/>`,
  `<close xmlns="${NS.framing}"/>`,
  `<auth xmlns="${NS.sasl}" mechanism="ANONYMOUS"/>`,
  `<auth xmlns="${NS.sasl}" mechanism="PLAIN">AHBsYWluAHNlY3JldA==</auth>`,
  `<auth xmlns="${NS.sasl}" mechanism="SCRAM-SHA-1">biwsbj1wbGFpbixyPXg=</auth>`,
  `<response xmlns="${NS.sasl}">Yz1iaXdzLHI9eHkscD1BQUFB</response>`,
  `<iq xmlns="jabber:client" type="set" id="b"><bind xmlns="${NS.bind}"/></iq>`,
  `<iq xmlns="jabber:client" type="set" id="b"><bind xmlns="${NS.bind}"><resource>r</resource></bind></iq>`,
  `<enable xmlns="${NS.sm}" resume="true"/>`,
  `<enable xmlns="${NS.sm}"/>`,
  `<r xmlns="${NS.sm}"/>`,
  `<a xmlns="${NS.sm}" h="0"/>`,
  `<a xmlns="${NS.sm}" h="3"/>`,
  `<resume xmlns="${NS.sm}" h="0" previd="PREVID"/>`,
  `<presence xmlns="jabber:client"/>`,
  `<presence xmlns="jabber:client" type="unavailable"/>`,
  `<presence xmlns="jabber:client" to="r1@muc.meet.test/NICK"><x xmlns="${NS.muc}"/></presence>`,
  `<presence xmlns="jabber:client" to="r1@muc.meet.test/NICK" type="unavailable"/>`,
  `<presence xmlns="jabber:client" to="JID"/>`,
  `<message xmlns="jabber:client" to="r1@muc.meet.test" type="groupchat"><body>x</body></message>`,
  `<message xmlns="jabber:client" to="JID" type="chat"><body>x</body></message>`,
  `<message xmlns="jabber:client" to="JID" type="error"/>`,
  `<iq xmlns="jabber:client" type="get" id="1" to="JID"><ping xmlns="${NS.ping}"/></iq>`,
  `<iq xmlns="jabber:client" type="result" id="1" to="JID"/>`,
  `<iq xmlns="jabber:client" type="set" id="2" to="focus.meet.test"><conference xmlns="${NS.focus}" room="r1@muc.meet.test"/></iq>`,
  `<iq xmlns="jabber:client" type="get" id="3" to="meet.test"><query xmlns="${NS.discoInfo}"/></iq>`,
  `<iq xmlns="jabber:client" type="set" id="4" to="r1@muc.meet.test"><query xmlns="${NS.mucAdmin}"><item nick="NICK" role="none"/></query></iq>`,
  `<stream:error xmlns:stream="${NS.stream}"><conflict xmlns="${NS.streams}"/></stream:error>`,
  "<",
  " ",
  "<a><b></a>",
];

test(`whatever comes in whatever order: no throw, no ghost, everybody else served (seed ${SEED})`, () => {
  for (let round = 0; round < ROUNDS; round++) {
    const seed = SEED + round;
    const pick = numbers(seed);
    const box = new DialogueServer({
      hosts: (environment) => createMucHosts({ ...environment }),
      limits: { stanzasPerSecond: 1_000, bytesPerSecond: 1_000_000 },
    });
    const focus = box.service("focus");
    focus.enableManagement(false); // answers when it is asked whether it lives
    focus.send(`<presence to="r1@muc.meet.test/focus"><x xmlns="${NS.muc}"/></presence>`);
    const peers: Participant[] = [];
    const somebody = (): Participant | undefined => peers[pick(peers.length)];
    const fill = (frame: string): string =>
      frame
        .replace("PREVID", somebody()?.resumptionId ?? "x")
        .replace("JID", [somebody()?.jid ?? "", focus.jid, "@", "nobody@meet.test/x"][pick(4)] ?? "")
        .replace("NICK", `n${pick(4)}`);
    try {
      for (let step = 0; step < 150; step++) {
        const what = pick(20);
        const peer = somebody();
        if (what === 0 || peer === undefined)
          peers.push(
            pick(2) === 0 ? box.guest({ room: "r1" }) : box.websocket({ previd: somebody()?.resumptionId ?? "" }),
          );
        else if (what === 1) peer.drop();
        else if (what === 2) box.advance(seconds(pick(50)));
        else if (what === 3) box.feed({ type: "binary-frame", link: peer.link });
        else if (what === 4) box.feed({ type: "overflow", link: peer.link });
        else if (what === 5) box.feed({ type: "tls-started", link: peer.link, tls: { bindings: [], peerDomains: [] } });
        else peer.raw(Array.from({ length: 1 + pick(2) }, () => fill(FRAMES[pick(FRAMES.length)] ?? "")).join(""));
      }
      const ben = box.guest();
      expect(attr(ben.ask("get", TEST_DOMAINS.domain, `<ping xmlns="${NS.ping}"/>`), "type")).toBe("result");
      for (const peer of [...peers, ben]) if (peer.closed === undefined) peer.drop();
      box.advance(seconds(200));
      // Only the focus is left, whatever happened: no session, connection or occupant without somebody behind it.
      expect([box.core.sessionCount, box.core.connectionCount]).toEqual([1, 1]);
      focus.all();
      const occupants = focus.ask("get", "r1@muc.meet.test", `<query xmlns="${NS.discoItems}"/>`);
      expect(occupants.toString()).not.toMatch(/\/n\d/);
    } catch (error) {
      throw new Error(`seed ${seed}: ${error instanceof Error ? error.stack : String(error)}`);
    }
  }
});
