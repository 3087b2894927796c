import { describe, expect, test } from "bun:test";
import {
  conditionOf,
  DialogueServer,
  type Participant,
  TEST_ACCOUNTS,
  TEST_DOMAINS,
} from "../../../tests/xmpp-dialogue.ts";
import { seconds } from "../../time.ts";
import { NS } from "../../wire/namespaces.ts";
import { attr, child, type Element } from "../../wire/xml.ts";
import { type AccountChange, Accounts } from "../accounts.ts";

/* XEP-0077. */

interface Server {
  readonly box: DialogueServer;
  readonly changes: AccountChange[];
}

function server(from: "loopback" | "network" | "nobody" = "loopback", bound = 3, stored: AccountChange[] = []): Server {
  const changes: AccountChange[] = [];
  const accounts = new Accounts(
    TEST_ACCOUNTS,
    (size) => Buffer.alloc(size, 5),
    8,
    from === "nobody"
      ? undefined
      : {
          stored: stored.flatMap((each) => (each.type === "account" ? [each.account] : [])),
          changed: (change) => changes.push(change),
          domain: TEST_DOMAINS.domain,
          bound,
        },
  );
  return {
    box: new DialogueServer({ server: { accounts, ...(from === "nobody" ? {} : { registration: { from } }) } }),
    changes,
  };
}

/** A stream under TLS that is not logged in; its features. */
function stranger({ box }: Server, address = "127.0.0.1"): { client: Participant; features: Element } {
  const client = box.tcp(address);
  client.startTls(TEST_DOMAINS.domain);
  client.open(TEST_DOMAINS.domain);
  return { client, features: client.expect("stream:features") };
}

const offered = (features: Element): boolean =>
  child(features, "register", "http://jabber.org/features/iq-register") !== undefined;

const query = (content: string): string => `<query xmlns="${NS.register}">${content}</query>`;
const wish = (user: string, password = "pencil"): string =>
  query(`<username>${user}</username><password>${password}</password>`);

function member(at: Server, user: string): Participant {
  const client = at.box.tcp("127.0.0.1");
  client.startTls(TEST_DOMAINS.domain);
  client.loginPlain(user, "pencil", TEST_DOMAINS.domain);
  client.bind("one");
  return client;
}

describe("making an account", () => {
  test("asked what is wanted, given it, logged in on the same stream", () => {
    const at = server();
    const { client, features } = stranger(at);
    expect(offered(features)).toBe(true);
    const form = client.ask("get", undefined, query("")).getChild("query");
    expect(form?.getChildElements().map((each) => each.name)).toEqual(["instructions", "username", "password"]);
    expect(attr(client.ask("set", undefined, wish("Ana")), "type")).toBe("result");
    client.raw(`<auth xmlns="${NS.sasl}" mechanism="PLAIN">${Buffer.from("\0ana\0pencil").toString("base64")}</auth>`);
    client.expect("success");
    client.open(TEST_DOMAINS.domain);
    expect(offered(client.expect("stream:features"))).toBe(false);
    client.bind("one");
    expect(client.jid).toBe("ana@meet.test/one");
    expect(at.changes.map((each) => each.type)).toEqual(["account"]);
  });

  test("a name that is taken, no name, no password, a name that is none, too many", () => {
    const at = server("loopback", 1);
    const { client } = stranger(at);
    const answer = (payload: string): string | undefined => conditionOf(client.ask("set", undefined, payload));
    expect(answer(query("<username/><password>x</password>"))).toBe("not-acceptable");
    expect(answer(wish("ana", ""))).toBe("not-acceptable");
    expect(answer(wish("a@b"))).toBe("not-acceptable");
    expect(answer(wish("a/b"))).toBe("not-acceptable");
    expect(attr(client.ask("set", undefined, wish("ana")), "type")).toBe("result");
    expect(answer(wish("ANA", "other"))).toBe("conflict");
    expect(answer(wish("ben"))).toBe("not-allowed");
    expect(member(at, "ana").jid).toBe("ana@meet.test/one");
  });

  test("nobody becomes a guest who is here: names as guests have them are not given", () => {
    const at = server();
    const guest = at.box.guest();
    const { client } = stranger(at);
    const name = guest.jid.split("@")[0] ?? "";
    for (const wished of [name, name.toUpperCase(), `${name.slice(0, -1)}0`])
      expect(conditionOf(client.ask("set", undefined, wish(wished)))).toBe("not-acceptable");
    expect(at.changes).toEqual([]);
  });

  test("sixty at once, then one a second", () => {
    const at = server("loopback", 1_000);
    const { client } = stranger(at);
    const results: (string | undefined)[] = [];
    for (let i = 0; i < 62; i++) {
      results.push(conditionOf(client.ask("set", undefined, wish(`user${i}`))));
      at.box.advance(10);
    }
    expect(results.filter((each) => each === undefined)).toHaveLength(61);
    expect(results.at(-1)).toBe("resource-constraint");
    at.box.advance(seconds(2));
    expect(attr(client.ask("set", undefined, wish("late")), "type")).toBe("result");
  });

  test("kept: the next start knows the account, its password and no other", () => {
    const before = server();
    stranger(before).client.ask("set", undefined, wish("ana"));
    const after = server("loopback", 3, before.changes);
    expect(member(after, "ana").jid).toBe("ana@meet.test/one");
    const { client } = stranger(after);
    client.raw(`<auth xmlns="${NS.sasl}" mechanism="PLAIN">${Buffer.from("\0ana\0wrong").toString("base64")}</auth>`);
    expect(client.expect("failure").getChildElements()[0]?.name).toBe("not-authorized");
  });
});

