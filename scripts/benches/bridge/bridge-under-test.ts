/**
 * Shell: our media loop in a process of its own, fed by the bench. Takes its options as JSON in the first argument; prints the port, then answers each line
 * `report` on stdin with the loop's statistics, until stdin closes.
 */
import { type MediaLoopStartOptions, startMediaLoop } from "../../../appliance/bridge/media-loop/start.ts";
import type { ProviderName } from "../options.ts";
import { commandsFor, type Load } from "./participants.ts";

export interface UnderTestOptions {
  readonly load: Load;
  readonly ports: readonly number[];
  readonly provider: ProviderName;
  readonly start: Partial<MediaLoopStartOptions>;
}

const options = JSON.parse(process.argv[2] ?? "{}") as UnderTestOptions;
const loop = startMediaLoop(
  { addresses: ["127.0.0.1"], port: 0, srtpProvider: options.provider, ...options.start },
  (events) => {
    for (const event of events) {
      if (event.type === "fault") {
        process.stderr.write(`${event.message}\n`);
        process.exit(1);
      }
      if (event.type === "statistics") process.stdout.write(`${JSON.stringify({ statistics: event.statistics })}\n`);
    }
  },
);
const ready = await loop.ready;
loop.send(commandsFor(options.load, options.ports));
process.stdout.write(`${JSON.stringify({ port: ready.sockets[0]?.port, providers: ready.providers })}\n`);
for await (const line of console) if (line === "report") loop.send([{ type: "report" }]);
await loop.stop();
process.exit(0);
