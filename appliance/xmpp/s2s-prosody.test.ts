import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Neighbours, OURS, type Proof, THEIRS } from "../../tests/prosody-neighbour.ts";
import { armGuard, disarmGuard, useRealTime } from "../../tests/real-time.ts";
import { NS } from "../wire/namespaces.ts";

/* Debian's Prosody as the other server: a message and a room each way, by each of the two ways to prove who one is. */

useRealTime();

const PROOFS: readonly Proof[] = ["dialback", "EXTERNAL"];

for (const proof of PROOFS)
  describe(proof, () => {
    let neighbours: Neighbours;
    beforeAll(async () => {
      disarmGuard(); // the description before has armed it
      neighbours = await Neighbours.start(proof);
    }, 30_000);
    afterAll(async () => {
      disarmGuard();
      await neighbours?.stop();
      armGuard();
    }, 15_000);

    test("a message goes to Debian's Prosody and one comes back, both streams under TLS", async () => {
      const ana = await neighbours.ourGuest();
      const bob = await neighbours.theirGuest();
      ana.wire.send(`<message xmlns="jabber:client" to="${bob.jid}" type="chat"><body>to prosody</body></message>`);
      expect(await bob.wire.until("to prosody")).toContain(ana.jid);
      bob.wire.send(`<message xmlns="jabber:client" to="${ana.jid}" type="chat"><body>from prosody</body></message>`);
      expect(await ana.wire.until("from prosody")).toContain(bob.jid);
    }, 20_000);

    test("our guest joins a room there", async () => {
      const ana = await neighbours.ourGuest();
      const bob = await neighbours.theirGuest();
      const room = `away@muc.${THEIRS}`;
      bob.wire.send(`<presence xmlns="jabber:client" to="${room}/bob"><x xmlns="${NS.muc}"/></presence>`);
      await bob.wire.until(/110/);
      ana.wire.send(`<presence xmlns="jabber:client" to="${room}/ana"><x xmlns="${NS.muc}"/></presence>`);
      await ana.wire.until(/110/);
      ana.wire.send(`<message xmlns="jabber:client" to="${room}" type="groupchat"><body>across</body></message>`);
      expect(await bob.wire.until("across")).toContain(`${room}/ana`);
    }, 20_000);

    test("their guest joins a room here that our focus made", async () => {
      const { DialogueFocus } = await import("../../tests/dialogue-focus.ts");
      const room = `home@${OURS.muc}`;
      const focus = await DialogueFocus.join(neighbours.part.ports["xmpp"] ?? 0, OURS.auth, room);
      const bob = await neighbours.theirGuest();
      bob.wire.send(`<presence xmlns="jabber:client" to="${room}/bob"><x xmlns="${NS.muc}"/></presence>`);
      await bob.wire.until(/110/);
      bob.wire.send(`<message xmlns="jabber:client" to="${room}" type="groupchat"><body>hello home</body></message>`);
      expect(await focus.wire.until("hello home")).toContain(`${room}/bob`);
      focus.end();
    }, 20_000);

    test("a domain that nobody answers for comes back as an error", async () => {
      const ana = await neighbours.ourGuest();
      ana.wire.send(
        `<message xmlns="jabber:client" to="x@nowhere.invalid" id="n" type="chat"><body>?</body></message>`,
      );
      expect(await ana.wire.until(/<message[^>]*type="error".*<\/message>/)).toContain("remote-server-not-found");
    }, 20_000);
  });
