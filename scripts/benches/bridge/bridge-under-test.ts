/**
 * Shell: our media loop in a process of its own, fed by the bench. Takes the load as its first argument and the participants' ports as its second; prints
 * the port, then runs until stdin closes.
 */
import { startMediaLoop } from "../../../appliance/bridge/media-loop/start.ts";
import { commandsFor, type Load } from "./participants.ts";

const WARM_UP_MS = 2500;

const load = JSON.parse(process.argv[2] ?? "{}") as Load;
const ports = JSON.parse(process.argv[3] ?? "[]") as number[];
const segmenting = process.argv[4] !== "plain";
const loop = startMediaLoop({ addresses: ["127.0.0.1"], port: 0, srtpProvider: "auto", segmenting }, (events) => {
  for (const event of events) {
    if (event.type === "fault") {
      process.stderr.write(`${event.message}\n`);
      process.exit(1);
    }
    if (event.type === "statistics") process.stdout.write(`${JSON.stringify({ statistics: event.statistics })}\n`);
  }
});
const ready = await loop.ready;
// A box stands idle before a meeting: the loop uses that to have its code compiled (media-loop/warm-up.ts).
await Bun.sleep(WARM_UP_MS);
loop.send(commandsFor(load, ports));
process.stdout.write(`${JSON.stringify({ port: ready.sockets[0]?.port, providers: ready.providers })}\n`);
for await (const line of console) if (line === "report") loop.send([{ type: "report" }]);
await loop.stop();
process.exit(0);
