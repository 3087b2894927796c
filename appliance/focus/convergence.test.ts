/**
 * Property: whatever joins, leaves, changes, restarts and bridge losses happen, in the end every participant knows exactly the others' sources,
 * the bridge holds exactly the participants, and nothing is left when all have gone. The simulated clients fail on any contradiction on the way
 * (told twice, told to remove what they do not know, told before they accepted).
 */
import { expect, test } from "bun:test";
import { NO_SOURCES } from "../wire/sources.ts";
import { FEATURE } from "./codecs.ts";
import {
  type SimulatedClient,
  SimulatedWorld,
  STOCK_FEATURES,
  seeded,
  stockSources,
  testConfig,
} from "./simulated-world.ts";
import { stripSimulcast } from "./sources.ts";

const ROOM = "standup@muc.meet.test";
const RUNS = 6;
const STEPS = 120;

function run(seed: number, restart: boolean): void {
  const random = seeded(seed);
  const pick = <T>(list: readonly T[]): T | undefined => list[Math.floor(random() * list.length)];
  const world = new SimulatedWorld(testConfig(), seed).start(["jvb1", "jvb2"]);
  const shares = new Map<string, ReturnType<typeof stockSources>>();
  let nicks = 0;
  let bridges = 2;

  const clients = (): SimulatedClient[] => [...world.clients.values()];
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
      world.join(ROOM, nick, {
        features,
        accepts: random() < 0.3 ? undefined : () => (random() < 0.2 ? NO_SOURCES : stockSources(nick)),
      });
    } else if (choice < 0.4) {
      shares.delete(client.nick);
      world.leave(client);
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
    } else if (choice < 0.8) world.addBridge(`jvb${++bridges}`);
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
  world.addBridge(`jvb${++bridges}`);
  world.join(ROOM, "last1");
  world.join(ROOM, "last2");
  for (let i = 0; i < 3; i++) {
    for (const each of clients())
      if (each.sid !== undefined && !each.accepted) world.accept(each, stockSources(each.nick));
    world.advance(100);
  }
  if (restart) world.advance(11_000); // what an earlier focus left is ended by now
  const conference = world.focus.conferences.get(ROOM);
  if (conference === undefined) throw new Error("no conference");
  expect([...conference.participants.keys()].sort()).toEqual(
    clients()
      .map((each) => each.nick)
      .sort(),
  );
  for (const each of clients()) {
    const expected = new Map<string, number[]>();
    for (const other of clients()) {
      const own = other === each ? NO_SOURCES : stripSimulcast(conference.sources.of(other.nick));
      if (own.sources.length > 0) expected.set(other.nick, own.sources.map(({ ssrc }) => ssrc).sort());
    }
    if (each.sid === undefined) continue; // ended its session itself, too often: it knows nothing
    const known = new Map([...each.remote].map(([owner, ssrcs]) => [owner, [...ssrcs].sort()]));
    expect([each.nick, [...known].sort()]).toEqual([each.nick, [...expected].sort()]);
  }
  const allocated = [...world.bridges.values()].flatMap((each) =>
    [...each.meetings.values()].flatMap((ids) => [...ids]),
  );
  const inSession = clients()
    .filter((each) => each.sid !== undefined)
    .map((each) => each.nick);
  expect(allocated.sort()).toEqual(inSession.sort());

  for (const each of clients()) world.leave(each);
  world.advance(60_000);
  expect(world.focus.conferences.size).toBe(0);
  expect([...world.bridges.values()].flatMap((each) => [...each.meetings.keys()])).toEqual([]);
}

test.each([
  [`${RUNS} random meetings of ${STEPS} steps converge`, false],
  [`${RUNS} random meetings whose focus dies and comes back converge, and no ghosts stay on the bridges`, true],
])(
  "%s",
  (_, restart) => {
    for (let seed = 1; seed <= RUNS; seed++) {
      try {
        run(seed, restart);
      } catch (error) {
        throw new Error(`seed ${seed}: ${error instanceof Error ? (error.stack ?? error.message) : error}`);
      }
    }
  },
  60_000,
);
