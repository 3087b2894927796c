/**
 * Which bridge takes the next participant of a conference. Pure. signaling.md 5.7.
 */
import type { Millis } from "../time.ts";
import type { Bridge, BridgeSettings, Selection } from "./bridges.ts";

export type Strategy =
  /** One bridge a conference. */
  | "single"
  /** Near the participant, wherever the others are. */
  | "region"
  /** Several bridges, all where the conference began. */
  | "intra-region"
  /** As many as there are: for tests of what goes between bridges. */
  | "split";

/** Undefined: none can take him. */
export function selectBridge(
  now: Millis,
  bridges: Iterable<Bridge>,
  settings: BridgeSettings,
  selection: Selection,
): Bridge | undefined {
  const { used } = selection;
  const [first] = used.keys();
  const candidates = [...bridges].filter(
    (bridge) =>
      bridge !== selection.exclude &&
      bridge.operational(now, settings) &&
      (used.has(bridge) || selection.running === true || bridge.admission.takesConferences) &&
      (first === undefined ||
        settings.mixedVersions === true ||
        (bridge.version === first.version && bridge.release === first.release)) &&
      (selection.pinned === undefined || bridge.version === selection.pinned),
  );
  // Several bridges of one conference need relays between them; without, two bridges would be two conferences.
  const split = settings.strategy !== "single" && [...used.keys()].every((each) => each.relayId !== undefined);
  const preferred = prefer(
    candidates.filter((each) => used.size === 0 || used.has(each) || (split && each.relayId !== undefined)),
    (each) => !each.drain || used.has(each),
    (each) => !each.gracefulShutdown,
    (each) => !each.failingIce(now),
  );
  const room = preferred.filter((each) => (used.get(each) ?? 0) < settings.maxParticipants);
  const byStress = [...(room.length > 0 ? room : preferred)].sort(
    (a, b) => a.correctedStress(now) - b.correctedStress(now) || (a.jid < b.jid ? -1 : 1),
  );
  switch (settings.strategy) {
    case "single":
      return inUse(candidates, used) ?? byStress[0];
    case "region":
      return nearest(
        byStress,
        (each) => isIdle(now, each, settings),
        used,
        settings,
        selection.region ?? settings.region,
      );
    case "intra-region":
      // The first participant says where the conference is; the others follow it.
      return nearest(
        byStress,
        (each) => isIdle(now, each, settings),
        used,
        { ...settings, regionGroups: [] },
        first === undefined ? (selection.region ?? settings.region) : first.region,
      );
    case "split":
      return [...byStress].sort((a, b) => (used.get(a) ?? 0) - (used.get(b) ?? 0))[0];
  }
}

const isIdle = (now: Millis, bridge: Bridge, settings: BridgeSettings): boolean =>
  bridge.correctedStress(now) < settings.overload;
const inUse = (list: readonly Bridge[], used: Selection["used"]): Bridge | undefined =>
  list.find((each) => used.has(each));

/** An idle one of the region, of a near region, of the conference, anywhere; if none is idle the least loaded in the same order. In each place what the conference uses already comes first. */
function nearest(
  byStress: readonly Bridge[],
  idle: (bridge: Bridge) => boolean,
  used: Selection["used"],
  settings: BridgeSettings,
  region: string | undefined,
): Bridge | undefined {
  const group = (settings.regionGroups ?? []).find((each) => region !== undefined && each.includes(region)) ?? [];
  for (const list of [byStress.filter(idle), byStress]) {
    const here = list.filter((each) => each.region === region);
    const near = list.filter((each) => each.region !== undefined && group.includes(each.region));
    const found = inUse(here, used) ?? inUse(near, used) ?? here[0] ?? near[0] ?? inUse(list, used);
    if (found !== undefined) return found;
    if (list[0] !== undefined) return list[0];
  }
  return undefined;
}

/** Keeps those that satisfy each wish in turn, as long as anybody does. */
function prefer(bridges: readonly Bridge[], ...wishes: readonly ((bridge: Bridge) => boolean)[]): readonly Bridge[] {
  let left = bridges;
  for (const wish of wishes) {
    const satisfied = left.filter(wish);
    if (satisfied.length > 0) left = satisfied;
  }
  return left;
}
