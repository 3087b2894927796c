/**
 * Property: whatever joins, leaves, kicks, moves to breakout rooms, changes of sources, restarts and bridge losses happen, in the end every participant knows exactly
 * the others' sources, the bridges hold exactly the participants and know the others' over their relays, and nothing is left when all have gone. The simulated clients
 * and bridges fail on any contradiction on the way (told twice, told to remove what they do not know, told before they accepted).
 */
import { expect, test } from "bun:test";
import { NO_SOURCES } from "../wire/sources.ts";
import { FEATURE } from "./codecs.ts";
import {
  type SimulatedBridge,
  type SimulatedClient,
  SimulatedWorld,
  STOCK_FEATURES,
  seeded,
  stockSources,
  testConfig,
} from "./simulated-world.ts";
import { stripSimulcast } from "./sources.ts";

const ROOM = "standup@muc.meet.test";
const BREAKOUT = "b1@breakout.meet.test";
const RUNS = 6;
const STEPS = 120;

interface Kind {
  readonly restart?: boolean;
  /** Conferences are spread over bridges that relay to each other. */
  readonly relays?: boolean;
}

function run(seed: number, { restart = false, relays = false }: Kind): void {
  const random = seeded(seed);
  const pick = <T>(list: readonly T[]): T | undefined => list[Math.floor(random() * list.length)];
  const world = new SimulatedWorld(testConfig(relays ? { options: { bridgeStrategy: "split" } } : {}), seed).start([]);
  const shares = new Map<string, ReturnType<typeof stockSources>>();
  let nicks = 0;
  let bridges = 0;
  const addBridge = (): void => {
    const nick = `jvb${++bridges}`;
    world.addBridge(nick, relays ? { relay_id: `r-${nick}` } : {});
  };
  addBridge();
  addBridge();

  const clients = (room?: string): SimulatedClient[] =>
    [...world.clients.values()].filter((each) => room === undefined || each.room === room);
  const step = (): void => {
    const client = pick(clients());
    const choice = random();
    if (client === undefined || (choice < 0.25 && clients().length < 9)) {
      const kind = random();
      const features =
        kind < 0.2
          ? [FEATURE.audio, FEATURE.video, FEATURE.rtx]
          : kind < 0.4
            ? [...STOCK_FEATURES, FEATURE.ssrcRewriting]
            : STOCK_FEATURES;
      const nick = `n${++nicks}`;
      world.join(random() < 0.7 ? ROOM : BREAKOUT, nick, {
        features,
        accepts: random() < 0.3 ? undefined : () => (random() < 0.2 ? NO_SOURCES : stockSources(nick)),
      });
    } else if (choice < 0.36) {
      shares.delete(client.nick);
      world.leave(client, random() < 0.3 ? ["307"] : []);
    } else if (choice < 0.4) {
      // To the breakout room, or back: the same nick, another room.
      shares.delete(client.nick);
      world.leave(client);
      world.join(client.room === ROOM ? BREAKOUT : ROOM, client.nick, {
        features: client.features,
        accepts: client.accepts,
      });
    } else if (choice < 0.5) {
      if (client.sid !== undefined && !client.accepted) world.accept(client, stockSources(client.nick));
    } else if (choice < 0.65) {
      if (!client.accepted) return;
      const share = shares.get(client.nick);
      if (share === undefined) {
        const added = stockSources(client.nick, "v1");
        shares.set(client.nick, added);
        world.jingle(client, { action: "source-add", sources: new Map([["", added]]) });
      } else {
        shares.delete(client.nick);
        world.jingle(client, { action: "source-remove", sources: new Map([["", share]]) });
      }
    } else if (choice < 0.72) {
      if (client.sid === undefined) return;
      shares.delete(client.nick);
      world.restart(client);
    } else if (choice < 0.76) {
      const bridge = pick([...world.bridges.keys()]);
      if (bridge !== undefined) {
        for (const each of clients()) shares.delete(each.nick);
        world.removeBridge(bridge);
      }
    } else if (choice < 0.8) addBridge();
    else if (choice < 0.83) {
      const bad = {
        sources: [{ ssrc: 1 + Math.floor(random() * 100_000), mediaType: "audio" as const, name: "x" }],
        groups: [],
      };
      world.jingle(client, {
        action: pick(["source-add", "source-remove"] as const) ?? "source-add",
        sources: new Map([["", bad]]),
      });
    } else world.advance(Math.floor(random() * 25_000));
  };
  for (let i = 0; i < STEPS; i++) step();

  if (restart) {
    world.restartFocus();
    for (let i = 0; i < STEPS / 4; i++) step();
  }

  // Settle: a bridge is there, everybody accepts, time passes.
  addBridge();
  for (const room of [ROOM, BREAKOUT]) for (const nick of ["last1", "last2"]) world.join(room, `${nick}-${room[0]}`);
  for (let i = 0; i < 3; i++) {
    for (const each of clients())
      if (each.sid !== undefined && !each.accepted) world.accept(each, stockSources(each.nick));
    world.advance(100);
  }
  if (restart) world.advance(11_000); // what an earlier focus left is ended by now
  for (const room of [ROOM, BREAKOUT]) sameView(world, room, clients(room), relays);

  for (const each of clients()) world.leave(each);
  world.advance(60_000);
  expect(world.focus.conferences.size).toBe(0);
  for (const each of world.bridges.values())
    expect([[...each.meetings.keys()], [...each.relays.keys()]]).toEqual([[], []]);
}

