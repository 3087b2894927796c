/**
 * Shell: the JSON channel to the bridge, over the SCTP data channel where the offer has one, else over a WebSocket (signaling.md 4.11,
 * bridge.md 2). A socket that closes is opened again after 1, 2, 4 … 60 s; what must hold after that is sent again by the owner on `open`.
 */
import {
  type BridgeMessage,
  type ClientMessage,
  decodeBridgeMessage,
  encodeChannelMessage,
} from "../../appliance/wire/channel-messages.ts";

export interface BridgeChannelEvents {
  readonly open: () => void;
  readonly closed: () => void;
  readonly message: (message: BridgeMessage | ClientMessage) => void;
}

const QUEUE_LIMIT = 50;
/** `WebSocket.OPEN`, by number: where a browser takes WebSockets away, its constants are gone too. */
const OPEN = 1;
const MAX_WAIT_MS = 60_000;

export class BridgeChannel {
  readonly #events: BridgeChannelEvents;
  #socket: WebSocket | undefined;
  #data: RTCDataChannel | undefined;
  #urls: readonly string[] = [];
  #failures = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;
  #queue: string[] = [];

  constructor(events: BridgeChannelEvents) {
    this.#events = events;
  }

  useDataChannel(channel: RTCDataChannel): void {
    this.#data = channel;
    channel.addEventListener("open", () => this.#opened());
    channel.addEventListener("message", (event) => this.#received(event.data));
    channel.addEventListener("close", () => {
      if (!this.#closed) this.#events.closed();
    });
  }

  useWebSocket(urls: readonly string[]): void {
    this.#urls = urls;
    this.#connect();
  }

  get isOpen(): boolean {
    return (this.#socket !== undefined && this.#socket.readyState === OPEN) || this.#data?.readyState === "open";
  }

  #connect(): void {
    const url = this.#urls[this.#failures % Math.max(1, this.#urls.length)];
    if (this.#closed || url === undefined) return;
    let socket: WebSocket;
    try {
      socket = new WebSocket(url);
    } catch (error) {
      console.warn("bridge channel address refused", error);
      return;
    }
    this.#socket = socket;
    let open = false;
    socket.addEventListener("open", () => {
      open = true;
      this.#failures = 0;
      this.#opened();
    });
    socket.addEventListener("message", (event) => this.#received(event.data));
    socket.addEventListener("close", () => {
      if (this.#closed || this.#socket !== socket) return;
      this.#socket = undefined;
      if (open) this.#events.closed();
      const wait = Math.min(1000 * 2 ** this.#failures, MAX_WAIT_MS);
      this.#failures += 1;
      this.#timer = setTimeout(() => this.#connect(), wait);
    });
  }

  #opened(): void {
    if (this.#closed) return;
    this.#events.open();
    const waiting = this.#queue;
    this.#queue = [];
    for (const text of waiting) this.#transmit(text);
  }

  #received(data: unknown): void {
    if (this.#closed || typeof data !== "string") return;
    const message = decodeBridgeMessage(data);
    if (message !== undefined) this.#events.message(message);
  }

  /** Sends now, or once the channel is open; the oldest of 50 waiting gives way. */
  send(message: ClientMessage): void {
    const text = encodeChannelMessage(message);
    if (this.isOpen) this.#transmit(text);
    else {
      if (this.#queue.length >= QUEUE_LIMIT) this.#queue.shift();
      this.#queue.push(text);
    }
  }

  #transmit(text: string): void {
    try {
      if (this.#socket !== undefined && this.#socket.readyState === OPEN) this.#socket.send(text);
      else if (this.#data?.readyState === "open") this.#data.send(text);
    } catch (error) {
      console.warn("bridge channel", error); // its buffer is full or it closed this moment
    }
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket?.close(1000);
    this.#data?.close();
  }
}

/**
 * Where the channel is really reached: through the host that served this page, whose gateway relays by server id; an address of another shape as
 * it is. Hosts to be ignored come last.
 */
export function channelUrls(
  advertised: readonly string[],
  page: { readonly protocol: string; readonly host: string },
  ignored: string | undefined,
): readonly string[] {
  const parsed = advertised.flatMap((each) => (URL.canParse(each) ? [new URL(each)] : []));
  const wanted = [
    ...parsed.filter((each) => each.hostname !== ignored),
    ...parsed.filter((each) => each.hostname === ignored),
  ];
  const local = wanted
    .filter((each) => each.pathname.startsWith("/colibri-ws/"))
    .map((each) => `${page.protocol === "https:" ? "wss:" : "ws:"}//${page.host}${each.pathname}${each.search}`);
  if (local.length > 0) return [...new Set(local)];
  const secure = page.protocol === "https:";
  const foreign = wanted.filter((each) => each.protocol === "wss:" || !secure).map((each) => each.href);
  return [...new Set(foreign)];
}
