import { describe, expect, test } from "bun:test";
import { channelUrls } from "./bridge-channel.ts";
import { normaliseRoom, type PageAddress, readSettings, titleOf } from "./settings.ts";

const page = (path: string, rest: Partial<PageAddress> = {}): PageAddress => ({
  protocol: "https:",
  host: "box.local:8443",
  pathname: path,
  search: "",
  hash: "",
  ...rest,
});
const CONFIG = {
  hosts: { domain: "meet.jitsi", muc: "muc.meet.jitsi", focus: "focus.meet.jitsi" },
  websocket: "wss://box.local:8443/xmpp-websocket",
  bosh: "/http-bind",
  bridgeChannel: { preferSctp: false, ignoreDomain: "old.example" },
};

describe("settings", () => {
  test("of a stock config", () => {
    expect(readSettings(CONFIG, page("/Weekly-Planning"))).toMatchObject({
      loginDomain: "meet.jitsi",
      domain: "meet.jitsi",
      muc: "muc.meet.jitsi",
      focus: "focus.meet.jitsi",
      websocket: "wss://box.local:8443/xmpp-websocket",
      bosh: "https://box.local:8443/http-bind",
      room: "weekly-planning",
      roomTitle: "Weekly Planning",
      preferSctp: false,
      ignoredChannelDomain: "old.example",
      channelLastN: -1,
      simulcast: true,
    });
  });

  test("addresses relative to the page and to its protocol", () => {
    const of = (websocket: string, protocol = "https:") =>
      readSettings({ websocket }, page("/r", { protocol })).websocket;
    expect(of("/xmpp-websocket")).toBe("wss://box.local:8443/xmpp-websocket");
    expect(of("//other/xmpp-websocket")).toBe("wss://other/xmpp-websocket");
    expect(of("xmpp-websocket", "http:")).toBe("ws://box.local:8443/xmpp-websocket");
  });

  test("no config at all, or nonsense in it, gives defaults", () => {
    for (const config of [
      undefined,
      null,
      3,
      "x",
      [],
      { hosts: 3, websocket: {}, bridgeChannel: "x", channelLastN: "y" },
    ])
      expect(readSettings(config, page("/r"))).toMatchObject({
        domain: "box.local",
        focus: "focus.box.local",
        websocket: undefined,
        room: "r",
      });
  });

  test("guests log in at the anonymous domain, holders of a token do not", () => {
    const config = { hosts: { domain: "meet.jitsi", anonymousdomain: "guest.meet.jitsi" } };
    expect(readSettings(config, page("/r")).loginDomain).toBe("guest.meet.jitsi");
    expect(readSettings(config, page("/r", { search: "?jwt=abc" }))).toMatchObject({
      loginDomain: "meet.jitsi",
      token: "abc",
    });
    expect(readSettings(config, page("/r", { search: "?login=true" })).loginDomain).toBe("meet.jitsi");
  });

  test("a Jitsi link's fragment overrides what it may, and nothing else", () => {
    const hash = `#config.startWithAudioMuted=true&userInfo.displayName=%22Ana%20B%22&config.subject=%22Plan%22&config.hosts={"domain":"evil"}&config.websocket="wss://evil"`;
    expect(readSettings(CONFIG, page("/r", { hash }))).toMatchObject({
      startWithAudioMuted: true,
      displayName: "Ana B",
      subject: "Plan",
      domain: "meet.jitsi",
      websocket: "wss://box.local:8443/xmpp-websocket",
    });
  });

  test.each([
    ["Weekly%20Planning", "weeklyplanning"],
    ["Büro", "büro"],
    ["a@b/c:d", "abcd"],
    ["%zz", "%zz"],
    ["%20", undefined],
    ["x".repeat(300), undefined],
  ])("room %p", (named, room) => expect(normaliseRoom(named)).toBe(room as string));

  test.each([
    ["482177", "482 177"],
    ["weekly-planning", "Weekly planning"],
    ["a__b", "A b"],
  ])("title of %p", (named, title) => expect(titleOf(named)).toBe(title));

  test("?room= names the room, the start page has none", () => {
    expect(readSettings({}, page("/", { search: "?room=Foo" })).room).toBe("foo");
    expect(readSettings({}, page("/")).room).toBeUndefined();
  });
});

describe("the bridge channel's address", () => {
  const own = { protocol: "https:", host: "10.0.0.7" };
  test("the page's own host takes the place of the advertised one", () => {
    expect(channelUrls(["wss://box.local/colibri-ws/jvb/c1/e1?pwd=x"], own, undefined)).toEqual([
      "wss://10.0.0.7/colibri-ws/jvb/c1/e1?pwd=x",
    ]);
  });
  test("another shape stays as it is; ignored hosts come last; nonsense is left out", () => {
    expect(channelUrls(["wss://old/x", "nonsense", "wss://new/y"], own, "old")).toEqual(["wss://new/y", "wss://old/x"]);
    expect(channelUrls(["ws://plain/x"], own, undefined)).toEqual([]);
    expect(channelUrls([], own, undefined)).toEqual([]);
  });
});

describe("tokens in links", () => {
  const jwt = (claims: object): string =>
    `e30.${btoa(String.fromCharCode(...new TextEncoder().encode(JSON.stringify(claims))))
      .replaceAll("+", "-")
      .replaceAll("/", "_")
      .replaceAll("=", "")}.x`;

  test("in the query, or in the fragment as a login brings it back", () => {
    expect(readSettings(CONFIG, page("/r", { search: "?jwt=a.b.c" })).token).toBe("a.b.c");
    expect(readSettings(CONFIG, page("/r", { hash: "#adapter=true&jwt=a.b.c" })).token).toBe("a.b.c");
    expect(readSettings(CONFIG, page("/r", { hash: "#jwt=%22a.b.c%22" })).token).toBe("a.b.c");
    expect(readSettings(CONFIG, page("/r")).token).toBeUndefined();
  });

  test("the name in it is proposed; a link's own name wins; rubbish gives none", () => {
    const named = (search: string, hash = ""): string | undefined =>
      readSettings(CONFIG, page("/r", { search, hash })).displayName;
    expect(named(`?jwt=${jwt({ context: { user: { name: "Zoë Ñ" } } })}`)).toBe("Zoë Ñ");
    expect(named(`?jwt=${jwt({ context: { user: { name: "Zoë" } } })}`, '#userInfo.displayName="Ana"')).toBe("Ana");
    for (const bad of ["x", "..", "a.b.c", jwt({ context: 3 }), jwt({ context: { user: { name: 7 } } })])
      expect(named(`?jwt=${bad}`)).toBeUndefined();
  });

  test("where people log in, with the room filled in; only http addresses", () => {
    const at = (tokenAuthUrl: string, path = "/Weekly%20Plan"): string | undefined =>
      readSettings({ ...CONFIG, tokenAuthUrl }, page(path)).loginUrl;
    expect(at("https://id.example/{room}")).toBe("https://id.example/Weekly%20Plan");
    expect(new URL(at("https://id.example/?state={state}", "/team/Plan") ?? "").searchParams.get("state")).toBe(
      '{"room":"Plan","roomSafe":"plan","tenant":"team"}',
    );
    expect(at("javascript:alert(1)//{room}")).toBeUndefined();
  });
});
