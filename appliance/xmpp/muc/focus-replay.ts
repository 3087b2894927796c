/**
 * Tests only: the recorded XMPP connection of an original focus, played against our hosts from the focus's side: what it sent is sent again, its
 * participants do what it was shown of them.
 */
import { parseJid } from "../../wire/jid.ts";
import { attr, type Element } from "../../wire/xml.ts";
import { House, item, type Person } from "./house.ts";
import { childrenOf, ordered, readRecording, type Section } from "./transcript-replay.ts";

export class FocusReplay {
  readonly #house = new House();
  readonly #focus = this.#house.focus();
  /** Occupant address → who it is. */
  readonly #people = new Map<string, Person>();
  /** Occupant address → what he last said of himself. */
  readonly #said = new Map<string, string>();

  run(text: string): Section[] {
    const blocks = readRecording(text);
    return blocks.map(({ title, lines }, index) => {
      for (const line of lines) {
        if (line.ms > this.#house.now) this.#house.wait(line.ms - this.#house.now);
        if (line.sent) this.#house.deliver(line.stanza.toString(), this.#focus.sender);
        else this.#follow(line.stanza);
      }
      const next = blocks[index + 1]?.lines[0]?.ms ?? this.#house.now + 1_000;
      if (next - 1 > this.#house.now) this.#house.wait(next - 1 - this.#house.now);
      const recorded = lines.filter((line) => !line.sent).map((line) => line.stanza);
      return { title, who: "focus", recorded: ordered(recorded), ours: ordered(this.#focus.take()) };
    });
  }

  /** Does what somebody else must have done for the focus to be told this. */
  #follow(stanza: Element): void {
    const address = attr(stanza, "from") ?? "";
    const from = parseJid(address);
    if (address === "avmoderation.meet.test") this.#moderate(stanza);
    if (stanza.getName() !== "presence" || from?.resource === undefined || from.resource === "focus") return;
    const room = `${from.local}@${from.domain}`;
    const real = item(stanza)?.attrs["jid"] ?? "";
    const known = this.#people.get(address);
    const person = known ?? this.#house.person(real);
    this.#people.set(address, person);
    if (attr(stanza, "type") === "unavailable") {
      person.leave(room, from.resource);
      return;
    }
    const said = childrenOf(stanza);
    if (this.#said.get(address) === said) return;
    this.#said.set(address, said);
    if (known === undefined) person.join(room, from.resource, "", said);
    else person.send(`<presence to="${address}">${said}</presence>`);
  }

  #moderate(stanza: Element): void {
    const json: unknown = JSON.parse(stanza.getChildText("json-message") ?? "{}");
    if (typeof json !== "object" || json === null) return;
    const facts: { actor?: string; enabled?: boolean; whitelists?: { audio?: string[] } } = json;
    const actor = [...this.#people.values()][0];
    const command = (attributes: string) =>
      actor?.send(`<message to="avmoderation.meet.test"><av_moderation ${attributes} mediaType="audio"/></message>`);
    if (facts.enabled !== undefined) command(`enable="${facts.enabled}"`);
    const approved = facts.whitelists?.audio?.[1];
    if (approved !== undefined) command(`jidToWhitelist="${approved}"`);
  }
}
