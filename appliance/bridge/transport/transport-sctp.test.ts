/**
 * The whole stack of one endpoint: SCTP (werift's on both sides) over DTLS over ICE, on a simulated network that is stepped in real time, because SCTP
 * has timers of its own.
 */
import { expect, test } from "bun:test";
import { createRequire } from "node:module";
import { useRealTime } from "../../../tests/real-time.ts";
import { SimulatedNetwork } from "../../simulated-network.ts";
import { type DataChannelFactory, sctpDataChannel } from "./data-channel.ts";
import { candidateOf, link, Peer } from "./transport-pair.ts";

useRealTime();

interface Association {
  readonly onReceive: { subscribe(callback: (stream: number, ppid: number, data: Uint8Array) => void): void };
  readonly stateChanged: { readonly connected: { subscribe(callback: () => void): void } };
  rto: number;
  start(port: number): Promise<void>;
  stop(): Promise<void>;
  handleData(packet: Uint8Array): Promise<void>;
  send(stream: number, ppid: number, data: Uint8Array): Promise<void>;
}

const { SCTP } = createRequire(import.meta.url)(
  Bun.fileURLToPath(new URL("./sctp/src/sctp.js", import.meta.resolve("werift"))),
) as { readonly SCTP: { client(transport: object, port: number): Association } };

const OPEN = Buffer.concat([Buffer.from([3, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0]), Buffer.from("jvb")]);

/** A browser's half: opens a channel on stream 0 as soon as the association is up. */
const browserChannel: DataChannelFactory = (events) => {
  const association = SCTP.client(
    {
      send: async (packet: Uint8Array) => events.sendPacket(packet),
      close: () => {},
    },
    5000,
  );
  association.rto = 0.3;
  association.stateChanged.connected.subscribe(() => void association.send(0, 50, OPEN));
  association.onReceive.subscribe((_stream, ppid, data) => {
    if (ppid === 50) events.open();
    else events.message(Buffer.from(data).toString());
  });
  void association.start(5000);
  return {
    handlePacket: (packet) => void association.handleData(Buffer.from(packet)),
    send: (text) => {
      void association.send(0, 51, Buffer.from(text));
      return true;
    },
    close: () => void association.stop(),
  };
};

test("a channel opens over SCTP, DTLS and ICE, and texts pass both ways, 5 % of datagrams lost", async () => {
  const network = new SimulatedNetwork({ seed: 31, delayMs: 2, jitterMs: 2, loss: 0.05 });
  const bridge = new Peer(network, { address: "10.0.0.1", seed: 41, options: { dataChannel: sctpDataChannel } });
  const client = new Peer(network, {
    address: "10.0.0.2",
    seed: 42,
    options: { controlling: false, dataChannel: browserChannel },
  });
  link(network, bridge, client);
  bridge.setRemote(client.signalled("active"));
  client.setRemote({ ...bridge.signalled("passive"), candidates: [candidateOf(bridge.path)] });

  const until = async (done: () => boolean): Promise<void> => {
    while (!done()) {
      network.run(() => false, 3);
      await new Promise<void>((resolve) => setTimeout(resolve, 1));
    }
  };
  await until(() => bridge.find("channel-open") !== undefined && client.find("channel-open") !== undefined);
  expect(bridge.transport.sendMessage('{"colibriClass":"EndpointMessage"}')).toBe(true);
  bridge.drain();
  for (let n = 0; n < 20; n++) client.transport.sendMessage(`${n}`);
  client.drain();
  const texts = (peer: Peer): string[] =>
    peer.actions.flatMap((action) => (action.type === "channel-message" ? [action.text] : []));
  await until(() => texts(bridge).length === 20 && texts(client).length === 1);
  expect(texts(bridge)).toEqual(Array.from({ length: 20 }, (_, n) => `${n}`));
  expect(texts(client)).toEqual(['{"colibriClass":"EndpointMessage"}']);
  bridge.transport.close();
  bridge.drain();
  client.transport.close();
  expect(bridge.actions.at(-1)).toEqual({ type: "closed" });
}, 20_000);
