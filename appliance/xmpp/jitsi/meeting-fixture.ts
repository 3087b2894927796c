/**
 * Tests only: a meeting with its focus, a moderator (Ana) and two participants (Ben, Cleo), and short ways to talk to components.
 */
import type { Element } from "../../wire/xml.ts";
import type { MucHostsOptions } from "../muc/hosts.ts";
import { DOMAINS, House, type Person } from "../muc/house.ts";

export const ANA = "7c1e22d0";
export const BEN = "b04f9a61";
export const CLEO = "c0ffee00";

export const named = (name: string): string => `<nick xmlns="http://jabber.org/protocol/nick">${name}</nick>`;

export class Meeting {
  readonly house: House;
  readonly room: string;
  readonly focus: Person;
  readonly ana: Person;
  readonly ben: Person;
  readonly cleo: Person;

  constructor(options: Partial<MucHostsOptions> = {}, who: readonly string[] = [ANA, BEN, CLEO]) {
    this.house = new House(options);
    const { room, focus } = this.house.meeting("standup");
    this.room = room;
    this.focus = focus;
    this.ana = this.house.guest(ANA, { room: "standup" });
    this.ben = this.house.guest(BEN, { room: "standup" });
    this.cleo = this.house.guest(CLEO, { room: "standup" });
    if (who.includes(ANA)) this.ana.join(room, ANA, "", named("Ana"));
    if (who.includes(BEN)) this.ben.join(room, BEN, "", named("Ben"));
    if (who.includes(CLEO)) this.cleo.join(room, CLEO, "", named("Cleo"));
    this.affiliate(focus, this.ana, "owner");
    this.clear();
  }

  affiliate(by: Person, whom: Person, affiliation: string): Element[] {
    return by.send(
      `<iq type="set" id="aff" to="${this.room}"><query xmlns="http://jabber.org/protocol/muc#admin"><item affiliation="${affiliation}" jid="${whom.bare}"/></query></iq>`,
    );
  }

  kick(by: Person, room: string, nick: string): Element[] {
    return by.send(
      `<iq type="set" id="kick" to="${room}"><query xmlns="http://jabber.org/protocol/muc#admin"><item role="none" nick="${nick}"/></query></iq>`,
    );
  }

  configure(by: Person, values: Readonly<Record<string, string>>): Element[] {
    const fields = Object.entries(values).map(
      ([name, value]) => `<field var="${name}"><value>${value}</value></field>`,
    );
    return by.send(
      `<iq type="set" id="cfg" to="${this.room}"><query xmlns="http://jabber.org/protocol/muc#owner"><x xmlns="jabber:x:data" type="submit">${fields.join("")}</x></query></iq>`,
    );
  }

  /** A message to a component. */
  tell(who: Person, component: string, child: string): Element[] {
    return who.send(`<message to="${component}.${DOMAINS.domain}">${child}</message>`);
  }

  clear(): void {
    for (const person of this.house.people.values()) person.take();
  }
}

/** The JSON that came from a component, in order. */
export const jsonFrom = (stanzas: readonly Element[], component: string): unknown[] =>
  stanzas
    .filter((each) => each.attrs["from"] === `${component}.${DOMAINS.domain}`)
    .flatMap((each) => each.getChild("json-message") ?? [])
    .map((each) => JSON.parse(each.getText()));
