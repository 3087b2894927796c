/**
 * A focus that dies in the middle of a meeting, and the one that follows: our server, our bridge with real media, our focus as a process of its own that is killed, and two participants of a
 * few lines. What is held: media flows while no focus is there, everybody is in a new session afterwards, and the bridge has nobody twice.
 * Alone: processes, sockets, real time.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { ServiceAccount } from "../appliance/config.ts";
import type { RunningPart } from "../appliance/part.ts";
import { isJingleFault, type Jingle, jingleElement, readJingle } from "../appliance/wire/jingle.ts";
import { NS } from "../appliance/wire/namespaces.ts";
import { errorReply, iqResult } from "../appliance/wire/stanza.ts";
import { attr, child, type Element, xml } from "../appliance/wire/xml.ts";
import { freePorts } from "./e2e/prosody.ts";
import { MediaPeer, until } from "./media-peer.ts";
import { peerSources } from "./media-peer-media.ts";
import { armGuard, disarmGuard, useRealTime } from "./real-time.ts";
import { TEST_DOMAINS, TEST_LIMITS } from "./xmpp-dialogue.ts";

useRealTime();
// These read the clock when they are loaded: after the guard is down.
const { silentLogger } = await import("../appliance/log.ts");
const { Metrics } = await import("../appliance/metrics.ts");
const { startXmpp } = await import("../appliance/xmpp/start.ts");
const { startBridge } = await import("../appliance/bridge/start.ts");
const { XmppSession } = await import("../appliance/xmpp-session.ts");

const fixtures = new URL("../appliance/xmpp/fixtures/", import.meta.url).pathname;
const certificate = readFileSync(`${fixtures}meet.test.crt.pem`, "utf8");
const BREWERY = `jvbbrewery@${TEST_DOMAINS.internalMuc}`;
const ROOM = `standup@${TEST_DOMAINS.muc}`;
const PASSWORD = "a long secret";
const account = (user: string, admin: boolean): ServiceAccount => ({
  user,
  domain: TEST_DOMAINS.auth,
  password: PASSWORD,
  admin,
});
const environment = { log: silentLogger, metrics: new Metrics() };
const scratch = mkdtempSync(join(tmpdir(), "parley-focus-"));

let server: RunningPart;
let bridge: RunningPart;
let focusHttp = 0;
let focus: ReturnType<typeof Bun.spawn> | undefined;
const people: Person[] = [];

/** Someone in the room: asks for the conference, joins, answers offers with a peer that has media. */
class Person {
  readonly session: InstanceType<typeof XmppSession>;
  readonly offers: Jingle[] = [];
  peer: MediaPeer | undefined;
  focusGone = 0;
  fault: string | undefined;

