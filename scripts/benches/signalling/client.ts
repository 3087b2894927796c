/**
 * Shell: a client as cheap as can be, so that the load costs little beside the server: WebSocket, strings searched instead of parsed. It counts the
 * stanzas that it gets and answers stream management.
 */
import { NS } from "../../../appliance/wire/namespaces.ts";

/** A time stamp inside a stanza, milliseconds of the load's clock. */
const STAMP = /@t(\d+(?:\.\d+)?)@/;
const TIMEOUT_MS = 60_000;
/** An error stanza, a failure of SASL or stream management, an error of the stream. */
const REFUSAL = /^<(?:(?:iq|presence|message)[^>]* type=["']error["']|failure|failed|(?:stream:)?error)/;

interface Waiting {
  readonly wanted: (frame: string) => boolean;
  readonly done: (frame: string) => void;
  readonly fail: (why: string) => void;
}

export class LoadClient {
  jid = "";
  received = 0;
  #waiting: Waiting[] = [];
  #acknowledged = 0;
  #managed = false;
  #ended = "";

  private constructor(
    private readonly socket: WebSocket,
    private readonly seen: (latencyMs: number) => void,
  ) {
    socket.onmessage = (event) => this.#frame(String(event.data));
    socket.onclose = ({ code, reason }) => this.#end(`the server closed the stream (${code} ${reason})`);
  }

  /** Connects and logs in: anonymously, or with a password. `seen` is told how long each stamped stanza was on its way. */
  static async login(
    url: string,
    domain: string,
    account: { readonly user: string; readonly password: string } | undefined,
    seen: (latencyMs: number) => void,
  ): Promise<LoadClient> {
    const socket = new WebSocket(url, ["xmpp"]);
    await new Promise<void>((done, fail) => {
      socket.onopen = () => done();
      socket.onerror = () => fail(new Error(`no WebSocket at ${url}`));
    });
    const client = new LoadClient(socket, seen);
    const open = `<open xmlns="${NS.framing}" to="${domain}" version="1.0"/>`;
    const features = (frame: string): boolean => frame.includes("features");
    await client.#ask(open, features);
    const auth =
      account === undefined
        ? `<auth xmlns="${NS.sasl}" mechanism="ANONYMOUS"/>`
        : `<auth xmlns="${NS.sasl}" mechanism="PLAIN">${btoa(`\0${account.user}\0${account.password}`)}</auth>`;
    await client.#ask(auth, (frame) => frame.startsWith("<success"));
    await client.#ask(open, features);
    const bound = await client.#ask(
      `<iq xmlns="jabber:client" type="set" id="b"><bind xmlns="${NS.bind}"/></iq>`,
      (frame) => frame.includes("<jid>"),
    );
    client.jid = /<jid>(.*?)<\/jid>/.exec(bound)?.[1] ?? "";
    await client.#ask(`<enable xmlns="${NS.sm}" resume="true"/>`, (frame) => frame.startsWith("<enabled"));
    client.#managed = true;
    client.received = 0;
    return client;
  }

  send(stanza: string): void {
    this.socket.send(stanza);
  }

  /** Enters a room as a stock client does (signaling.md 3.1) and waits for the own presence. */
  async join(room: string, nick: string): Promise<void> {
    const own = (frame: string): boolean => frame.includes("110") && frame.includes(`${room}/${nick}`);
    await this.#ask(
      `<presence xmlns="jabber:client" to="${room}/${nick}"><x xmlns="${NS.muc}"/>${CONTENT}<SourceInfo>{"${nick}-a0":{"muted":true},"${nick}-v0":{"muted":true}}</SourceInfo></presence>`,
      own,
    );
  }

  /** A room as it comes: no form is filled in. */
  async accept(room: string): Promise<void> {
    await this.#ask(
      `<iq xmlns="jabber:client" type="set" id="c-${room}" to="${room}"><query xmlns="${NS.mucOwner}"><x xmlns="${NS.dataForms}" type="submit"/></query></iq>`,
      (frame) => frame.startsWith("<iq") && frame.includes(`c-${room}`),
    );
  }

  async leave(room: string, nick: string): Promise<void> {
    await this.#ask(
      `<presence xmlns="jabber:client" type="unavailable" to="${room}/${nick}"/>`,
      (frame) => frame.includes("unavailable") && frame.includes(`${room}/${nick}`),
    );
  }

  /** Presence of somebody inside who mutes, as often as people do. */
  update(room: string, nick: string): void {
    this.send(
      `<presence xmlns="jabber:client" to="${room}/${nick}">${CONTENT}<stats-id>@t${performance.now()}@</stats-id></presence>`,
    );
  }

  say(room: string): void {
    this.send(
      `<message xmlns="jabber:client" type="groupchat" to="${room}"><body>hello @t${performance.now()}@</body></message>`,
    );
  }

  close(): void {
    this.socket.onmessage = null;
    this.socket.onclose = null;
    this.socket.close();
  }

  /** Sends `text`; the first frame that is `wanted` is the answer. Rejects on an error stanza, a failure, or the end of the stream. */
  #ask(text: string, wanted: (frame: string) => boolean): Promise<string> {
    return new Promise((done, refuse) => {
      const fail = (why: string): void => refuse(new Error(`${text.slice(0, 120)}: ${why}`));
      if (this.#ended !== "") return fail(this.#ended);
      const timer = setTimeout(() => fail(`no answer within ${TIMEOUT_MS / 1000} s`), TIMEOUT_MS);
      this.#waiting.push({
        wanted,
        done: (frame) => {
          clearTimeout(timer);
          done(frame);
        },
        fail: (why) => {
          clearTimeout(timer);
          fail(why);
        },
      });
      this.socket.send(text);
    });
  }

  #end(why: string): void {
    this.#ended = why;
    for (const { fail } of this.#waiting.splice(0)) fail(why);
  }

  #frame(frame: string): void {
    if (frame.startsWith("<r ") || frame.startsWith("<r>")) {
      if (this.#managed) this.socket.send(`<a xmlns="${NS.sm}" h="${this.received}"/>`);
      return;
    }
    if (frame.startsWith("<iq") || frame.startsWith("<message") || frame.startsWith("<presence")) this.received++;
    const stamp = STAMP.exec(frame);
    if (stamp !== null) this.seen(performance.now() - Number(stamp[1]));
    // What a client asks for in every fifth stanza (signaling.md 1.6).
    if (this.#managed && this.received - this.#acknowledged >= 50) {
      this.#acknowledged = this.received;
      this.socket.send(`<a xmlns="${NS.sm}" h="${this.received}"/>`);
    }
    const at = this.#waiting.findIndex(({ wanted }) => wanted(frame));
    if (at >= 0) this.#waiting.splice(at, 1)[0]?.done(frame);
    else if (REFUSAL.test(frame)) this.#waiting.shift()?.fail(`refused with ${frame.slice(0, 300)}`);
  }
}

/** What a stock client's presence carries. */
const CONTENT = `<stats-id>Wren-x8Q</stats-id><c xmlns="${NS.caps}" hash="sha-1" node="https://jitsi.org/jitsi-meet" ver="6k0MPqLn0wDm2R0XH3xLwPe4dJs="/><features><feature var="https://jitsi.org/meet/e2ee"/></features><jitsi_participant_region>lan</jitsi_participant_region><jitsi_participant_codecList>av1,vp9,vp8,h264</jitsi_participant_codecList><nick xmlns="${NS.nick}">Somebody</nick>`;