/** One room: every client, the bridges and the links between them agree with the focus. */
function sameView(world: SimulatedWorld, room: string, clients: readonly SimulatedClient[], relays: boolean): void {
  const conference = world.focus.conferences.get(room);
  if (conference === undefined) throw new Error("no conference");
  expect([...conference.participants.keys()].sort()).toEqual(clients.map((each) => each.nick).sort());
  for (const each of clients) {
    const expected = new Map<string, number[]>();
    for (const other of clients) {
      const own = other === each ? NO_SOURCES : stripSimulcast(conference.sources.of(other.nick));
      if (own.sources.length > 0) expected.set(other.nick, own.sources.map(({ ssrc }) => ssrc).sort());
    }
    if (each.sid === undefined) continue; // ended its session itself, too often: it knows nothing
    const known = new Map([...each.remote].map(([owner, ssrcs]) => [owner, [...ssrcs].sort()]));
    expect([each.nick, [...known].sort()]).toEqual([each.nick, [...expected].sort()]);
  }
  // Where an earlier focus's meeting was in the way, bridges of one conference know it by different ids.
  const meetings = new Map([...conference.bridges.sessions].map(([{ jid }, session]) => [jid, session.meetingId]));
  const localTo = ({ jid, meetings: all }: SimulatedBridge) => all.get(meetings.get(jid) ?? "") ?? new Set<string>();
  const allocated = [...world.bridges.values()].map((each) => [...localTo(each)]);
  const inSession = clients.filter((each) => each.sid !== undefined).map((each) => each.nick);
  expect(allocated.flat().sort()).toEqual(inSession.sort());
  const used = [...world.bridges.values()].filter((each) => localTo(each).size > 0);
  if (!relays) expect(used.length).toBeLessThanOrEqual(1);
  for (const each of used) {
    const meeting = meetings.get(each.jid) ?? "";
    const links = [...each.relays].filter(([key]) => key.startsWith(`${meeting} `));
    expect(links.map(([key]) => key).sort()).toEqual(
      used
        .filter((other) => other !== each)
        .map((other) => `${meeting} r-${other.nick}`)
        .sort(),
    );
    const far = new Map(links.flatMap(([, endpoints]) => [...endpoints]));
    expect([...far.keys()].sort()).toEqual(inSession.filter((nick) => !localTo(each).has(nick)).sort());
    for (const [nick, ssrcs] of far)
      expect([nick, [...ssrcs].sort()]).toEqual([
        nick,
        conference.sources
          .of(nick)
          .sources.map(({ ssrc }) => ssrc)
          .sort(),
      ]);
  }
}

test.each<[string, Kind]>([
  [`${RUNS} random meetings of ${STEPS} steps converge`, {}],
  [
    `${RUNS} random meetings whose focus dies and comes back converge, and no ghosts stay on the bridges`,
    { restart: true },
  ],
  [`${RUNS / 2} random meetings spread over bridges converge, their relays too`, { relays: true }],
  [
    `${RUNS / 2} random meetings spread over bridges whose focus dies and comes back converge`,
    { relays: true, restart: true },
  ],
])(
  "%s",
  (_, kind) => {
    for (let seed = 1; seed <= (kind.relays === true ? RUNS / 2 : RUNS); seed++) {
      try {
        run(seed, kind);
      } catch (error) {
        throw new Error(`seed ${seed}: ${error instanceof Error ? (error.stack ?? error.message) : error}`);
      }
    }
  },
  120_000,
);
