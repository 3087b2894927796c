import { describe, expect, test } from "bun:test";
import { conditionOf } from "../../../tests/xmpp-dialogue.ts";
import { People } from "../../../tests/xmpp-people.ts";
import { NS } from "../../wire/namespaces.ts";
import { attr, type Element } from "../../wire/xml.ts";

/* XEP-0049. */

const query = (content: string): string => `<query xmlns="${NS.private}">${content}</query>`;
const BOOKMARKS = "storage:bookmarks";
const empty = query(`<storage xmlns="${BOOKMARKS}"/>`);
const conference = `<conference jid="room@muc.meet.test" autojoin="true"/>`;
const inside = (answer: Element): Element | undefined => answer.getChild("query")?.getChildElements()[0];

describe("private storage", () => {
  test("what one client keeps another one of the account finds, nobody else", () => {
    const people = new People(["ana", "ben"]);
    const [first, second, ben] = [people.login("ana"), people.login("ana", { resource: "two" }), people.login("ben")];
    expect(inside(first.ask("get", undefined, empty))?.children).toEqual([]);
    const put = first.ask("set", undefined, query(`<storage xmlns="${BOOKMARKS}">${conference}</storage>`));
    expect(attr(put, "type")).toBe("result");
    expect(inside(second.ask("get", undefined, empty))?.getChild("conference")?.attrs["jid"]).toBe(
      "room@muc.meet.test",
    );
    expect(inside(ben.ask("get", undefined, empty))?.children).toEqual([]);
    expect(conditionOf(ben.ask("get", "ana@meet.test", empty))).toBe("service-unavailable");
    expect(people.stored().map((each) => each.type)).toEqual(["private"]);
  });

  test("no element, two, one without a namespace of its own; more than is kept", () => {
    const people = new People(["ana"]);
    const ana = people.login("ana");
    expect(conditionOf(ana.ask("get", undefined, query("")))).toBe("bad-request");
    expect(conditionOf(ana.ask("set", undefined, query(`<a xmlns="urn:a"/><b xmlns="urn:b"/>`)))).toBe("bad-request");
    expect(conditionOf(ana.ask("set", undefined, query("<a/>")))).toBe("not-acceptable");
    const big = query(`<a xmlns="urn:a">${"x".repeat(20_000)}</a>`);
    expect(attr(ana.ask("set", undefined, big), "type")).toBe("result");
    expect(attr(ana.ask("set", undefined, big), "type")).toBe("result"); // in its place
    expect(conditionOf(ana.ask("set", undefined, big.replaceAll("urn:a", "urn:b")))).toBe("policy-violation");
    for (let i = 0; i < 31; i++) ana.ask("set", undefined, query(`<a xmlns="urn:n${i}"/>`));
    expect(conditionOf(ana.ask("set", undefined, query(`<a xmlns="urn:more"/>`)))).toBe("policy-violation");
  });

  test("guests and services keep nothing", () => {
    const people = new People(["ana"]);
    expect(conditionOf(people.box.guest().ask("get", undefined, empty))).toBe("service-unavailable");
    expect(conditionOf(people.box.service("jvb").ask("get", undefined, empty))).toBe("service-unavailable");
  });

  test("kept for the next start", () => {
    const people = new People(["ana"], {
      privateStorage: new Map([
        ["ana@meet.test", new Map([[`storage ${BOOKMARKS}`, `<storage xmlns="${BOOKMARKS}">${conference}</storage>`]])],
      ]),
    });
    expect(inside(people.login("ana").ask("get", undefined, empty))?.getChild("conference")).toBeDefined();
  });
});
