/**
 * Shell: the load generator, a process of its own; what it is told and says is in generator.ts.
 */
import { joinBridge } from "./colibri-driver.ts";
import type { GeneratorOptions } from "./generator.ts";
import { joinJanus } from "./janus-driver.ts";
import { audioSsrc, levelOf, masterKey, placeOf, receiversOf, sendsVideo, videoSsrc } from "./participants.ts";
import { checkOneOf, type Leg, openLeg, publish, pump, run, setKeys, setRemote } from "./traffic.ts";

const PUMP_MS = 5;

const options = JSON.parse(process.argv[2] ?? "{}") as GeneratorOptions;
const { load } = options;
const tell = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value)}\n`);

checkOneOf(options.check);
const participants = Array.from({ length: load.rooms * load.people }, (_, participant) => participant);
const publisherOf = (participant: number) => {
  const place = placeOf(participant, load);
  return {
    audioSsrc: audioSsrc(participant),
    videoSsrc: videoSsrc(participant),
    video: sendsVideo(place, load),
    level: levelOf(place, load),
    receivers: receiversOf(place, load),
  };
};

// Between rounds ICE wants its answers, and what still comes is taken.
const idle = setInterval(pump, PUMP_MS);
let legs: Leg[] = [];
switch (options.how) {
  case "keys":
    legs = participants.map((participant) => {
      const leg = openLeg("127.0.0.1");
      publish(leg, publisherOf(participant));
      const [up, down] = [true, false].map((each) => masterKey(participant, each, load.profile));
      if (up !== undefined && down !== undefined) setKeys(leg, load.profile, up, down);
      return leg;
    });
    break;
  case "colibri":
    await joinBridge(options, publisherOf);
    break;
  case "janus":
    await joinJanus(options, publisherOf);
    break;
}
tell({ ports: legs.map(({ port }) => port) });

for await (const line of console) {
  const command = JSON.parse(line) as {
    readonly connect?: number;
    readonly seconds?: number;
    readonly people?: number;
  };
  if (command.connect !== undefined) {
    for (const leg of legs) setRemote(leg, "127.0.0.1", command.connect);
    tell({ connected: true });
  }
  if (command.seconds !== undefined)
    tell(run(command.seconds, command.people ?? Number.POSITIVE_INFINITY, (phase) => tell({ phase })));
}
clearInterval(idle);
process.exit(0);
