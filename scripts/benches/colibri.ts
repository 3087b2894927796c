/**
 * Shell: the whole bridge process at work: real ICE, DTLS and SRTP, driven by colibri2, its whole processor time counted; beside the floor, and beside other
 * servers (`--peers`) at the same load with the same generator.
 */

import type { Pair } from "./bridge/pair.ts";
import { type Load, packetsOutPerSecond, withSpeakers } from "./bridge/participants.ts";
import { loopPair } from "./bridge/subjects.ts";
import {
  besideLibcrypto,
  floorOf,
  gotThrough,
  inTurn,
  into,
  pairLine,
  ratio,
  startFloors,
  warmUpSeconds,
} from "./bridge.ts";
import { buildFloor, FLOOR_NEEDS } from "./floor-program.ts";
import { JANUS_NEEDS, janusPair } from "./janus.ts";
import { worst } from "./noise.ts";
import { type BenchOptions, DEFAULTS, loadName } from "./options.ts";
import type { BenchContext, Headline, Section } from "./section.ts";
import { median, medianBy, showSpread } from "./statistics.ts";
import { wholeBridgePair } from "./whole-bridge.ts";

/** A connection and a handshake each: larger meetings take long to set up. */
const MOST_PEOPLE = 120;
const DEFAULT_LOADS = [
  { rooms: 1, people: 10 },
  { rooms: 3, people: 10 },
] as const;
/** A thread for each connection, as it is installed, or one for all: Janus may choose what suits it. */
const JANUS_EVENT_LOOPS = [0, 1] as const;
const LEAST_SHOWN_MICROS = 0.01;
/** The control side has little to do, so its code is compiled over two minutes; a meeting that goes on is what is measured, and the first minute is said beside it. */
const FIRST_MINUTE_SECONDS = 60;
const SECOND_MINUTE_SECONDS = 60;
/** The budget of design.md 7. */
const MOST_OF_BEST_PEER = 0.45;

const loadsOf = (options: BenchOptions): Load[] =>
  (options.loads === DEFAULTS.loads ? DEFAULT_LOADS : options.loads)
    .map((shape) => withSpeakers({ ...shape, profile: options.profile }))
    .filter(({ rooms, people }) => rooms * people <= MOST_PEOPLE);

const missingFor = (needs: Readonly<Record<string, string>>): string[] =>
  Object.entries(needs).flatMap(([program, debian]) => (Bun.which(program) === null ? [debian] : []));

/** Other servers, each in the ways that it can be run. Says what is not installed. */
async function startPeers(names: readonly string[], load: Load, say: (line: string) => void): Promise<Pair[]> {
  const pairs: Pair[] = [];
  // Janus has no last-N.
  if (!names.includes("janus") || load.lastN !== undefined) return pairs;
  const missing = missingFor(JANUS_NEEDS);
  if (missing.length > 0) {
    say(`  Janus is not measured: apt install ${missing.join(" ")}`);
    return pairs;
  }
  for (const eventLoops of JANUS_EVENT_LOOPS) pairs.push(await janusPair(load, eventLoops));
  return pairs;
}