  constructor(
    readonly user: string,
    readonly nick: string,
    readonly ssrc: number,
  ) {
    this.session = new XmppSession({
      host: "127.0.0.1",
      port: server.ports["xmpp"] ?? 0,
      stream: {
        domain: TEST_DOMAINS.auth,
        identity: { kind: "user", user, password: PASSWORD, resource: "meets" },
        streamManagement: "off",
        pingTo: TEST_DOMAINS.auth,
      },
      tls: { kind: "insecure" },
      log: silentLogger,
      handlers: { online: () => {}, offline: () => {}, stanza: (stanza) => this.#stanza(stanza) },
    });
    this.session.start();
  }

  async join(): Promise<void> {
    await until(`${this.user} online`, () => this.session.online);
    await this.ask();
    this.session.send(xml("presence", { to: `${ROOM}/${this.nick}` }, xml("x", { xmlns: NS.muc })));
  }

  /** Asks the focus for the conference until it is ready, as clients do. */
  async ask(): Promise<void> {
    for (let tries = 0; tries < 60; tries++) {
      const answer = await this.session.request(
        xml("iq", { type: "set", to: TEST_DOMAINS.focus }, xml("conference", { xmlns: NS.focus, room: ROOM })),
      );
      const conference = answer.kind === "result" ? child(answer.stanza, "conference", NS.focus) : undefined;
      if (conference !== undefined && attr(conference, "ready") === "true") return;
      await Bun.sleep(200);
    }
    throw new Error("no conference");
  }

  #stanza(stanza: Element): void {
    if (stanza.getName() === "presence") {
      if (attr(stanza, "from") === `${ROOM}/focus` && attr(stanza, "type") === "unavailable") {
        this.focusGone++;
        void this.ask();
      }
      return;
    }
    const type = attr(stanza, "type");
    if (stanza.getName() !== "iq" || (type !== "get" && type !== "set")) return;
    const query = child(stanza, "query", NS.discoInfo);
    if (query !== undefined) {
      const features = [
        "urn:xmpp:jingle:apps:rtp:audio",
        "urn:xmpp:jingle:apps:rtp:video",
        "urn:ietf:rfc:4588",
        "http://jitsi.org/tcc",
        "http://jitsi.org/json-encoded-sources",
      ];
      const answer = xml(
        "query",
        { xmlns: NS.discoInfo, node: attr(query, "node") },
        features.map((name) => xml("feature", { var: name })),
      );
      this.session.send(iqResult(stanza, answer));
      return;
    }
    const element = child(stanza, "jingle", NS.jingle);
    const jingle = element === undefined ? undefined : readJingle(element);
    if (jingle === undefined || isJingleFault(jingle)) {
      this.session.send(errorReply(stanza, { condition: "service-unavailable" }));
      return;
    }
    this.session.send(iqResult(stanza));
    if (jingle.action !== "session-initiate") return;
    this.offers.push(jingle);
    this.#answer(jingle).catch((error: unknown) => {
      this.fault = String(error);
    });
  }

  async #answer(offer: Jingle): Promise<void> {
    const transport = offer.contents[0]?.transport;
    if (transport === undefined) throw new Error("an offer without a transport");
    this.peer?.close();
    const peer = await MediaPeer.open({ id: this.nick, ssrc: this.ssrc, channelUrl });
    this.peer = peer;
    const all = peerSources(this.nick, peer.audioSsrc, peer.encodings);
    const own = {
      sources: all.flatMap(({ type, sources }) =>
        sources.sources.map((each) => ({ ...each, msid: `${this.nick}-${type} track` })),
      ),
      groups: all.flatMap(({ sources }) => sources.groups),
    };
    const description = peer.description();
    this.session.send(
      xml(
        "iq",
        { type: "set", id: `accept-${this.offers.length}`, to: `${ROOM}/focus` },
        jingleElement({
          action: "session-accept",
          sid: offer.sid,
          contents: (["audio", "video"] as const).map((media) => ({
            name: media,
            creator: "responder",
            media,
            transport: description,
          })),
          sources: new Map([["", own]]),
        }),
      ),
    );
    await peer.connect(transport);
    peer.startMedia({ audioLevel: 60, video: false });
  }

  heard(other: Person): number {
    return this.peer?.received.get(other.ssrc)?.packets ?? 0;
  }
}

const channelUrl = (url: string): string => url.replace(/^wss?:\/\/[^/]+/, `ws://127.0.0.1:${bridge.ports["colibri"]}`);

function startFocusProcess(): void {
  const file = join(scratch, "focus.toml");
  writeFileSync(
    file,
    `[domains]\ndomain = "meet.test"\n[server]\nhost = "127.0.0.1"\nport = ${server.ports["xmpp"]}\ntls = "insecure"\n[focus]\npassword = "${PASSWORD}"\nhttp_port = ${focusHttp}\n`,
  );
  focus = Bun.spawn(
    [
      process.execPath,
      resolve(import.meta.dir, "../appliance/main.ts"),
      "focus",
      "--config",
      file,
      "--data",
      join(scratch, "focus"),
    ],
    {
      stdin: "ignore",
      stdout: "ignore",
      stderr: "inherit",
    },
  );
}

const bridgeConferences = async (): Promise<{ meeting_id: string; endpoints: Record<string, unknown> }[]> => {
  const answer = await fetch(`http://127.0.0.1:${bridge.ports["bridgeHttp"]}/debug`);
  const { conferences } = (await answer.json()) as {
    conferences: Record<string, { meeting_id: string; endpoints: Record<string, unknown> }>;
  };
  return Object.values(conferences);
};

