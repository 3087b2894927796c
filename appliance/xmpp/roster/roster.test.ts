import { describe, expect, test } from "bun:test";
import { conditionOf } from "../../../tests/xmpp-dialogue.ts";
import { bareOf, befriend, items, People, pushed, roster } from "../../../tests/xmpp-people.ts";
import { NS } from "../../wire/namespaces.ts";
import { attr, child, children, type Element } from "../../wire/xml.ts";
import type { Roster } from "./rosters.ts";

/* RFC 6121 §2 to 4 between accounts of this server, as dialogues. */

const set = (item: string): string => `<query xmlns="${NS.roster}">${item}</query>`;
const ANA = "ana@meet.test";
const BEN = "ben@meet.test";

describe("the list (§2)", () => {
  test("set, pushed to every client that asked for the list, to no other; removed", () => {
    const people = new People(["ana"]);
    const [first, second, deaf] = [
      people.login("ana"),
      people.login("ana", { resource: "two" }),
      people.login("ana", { resource: "three", roster: false }),
    ];
    first.all();
    expect(
      attr(first.ask("set", undefined, set(`<item jid="Ben@meet.test" name="Ben"><group>Work</group></item>`)), "type"),
    ).toBe("result");
    for (const client of [first, second]) {
      const push = client.expect("iq", (each) => attr(each, "type") === "set");
      expect(push.attrs["from"]).toBeUndefined();
      expect(attr(push, "to")).toBe(client.jid);
      expect(items(push)).toEqual([`${BEN} none`]);
      expect(child(push, "query")?.getChild("item")?.getChildText("group")).toBe("Work");
    }
    expect(deaf.all().filter((each) => each.name === "iq")).toEqual([]);
    expect(items(roster(second))).toEqual([`${BEN} none`]);
    first.ask("set", undefined, set(`<item jid="${BEN}" subscription="remove"/>`));
    expect(pushed(second)).toEqual([`${BEN} remove`]);
    expect(items(roster(second))).toEqual([]);
    expect(conditionOf(first.ask("set", undefined, set(`<item jid="${BEN}" subscription="remove"/>`)))).toBe(
      "item-not-found",
    );
  });

  test("versions: the same one is answered empty, any other with the list", () => {
    const people = new People(["ana"]);
    const ana = people.login("ana");
    ana.ask("set", undefined, set(`<item jid="${BEN}"/>`));
    const answer = roster(ana, "");
    const ver = attr(child(answer, "query") ?? answer, "ver");
    expect(items(answer)).toEqual([`${BEN} none`]);
    expect(roster(ana, ver).getChildElements()).toEqual([]);
    ana.ask("set", undefined, set(`<item jid="${BEN}" name="B"/>`));
    expect(items(roster(ana, ver))).toHaveLength(1);
  });

  const refused: readonly (readonly [string, string, string])[] = [
    ["two items", `<item jid="a@x"/><item jid="b@x"/>`, "bad-request"],
    ["none", "", "bad-request"],
    ["no address", "<item/>", "bad-request"],
    ["a broken address", `<item jid="@"/>`, "bad-request"],
    ["a group twice", `<item jid="a@x"><group>g</group><group>g</group></item>`, "bad-request"],
    ["a group without name", `<item jid="a@x"><group/></item>`, "not-acceptable"],
    ["an endless name", `<item jid="a@x" name="${"n".repeat(2_000)}"/>`, "not-acceptable"],
    ["an endless group", `<item jid="a@x"><group>${"n".repeat(2_000)}</group></item>`, "not-acceptable"],
  ];
  for (const [what, item, condition] of refused)
    test(`${what}: ${condition}, nothing is kept`, () => {
      const people = new People(["ana"]);
      const ana = people.login("ana");
      expect(conditionOf(ana.ask("set", undefined, set(item)))).toBe(condition);
      expect(items(roster(ana))).toEqual([]);
      expect(people.stored()).toEqual([]);
    });

  test("others' lists are none of one's business; guests have none; what a client claims of subscriptions is ignored", () => {
    const people = new People(["ana", "ben"]);
    const ana = people.login("ana");
    expect(conditionOf(ana.ask("get", BEN, `<query xmlns="${NS.roster}"/>`))).toBe("service-unavailable");
    expect(conditionOf(ana.ask("set", BEN, set(`<item jid="x@y"/>`)))).toBe("service-unavailable");
    ana.ask("set", undefined, set(`<item jid="${BEN}" subscription="both" ask="subscribe"/>`));
    expect(items(roster(ana))).toEqual([`${BEN} none`]);
    const guest = people.box.guest();
    expect(items(guest.ask("get", undefined, `<query xmlns="${NS.roster}"/>`))).toEqual([]);
    expect(conditionOf(guest.ask("set", undefined, set(`<item jid="x@y"/>`)))).toBe("not-allowed");
  });

  test("two hundred contacts and no more; the full list refuses, and an asker hears nothing", () => {
    const people = new People(["ana", "ben"]);
    const ana = people.login("ana", { roster: false });
    for (let i = 0; i < 200; i++) {
      expect(attr(ana.ask("set", undefined, set(`<item jid="c${i}@x"/>`)), "type")).toBe("result");
      people.box.advance(100);
    }
    expect(conditionOf(ana.ask("set", undefined, set(`<item jid="more@x"/>`)))).toBe("policy-violation");
    people.login("ben").send(`<presence type="subscribe" to="${ANA}"/>`);
    ana.expectNothing();
    expect(people.box.counted("roster-full")).toBe(1);
  });
});

