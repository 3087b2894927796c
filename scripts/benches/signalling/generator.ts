/**
 * Shell: the load of the signalling benchmark, a process of its own. Its one argument is a `LoadPlan` as JSON. At the bounds of each phase it writes
 * a line of JSON and waits for a line, while the benchmark looks at the server.
 */
import { LoadClient } from "./client.ts";
import type { LoadPlan, Mark } from "./plan.ts";

const plan = JSON.parse(process.argv[2] ?? "{}") as LoadPlan;
const input = console[Symbol.asyncIterator]();
let latencies: number[] = [];
const seen = (latencyMs: number): void => {
  latencies.push(latencyMs);
};

async function mark(about: Mark): Promise<void> {
  process.stdout.write(`${JSON.stringify(about)}\n`);
  await input.next();
}

/** `work` for each index at a steady pace; resolves when all are done. */
async function paced(count: number, perSecond: number, work: (index: number) => Promise<void> | void): Promise<void> {
  const from = performance.now();
  const running: (Promise<void> | void)[] = [];
  for (let index = 0; index < count; index++) {
    const wait = from + (index * 1000) / perSecond - performance.now();
    if (wait > 0) await Bun.sleep(wait);
    running.push(work(index));
  }
  await Promise.all(running);
}

const nickOf = (index: number): string => (0xa0000000 + index).toString(16);
const roomOf = (name: string): string => `${name}@${plan.muc}`;
const received = (): number => clients.reduce((sum, each) => sum + each.received, 0);

const clients: LoadClient[] = [];
const focus = await LoadClient.login(plan.url, plan.auth, { user: "focus", password: plan.password }, () => undefined);
const open = async (room: string): Promise<void> => {
  await focus.join(room, "focus");
  await focus.accept(room);
};
for (let index = 0; index < plan.rooms; index++) await open(roomOf(`r${index}`));
await mark({ phase: "ready" });

const roomOfClient = (index: number): string => roomOf(`r${index % plan.rooms}`);
const whole: number[] = [];
const entered: number[] = [];
await paced(plan.clients, plan.joinsPerSecond, async (index) => {
  const from = performance.now();
  const client = await LoadClient.login(plan.url, plan.domain, undefined, seen);
  clients[index] = client;
  const before = performance.now();
  await client.join(roomOfClient(index), nickOf(index));
  whole.push(performance.now() - from);
  entered.push(performance.now() - before);
});
await mark({ phase: "joined", latencies: whole, entered, stanzas: received() });

for (const kind of ["presence", "chat"] as const) {
  latencies = [];
  const before = received();
  const count = plan.updatesPerSecond * plan.seconds;
  await paced(count, plan.updatesPerSecond, (index) => {
    const of = (index * 7919) % plan.clients;
    if (kind === "presence") clients[of]?.update(roomOfClient(of), nickOf(of));
    else clients[of]?.say(roomOfClient(of));
  });
  // Everything that was said has reached everybody, or is lost.
  const expected = count * Math.ceil(plan.clients / plan.rooms);
  for (let waited = 0; latencies.length < expected && waited < 5_000; waited += 50) await Bun.sleep(50);
  await mark({ phase: kind, latencies, stanzas: received() - before, sent: count, expected });
}

for (let index = 0; index < plan.clients; index++) await clients[index]?.leave(roomOfClient(index), nickOf(index));
for (let index = 0; index < plan.rooms; index++) await focus.leave(roomOf(`r${index}`), "focus");

for (const size of plan.sizes) {
  const rooms = Math.max(1, Math.floor(Math.min(plan.clients, plan.growthJoins) / size));
  for (let room = 0; room < rooms; room++) await open(roomOf(`g${size}-${room}`));
  await mark({ phase: "growing" });
  const before = received();
  for (let index = 0; index < rooms * size; index++)
    await clients[index]?.join(roomOf(`g${size}-${Math.floor(index / size)}`), nickOf(index));
  await mark({ phase: "grown", size, joins: rooms * size, stanzas: received() - before });
  for (let index = 0; index < rooms * size; index++)
    await clients[index]?.leave(roomOf(`g${size}-${Math.floor(index / size)}`), nickOf(index));
  for (let room = 0; room < rooms; room++) await focus.leave(roomOf(`g${size}-${room}`), "focus");
}
for (const each of [...clients, focus]) each.close();
await mark({ phase: "end" });
process.exit(0);
