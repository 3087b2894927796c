/**
 * Shell, tests only: a DNS server that knows what it is told (A and SRV), so that a foreign server under test finds ours on a port of the loopback.
 */
import { createSocket } from "node:dgram";

export interface SrvRecord {
  readonly port: number;
  readonly target: string;
}

export interface DnsResponder {
  readonly port: number;
  stop(): void;
}

const name = (text: string): Buffer =>
  Buffer.concat([
    ...text.split(".").map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)])),
    Buffer.from([0]),
  ]);

/** `a`: names that are 127.0.0.1. `srv`: owner name → target. */
export function dnsResponder(a: readonly string[], srv: Readonly<Record<string, SrvRecord>>): Promise<DnsResponder> {
  const socket = createSocket("udp4");
  socket.on("message", (query, from) => {
    let at = 12;
    const labels: string[] = [];
    for (let length = query[at] ?? 0; length > 0 && at < query.length; length = query[at] ?? 0) {
      labels.push(query.toString("latin1", at + 1, at + 1 + length));
      at += 1 + length;
    }
    const end = at + 5;
    const type = query.readUInt16BE(at + 1);
    const owner = labels.join(".").toLowerCase();
    const service = srv[owner];
    const data = type === 1 && a.includes(owner) ? Buffer.from([127, 0, 0, 1]) : undefined;
    const record =
      type === 33 && service !== undefined
        ? Buffer.concat([Buffer.from([0, 0, 0, 0, service.port >> 8, service.port & 255]), name(service.target)])
        : data;
    const head = Buffer.alloc(12);
    query.copy(head, 0, 0, 2);
    const known = a.includes(owner) || service !== undefined || Object.keys(srv).some((each) => each.endsWith(owner));
    head.writeUInt16BE(known ? 0x8580 : 0x8583, 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt16BE(record === undefined ? 0 : 1, 6);
    const answer =
      record === undefined
        ? Buffer.alloc(0)
        : Buffer.concat([
            Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 60, record.length >> 8, record.length & 255]),
            record,
          ]);
    socket.send(Buffer.concat([head, query.subarray(12, end), answer]), from.port, from.address);
  });
  return new Promise((resolve, reject) => {
    socket.once("error", reject);
    socket.bind(0, "127.0.0.1", () => resolve({ port: socket.address().port, stop: () => socket.close() }));
  });
}
