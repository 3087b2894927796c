/**
 * Shell: the UDP sockets on which exports receive what the media loop sends them (export.ts). Their packets never leave the machine, and are sealed all the same.
 */

export interface TapEvents {
  opened(tap: number, address: string, port: number): void;
  datagram(tap: number, bytes: Uint8Array): void;
  dropped(reason: string): void;
}

export class Taps {
  readonly #events: TapEvents;
  readonly #sockets = new Map<number, Bun.udp.Socket<"uint8array">>();
  /** Asked to close before they were open. */
  readonly #unwanted = new Set<number>();

  constructor(events: TapEvents) {
    this.#events = events;
  }

  open(tap: number, address: string): void {
    this.#unwanted.delete(tap);
    Bun.udpSocket({
      hostname: address,
      port: 0,
      binaryType: "uint8array",
      socket: {
        data: (_socket, bytes) => this.#events.datagram(tap, bytes),
        // Without a handler an ICMP answer would end the process (facts/transport.md 4).
        error: () => this.#events.dropped("tap-error"),
      },
    }).then(
      (socket) => {
        if (this.#unwanted.delete(tap)) {
          socket.close();
          return;
        }
        this.#sockets.get(tap)?.close();
        this.#sockets.set(tap, socket);
        this.#events.opened(tap, address, socket.port);
      },
      () => this.#events.dropped("tap-open-failed"),
    );
  }

  close(tap: number): void {
    const socket = this.#sockets.get(tap);
    if (socket === undefined) this.#unwanted.add(tap);
    else socket.close();
    this.#sockets.delete(tap);
  }

  stop(): void {
    for (const socket of this.#sockets.values()) socket.close();
    this.#sockets.clear();
  }
}
