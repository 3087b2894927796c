/**
 * Tests only: a browser's half of the SCTP data channel: werift's association as client, the channel opened by DCEP (RFC 8832) under the bridge channel's
 * label and protocol (bridge.md 2.2) as soon as the association is up.
 */
import { createRequire } from "node:module";
import type { DataChannelFactory } from "../appliance/bridge/transport/data-channel.ts";

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

const PORT = 5000;
const DCEP = 50;
const TEXT = 51;
const LABEL = Buffer.from("JVB data channel");
const PROTOCOL = Buffer.from("http://jitsi.org/protocols/colibri");
/** Message type OPEN, reliable and ordered, priority 0, reliability 0, both lengths. */
const OPEN = Buffer.concat([
  Buffer.from([0x03, 0x00, 0, 0, 0, 0, 0, 0, 0, LABEL.length, 0, PROTOCOL.length]),
  LABEL,
  PROTOCOL,
]);

export const browserDataChannel: DataChannelFactory = (events) => {
  const association = SCTP.client({ send: async (packet: Uint8Array) => events.sendPacket(packet), close() {} }, PORT);
  association.rto = 0.3;
  association.stateChanged.connected.subscribe(() => void association.send(0, DCEP, OPEN));
  association.onReceive.subscribe((_stream, ppid, data) => {
    if (ppid === DCEP) events.open();
    else events.message(Buffer.from(data).toString());
  });
  void association.start(PORT);
  return {
    handlePacket: (packet) => void association.handleData(Buffer.from(packet)),
    send(text) {
      void association.send(0, TEXT, Buffer.from(text));
      return true;
    },
    close: () => void association.stop(),
  };
};