describe("where it is not offered", () => {
  const rows: readonly (readonly [string, Parameters<typeof server>[0], string])[] = [
    ["not configured", "nobody", "127.0.0.1"],
    ["from the network, where only this machine may", "loopback", "192.0.2.8"],
  ];
  for (const [what, from, address] of rows)
    test(what, () => {
      const at = server(from);
      const { client, features } = stranger(at, address);
      expect(offered(features)).toBe(false);
      client.send(`<iq type="set" id="r">${wish("ana")}</iq>`);
      client.expectStreamError("not-authorized");
      expect(at.changes).toEqual([]);
    });

  test("before TLS, and on the domain of services", () => {
    const at = server("network");
    const clear = at.box.tcp();
    clear.open();
    expect(offered(clear.expect("stream:features"))).toBe(false);
    clear.send(`<iq type="set" id="r">${wish("ana")}</iq>`);
    clear.expectStreamError("not-authorized");
    const services = at.box.tcp();
    services.startTls(TEST_DOMAINS.auth);
    services.open(TEST_DOMAINS.auth);
    expect(offered(services.expect("stream:features"))).toBe(false);
  });

  test("from the network where that is configured", () => {
    const { client } = stranger(server("network"), "192.0.2.8");
    expect(attr(client.ask("set", undefined, wish("ana")), "type")).toBe("result");
  });
});

describe("after login", () => {
  test("a new password holds, the old one does not", () => {
    const at = server();
    stranger(at).client.ask("set", undefined, wish("ana"));
    const ana = member(at, "ana");
    expect(child(ana.ask("get", undefined, query("")), "query")?.getChildText("username")).toBe("ana");
    expect(attr(ana.ask("set", "meet.test", wish("ana", "quill")), "type")).toBe("result");
    expect(() => member(at, "ana")).toThrow();
    expect(conditionOf(ana.ask("set", "meet.test", wish("ben", "quill")))).toBe("bad-request");
    expect(at.changes).toHaveLength(2);
  });

  test("giving it up: answered, then every stream of the account ends, and its list is forgotten", () => {
    const at = server();
    stranger(at).client.ask("set", undefined, wish("ana"));
    const [ana, other] = [member(at, "ana"), at.box.tcp("127.0.0.1")];
    other.startTls(TEST_DOMAINS.domain);
    other.loginPlain("ana", "pencil", TEST_DOMAINS.domain);
    other.bind("two");
    ana.ask("set", undefined, `<query xmlns="${NS.roster}"><item jid="ben@meet.test"/></query>`);
    expect(conditionOf(ana.ask("set", undefined, query("<remove/><username>ana</username>")))).toBe("bad-request");
    expect(attr(ana.ask("set", undefined, query("<remove/>")), "type")).toBe("result");
    ana.expectStreamError("not-authorized");
    other.expectStreamError("not-authorized");
    expect(at.changes.map((each) => each.type)).toEqual(["account", "account-gone"]);
    expect(at.box.actions.flatMap((each) => (each.type === "store" ? [each.change.type] : []))).toEqual([
      "contact",
      "roster-gone",
    ]);
    expect(() => member(at, "ana")).toThrow();
  });

  test("guests and configured accounts change nothing", () => {
    const at = server();
    const guest = at.box.guest();
    expect(conditionOf(guest.ask("set", "meet.test", query("<remove/>")))).toBe("forbidden");
    expect(conditionOf(at.box.service("jvb").ask("set", "meet.test", query("<remove/>")))).toBe("forbidden");
  });
});
