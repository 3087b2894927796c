/**
 * Tests only: the other end of a real connection to an XMPP server, as text that is waited for.
 */
import { NS } from "../appliance/wire/namespaces.ts";

/** A socket that collects what it is told and waits until it says something. */
export class Wire {
  text = "";
  closed = false;
  #waiting: { readonly until: () => boolean; readonly resolve: () => void }[] = [];
  constructor(readonly send: (text: string) => void) {}
  heard(text: string): void {
    this.text += text;
    this.#check();
  }
  gone(): void {
    this.closed = true;
    this.#check();
  }
  /** Waits for the text (after what was waited for before) and gives everything up to its end. */
  async until(wanted: string | RegExp): Promise<string> {
    const found = (): RegExpExecArray | null =>
      (typeof wanted === "string" ? new RegExp(wanted.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")) : wanted).exec(this.text);
    await this.#when(() => found() !== null || this.closed);
    const match = found();
    if (match === null) throw new Error(`closed before ${wanted}: ${this.text}`);
    const end = match.index + match[0].length;
    const taken = this.text.slice(0, end);
    this.text = this.text.slice(end);
    return taken;
  }
  async end(): Promise<void> {
    await this.#when(() => this.closed);
  }
  #when(until: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ until, resolve });
      this.#check();
    });
  }
  #check(): void {
    for (const each of [...this.#waiting])
      if (each.until()) {
        this.#waiting.splice(this.#waiting.indexOf(each), 1);
        each.resolve();
      }
  }
}

export interface OpenWebSocket {
  readonly wire: Wire;
  readonly socket: WebSocket;
}

export async function openWebSocket(url: string, headers: Record<string, string> = {}): Promise<OpenWebSocket> {
  const socket = new WebSocket(url, { protocols: ["xmpp"], headers } as unknown as string[]); // Bun's own second argument
  const wire = new Wire((text) => socket.send(text));
  socket.onmessage = (event) => wire.heard(String(event.data));
  socket.onclose = () => wire.gone();
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = () => reject(new Error(`no WebSocket at ${url}`));
  });
  return { wire, socket };
}

export async function loginAnonymously(wire: Wire, domain: string): Promise<void> {
  const open = `<open xmlns="${NS.framing}" to="${domain}" version="1.0"/>`;
  wire.send(open);
  await wire.until("</stream:features>");
  wire.send(`<auth xmlns="${NS.sasl}" mechanism="ANONYMOUS"/>`);
  await wire.until("<success");
  wire.send(open);
  await wire.until("</stream:features>");
}

/** Binds; gives the full JID. */
export async function bindResource(wire: Wire): Promise<string> {
  wire.send(`<iq xmlns="jabber:client" type="set" id="bind"><bind xmlns="${NS.bind}"/></iq>`);
  return /<jid>(.*?)<\/jid>/.exec(await wire.until("</iq>"))?.[1] ?? "";
}