async function measureLoad(context: BenchContext, program: string, load: Load) {
  const { options, say, progress } = context;
  const pairs: Pair[] = [];
  const add = into(pairs);
  try {
    progress(`${loadName(load)}: starting`);
    const { floors, byLibcrypto } = await startFloors(program, load, add);
    const loop = await add(loopPair(load, { provider: options.provider, name: "media loop alone" }));
    const whole = await add(wholeBridgePair("bridge process", load, { provider: options.provider }));
    progress(`${loadName(load)} ${whole.name}: its first minute`);
    const firstMinute = await whole.warmUp(FIRST_MINUTE_SECONDS);
    progress(`${loadName(load)} ${whole.name}: its second minute`);
    await whole.warmUp(SECOND_MINUTE_SECONDS);
    const peers = await startPeers(options.peers, load, say);
    pairs.push(...peers);
    await inTurn(pairs, load, options, progress);
    say(`${loadName(load)}: ${packetsOutPerSecond(load)} packets/s out, ${load.profile}`);
    for (const pair of pairs) say(pairLine(pair));
    const busiest = Object.entries(
      medianBy(whole.rounds, ({ cpuMicrosPerPacket }) => cpuMicrosPerPacket)?.threads ?? {},
    )
      .filter(([, micros]) => micros >= LEAST_SHOWN_MICROS)
      .toSorted(([, one], [, other]) => other - one)
      .map(([name, micros]) => `${name} ${micros.toFixed(2)}`);
    say(`  threads of the bridge process, µs/packet: ${busiest.join(", ")}`);
    const floor = floorOf(floors) ?? whole;
    if (firstMinute !== undefined)
      say(`  in its first minute, compilers included: ${firstMinute.cpuMicrosPerPacket.toFixed(2)} µs/packet`);
    const toFloor = ratio(whole, floor);
    const peer = floorOf(peers.filter((each) => gotThrough([each])));
    const toPeer = peer === undefined ? undefined : ratio(whole, peer);
    const comparable = gotThrough([...floors, loop, whole]);
    say(
      `  bridge process to the floor ${toFloor.value.toFixed(2)}   round by round ${showSpread(toFloor.rounds)}${besideLibcrypto(whole, byLibcrypto)}${comparable ? "" : "   NOT COMPARABLE: the load did not get through"}`,
    );
    if (peer !== undefined && toPeer !== undefined)
      say(
        `  bridge process to ${peer.name} ${toPeer.value.toFixed(2)}   round by round ${showSpread(toPeer.rounds)}   (at most ${MOST_OF_BEST_PEER})`,
      );
    const cost = (pair: Pair): number => median(pair.rounds.map(({ cpuMicrosPerPacket }) => cpuMicrosPerPacket));
    const middle = medianBy(whole.rounds, ({ cpuMicrosPerPacket }) => cpuMicrosPerPacket);
    return {
      load: loadName(load),
      profile: load.profile,
      packetsOutPerSecond: packetsOutPerSecond(load),
      cpuMicrosPerPacket: cost(whole),
      firstMinuteMicrosPerPacket: firstMinute?.cpuMicrosPerPacket,
      loopMicrosPerPacket: cost(loop),
      floorMicrosPerPacket: cost(floor),
      ratioToFloor: toFloor.value,
      ratioByRound: toFloor.rounds,
      ratioToLibcryptoFloor: ratio(whole, byLibcrypto).value,
      ...(peer === undefined || toPeer === undefined
        ? {}
        : {
            bestPeer: peer.name,
            bestPeerMicrosPerPacket: cost(peer),
            ratioToBestPeer: toPeer.value,
            ratioToBestPeerByRound: toPeer.rounds,
          }),
      comparable,
      delayMs: middle?.delayMs,
      memoryMb: middle?.pssMb,
      threads: middle?.threads,
      worstNoise: worst(pairs.flatMap(({ rounds }) => rounds.map(({ noise }) => noise))),
      runs: Object.fromEntries(pairs.map(({ name, rounds }) => [name, rounds])),
    };
  } finally {
    await Promise.all(pairs.map((pair) => pair.stop()));
  }
}

export const colibriSection: Section = {
  name: "colibri",
  title: "The whole bridge process, by colibri2 with ICE, DTLS and SRTP; --peers beside it",
  needs: FLOOR_NEEDS,
  seconds: (options) => {
    const subjects = 5 + (options.peers.includes("janus") ? JANUS_EVENT_LOOPS.length : 0);
    return loadsOf(options).reduce(
      (sum, load) =>
        sum +
        subjects * (warmUpSeconds(load) + options.runs * (options.seconds + 0.3)) +
        FIRST_MINUTE_SECONDS +
        SECOND_MINUTE_SECONDS +
        8,
      3,
    );
  },
  async measure(context) {
    const floor = buildFloor();
    try {
      const results = [];
      for (const load of loadsOf(context.options)) results.push(await measureLoad(context, floor.program, load));
      const headlines: Record<string, Headline> = {};
      for (const each of results) {
        if (!each.comparable) continue;
        headlines[`cpu.${each.load}`] = { value: each.cpuMicrosPerPacket, unit: "µs/packet", better: "lower" };
        headlines[`ratioToFloor.${each.load}`] = { value: each.ratioToFloor, unit: "x", better: "lower" };
        if (each.ratioToBestPeer !== undefined)
          headlines[`ratioToBestPeer.${each.load}`] = { value: each.ratioToBestPeer, unit: "x", better: "lower" };
      }
      return { loads: results, headlines };
    } finally {
      floor.remove();
    }
  },
};