beforeAll(async () => {
  const loopback = { host: "127.0.0.1", port: 0 };
  server = await startXmpp(
    {
      domains: TEST_DOMAINS,
      c2s: loopback,
      http: loopback,
      tls: { certificateChain: certificate, privateKey: readFileSync(`${fixtures}meet.test.key.pem`, "utf8") },
      accounts: [account("focus", true), account("jvb", false), account("ana", false), account("ben", false)],
      limits: TEST_LIMITS,
      focusAccount: `focus@${TEST_DOMAINS.auth}`,
      externalServices: [],
    },
    environment,
  );
  const login = {
    host: "127.0.0.1",
    port: server.ports["xmpp"] ?? 0,
    domain: TEST_DOMAINS.auth,
    user: "jvb",
    password: PASSWORD,
    tls: { kind: "insecure" } as const,
  };
  bridge = await startBridge(
    {
      login,
      brewery: BREWERY,
      mediaPort: 0,
      mediaAddresses: ["127.0.0.1"],
      lan: false,
      http: loopback,
      colibri: loopback,
      channelHost: "meet.test",
      serverId: "box-1",
      sctp: false,
      loudestSpeakers: 0,
      srtpProvider: "auto",
    },
    environment,
  );
  [focusHttp = 0] = await freePorts(1);
  startFocusProcess();
}, 60_000);

afterAll(async () => {
  disarmGuard();
  for (const person of people) {
    person.peer?.close();
    await person.session.stop(200);
  }
  focus?.kill("SIGKILL");
  await bridge.stop(1_000);
  await server.stop(1_000);
  rmSync(scratch, { recursive: true, force: true });
  armGuard();
});

test("two meet, the focus is killed and started again: sound goes on without it, and both are in a session of the new one, once", async () => {
  const ana = new Person("ana", "aaaaaaaa", 1000);
  const ben = new Person("ben", "bbbbbbbb", 2000);
  people.push(ana, ben);
  await ana.join();
  await ben.join();
  const faults = (): string | undefined => ana.fault ?? ben.fault;
  await until("sound both ways", () => (ana.heard(ben) > 50 && ben.heard(ana) > 50) || faults() !== undefined, 30_000);
  expect(faults()).toBeUndefined();
  const offersBefore = [ana.offers.length, ben.offers.length];
  const sidsBefore = [ana, ben].map(({ offers }) => offers.at(-1)?.sid);

  focus?.kill("SIGKILL");
  await focus?.exited;
  const during = ana.heard(ben);
  await until("sound without a focus", () => ana.heard(ben) > during + 50);

  startFocusProcess();
  await until(
    "new sessions",
    () => ana.offers.length > (offersBefore[0] ?? 0) && ben.offers.length > (offersBefore[1] ?? 0),
    30_000,
  );
  for (const [index, person] of [ana, ben].entries())
    expect(person.offers.at(-1)?.sid).not.toBe(sidsBefore[index] ?? "");
  const [anaPeer, benPeer] = [ana.peer, ben.peer];
  await until(
    "sound both ways again",
    () => ana.heard(ben) > 50 && ben.heard(ana) > 50 && ana.peer === anaPeer && ben.peer === benPeer,
    30_000,
  );
  expect(faults()).toBeUndefined();
  let found: Awaited<ReturnType<typeof bridgeConferences>> = [];
  await until(
    "one conference of two on the bridge",
    () => {
      void bridgeConferences().then((each) => {
        found = each;
      });
      return found.length === 1 && Object.keys(found[0]?.endpoints ?? {}).length === 2;
    },
    30_000,
  );
}, 120_000);

test("the new focus ends the meeting as it should: when the last one leaves, nothing is left on the bridge", async () => {
  for (const person of people)
    person.session.send(xml("presence", { to: `${ROOM}/${person.nick}`, type: "unavailable" }));
  let left = -1;
  await until(
    "an empty bridge",
    () => {
      void bridgeConferences().then((each) => {
        left = each.length;
      });
      return left === 0;
    },
    30_000,
  );
}, 60_000);