describe("subscription (§3)", () => {
  test("asked, told, approved, seen", () => {
    const people = new People(["ana", "ben"]);
    const [ana, ben] = [people.login("ana"), people.login("ben")];
    ana.send(`<presence type="subscribe" to="${BEN}/whatever"><status>it's me</status></presence>`);
    expect(pushed(ana)).toEqual([`${BEN} none asked`]);
    const asked = ben.expect("presence");
    expect(asked.attrs).toMatchObject({ type: "subscribe", from: ANA, to: BEN });
    expect(asked.getChildText("status")).toBe("it's me");
    ben.send(`<presence type="subscribed" to="${ANA}"/>`);
    expect(pushed(ben)).toEqual([`${ANA} from`]);
    expect(ana.expect("presence").attrs).toMatchObject({ type: "subscribed", from: BEN, to: ANA });
    expect(pushed(ana)).toEqual([`${BEN} to`]);
    const seen = ana.expect("presence");
    expect([attr(seen, "from"), attr(seen, "type")]).toEqual([ben.jid, undefined]);
    ben.send("<presence><show>away</show></presence>");
    expect(ana.expect("presence").getChildText("show")).toBe("away");
    ana.send("<presence><show>dnd</show></presence>");
    ana.all();
    expect(ben.all().some((each) => each.getChildText("show") === "dnd")).toBe(false);
    ben.drop();
    expect(ana.expect("presence").attrs).toMatchObject({ type: "unavailable", from: ben.jid });
  });

  test("a request waits for its answer over logins, and is not told twice to one login", () => {
    const people = new People(["ana", "ben"]);
    const ana = people.login("ana");
    ana.send(`<presence type="subscribe" to="${BEN}"/>`);
    const ben = people.login("ben");
    expect(ben.expect("presence").attrs).toMatchObject({ type: "subscribe", from: ANA });
    ana.send(`<presence type="subscribe" to="${BEN}"/>`);
    ben.expectNothing();
    expect(items(roster(ben))).toEqual([]);
    ben.send(`<presence type="unsubscribed" to="${ANA}"/>`);
    expect(ana.expect("presence").attrs).toMatchObject({ type: "unsubscribed", from: BEN });
    const later = people.login("ben", { resource: "two" }).all();
    expect(later.map((each) => attr(each, "type"))).not.toContain("subscribe");
  });

  test("approval in advance is answered by the server (§3.4)", () => {
    const people = new People(["ana", "ben"]);
    const [ana, ben] = [people.login("ana"), people.login("ben")];
    ben.send(`<presence type="subscribed" to="${ANA}"/>`);
    expect(pushed(ben)).toEqual([`${ANA} none approved`]);
    ana.expectNothing();
    ana.send(`<presence type="subscribe" to="${BEN}"/>`);
    expect(ana.expect("presence").attrs).toMatchObject({ type: "subscribed", from: BEN });
    expect(pushed(ben)).toEqual([`${ANA} from`]);
    expect(ben.all().filter((each) => each.name === "presence")).toEqual([]);
  });

  test("taken back by either side: both lists say so, and the one who looked sees the other go", () => {
    const people = new People(["ana", "ben"]);
    const [ana, ben] = [people.login("ana"), people.login("ben")];
    befriend(ana, ben);
    ana.send(`<presence type="unsubscribe" to="${BEN}"/>`);
    expect(pushed(ana)).toEqual([`${BEN} from`]);
    expect(ana.expect("presence").attrs).toMatchObject({ type: "unavailable", from: ben.jid });
    expect(ben.expect("presence").attrs).toMatchObject({ type: "unsubscribe", from: ANA });
    expect(pushed(ben)).toEqual([`${ANA} to`]);
    ana.send(`<presence type="unsubscribed" to="${BEN}"/>`);
    expect(pushed(ana)).toEqual([`${BEN} none`]);
    expect(ben.all().map((each) => attr(each, "type"))).toEqual(["unsubscribed", "set", "unavailable"]);
  });

  test("removing a contact ends both directions (§2.5.2)", () => {
    const people = new People(["ana", "ben"]);
    const [ana, ben] = [people.login("ana"), people.login("ben")];
    befriend(ana, ben);
    ana.ask("set", undefined, set(`<item jid="${BEN}" subscription="remove"/>`));
    expect(
      ben
        .all()
        .filter((each) => each.name === "presence")
        .map((each) => attr(each, "type"))
        .sort(),
    ).toEqual(["unavailable", "unsubscribe", "unsubscribed"]);
    expect(items(roster(ben))).toEqual([`${ANA} none`]);
    ben.send("<presence/>");
    expect(ana.all().filter((each) => attr(each, "from") === ben.jid && attr(each, "type") === undefined)).toEqual([]);
  });

  test("a forged subscription is the sender's own: from is stamped", () => {
    const people = new People(["ana", "ben", "eve"]);
    const [ana, eve] = [people.login("ana"), people.login("eve")];
    ana.send(`<presence type="subscribe" to="${BEN}"/>`);
    ana.all();
    eve.send(`<presence type="subscribed" from="${BEN}" to="${ANA}"/>`);
    ana.expectNothing();
    expect(items(roster(ana))).toEqual([`${BEN} none asked`]);
  });
});

describe("presence (§4)", () => {
  test("coming online one sees the contacts, who see one; a stranger's probe shows nothing", () => {
    const people = new People(["ana", "ben", "eve"]);
    const [ana, ben] = [people.login("ana"), people.login("ben")];
    befriend(ana, ben);
    ana.send("<presence type='unavailable'/>");
    expect(ben.expect("presence").attrs).toMatchObject({ type: "unavailable", from: ana.jid });
    const second = people.login("ana", { resource: "two" });
    expect(second.expect("presence").attrs).toMatchObject({ from: ben.jid, to: second.jid });
    expect(attr(ben.expect("presence"), "from")).toBe(second.jid);
    const eve = people.login("eve");
    eve.send(`<presence type="probe" to="${BEN}"/>`);
    eve.expectNothing();
    const guest = people.box.guest();
    guest.send(`<presence type="probe" to="${BEN}"/>`);
    guest.expectNothing();
  });

  test("a probe of somebody offline, and of oneself", () => {
    const people = new People(["ana", "ben"]);
    const [ana, ben] = [people.login("ana"), people.login("ben")];
    befriend(ana, ben);
    ben.send("<presence type='unavailable'/>");
    ana.all();
    ana.send(`<presence type="probe" to="${BEN}"/>`);
    expect(ana.all().map((each) => [attr(each, "type"), attr(each, "from")])).toEqual([["unavailable", BEN]]);
    ana.send(`<presence type="probe" to="${ANA}"/>`);
    expect(ana.all().map((each) => attr(each, "from"))).toEqual([ana.jid]);
  });

  test("a contact to whom presence was sent directly is told once that one is gone", () => {
    const people = new People(["ana", "ben"]);
    const [ana, ben] = [people.login("ana"), people.login("ben")];
    befriend(ana, ben);
    ana.send(`<presence to="${ben.jid}"/>`);
    ben.all();
    ana.drop();
    expect(ben.all().map((each) => attr(each, "type"))).toEqual(["unavailable"]);
  });

  test("guests and services have no subscribers", () => {
    const people = new People(["ana"]);
    const ana = people.login("ana");
    const guest = people.box.guest();
    for (const to of [bareOf(guest), "nobody@meet.test"]) {
      ana.send(`<presence type="subscribe" to="${to}"/>`);
      expect(ana.expect("presence").attrs).toMatchObject({ type: "unsubscribed", from: to });
      ana.all();
    }
    expect(guest.all()).toEqual([]);
  });
});

test("what is stored is what another start begins with", () => {
  const people = new People(["ana", "ben", "eve"]);
  const [ana, ben] = [people.login("ana"), people.login("ben")];
  befriend(ana, ben);
  people.login("eve").send(`<presence type="subscribe" to="${ANA}"/>`);
  const kept = new Map<string, Roster>();
  for (const change of people.stored()) {
    if (change.type !== "contact") continue;
    const others = (kept.get(change.account)?.contacts ?? []).filter((each) => each.jid !== change.contact.jid);
    kept.set(change.account, { version: change.version, contacts: [...others, change.contact] });
  }
  const again = new People(["ana", "ben", "eve"], { rosters: kept });
  const back = again.login("ana");
  const told: Element[] = back.all();
  expect(told.map((each) => [attr(each, "type"), attr(each, "from")])).toContainEqual(["subscribe", "eve@meet.test"]);
  const answer = roster(back);
  expect(items(answer)).toEqual([`${BEN} both`]);
  expect(children(answer, "query").map((each) => attr(each, "ver"))).toEqual([String(kept.get(ANA)?.version)]);
});
