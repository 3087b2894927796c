/**
 * Shell: brings the generator's participants into rooms of Janus's videoroom plugin, by its WebSocket API: a connection of each to publish on, and one to
 * receive all others on, which is as few as Janus allows.
 */
import type { GeneratorOptions } from "./generator.ts";
import { PeerTransport } from "./peer-transport.ts";
import { publishOffer, receiveAnswer, remoteTransport } from "./sdp.ts";
import { openLeg, type Publisher, publish } from "./traffic.ts";

type Json = Readonly<Record<string, unknown>>;

const ANSWER_MS = 15_000;
const FIRST_ROOM = 1000;

const text = (value: unknown): string => (typeof value === "string" ? value : "");
const object = (value: unknown): Json => (typeof value === "object" && value !== null ? (value as Json) : {});

/** One WebSocket and one session for all; a transaction each. */
class JanusSession {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<string, (message: Json) => void>();
  readonly #up = new Map<unknown, () => void>();
  #transactions = 0;
  #session: unknown;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.onmessage = ({ data }) => {
      const message = object(JSON.parse(text(data)));
      if (message["janus"] === "webrtcup") this.#up.get(message["sender"])?.();
      // An `ack` says that the answer comes later, as an event of the same transaction.
      if (message["janus"] !== "ack") this.#waiting.get(text(message["transaction"]))?.(message);
    };
  }

  static async open(url: string): Promise<JanusSession> {
    const socket = new WebSocket(url, "janus-protocol");
    await new Promise<void>((resolve, reject) => {
      socket.onopen = () => resolve();
      socket.onerror = () => reject(new Error(`Janus does not answer at ${url}`));
    });
    const session = new JanusSession(socket);
    session.#session = object((await session.request({ janus: "create" }))["data"])["id"];
    return session;
  }

  async request(body: Json): Promise<Json> {
    const transaction = String(++this.#transactions);
    const answer = Promise.withResolvers<Json>();
    this.#waiting.set(transaction, answer.resolve);
    const timer = setTimeout(
      () => answer.reject(new Error(`Janus did not answer ${JSON.stringify(body).slice(0, 200)}`)),
      ANSWER_MS,
    );
    this.#socket.send(
      JSON.stringify({ ...body, transaction, ...(this.#session === undefined ? {} : { session_id: this.#session }) }),
    );
    try {
      const message = await answer.promise;
      const error = message["error"] ?? object(object(message["plugindata"])["data"])["error"];
      if (error !== undefined) throw new Error(`Janus: ${JSON.stringify(error)}`);
      return message;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(transaction);
    }
  }

  async attach(): Promise<unknown> {
    return object((await this.request({ janus: "attach", plugin: "janus.plugin.videoroom" }))["data"])["id"];
  }

  /** Resolves when Janus itself calls the handle's connection up: only then do others find what it publishes. */
  up(handle: unknown): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(() => reject(new Error("Janus did not call a connection up")), ANSWER_MS);
    this.#up.set(handle, () => {
      clearTimeout(timer);
      resolve();
    });
    return promise;
  }

  /** Answers the description that came with the event, if one did. */
  async message(handle: unknown, body: Json, type?: "offer" | "answer", sdp?: string): Promise<string> {
    const jsep = type === undefined ? {} : { jsep: { type, sdp } };
    const event = await this.request({ janus: "message", handle_id: handle, body, ...jsep });
    return text(object(event["jsep"])["sdp"]);
  }
}

/** Resolves when everybody publishes and receives everybody else. */
export async function joinJanus(
  options: GeneratorOptions,
  publisherOf: (participant: number) => Publisher,
): Promise<void> {
  const { load, address = "127.0.0.1" } = options;
  if (load.lastN !== undefined) throw new Error("Janus has no last-N: this load is for the bridge alone");
  const session = await JanusSession.open(options.url ?? "");
  const admin = await session.attach();
  for (let room = 0; room < load.rooms; room++) {
    const number = FIRST_ROOM + room;
    await session.message(admin, {
      ...{ request: "create", room: number, publishers: load.people, bitrate: 0 },
      ...{ audiocodec: "opus", videocodec: "vp8", fir_freq: 0, notify_joining: false },
      // What the traffic carries; nothing that would cost more.
      ...{ audiolevel_ext: true, audiolevel_event: false, transport_wide_cc_ext: true },
      ...{ playoutdelay_ext: false, videoorient_ext: false },
    });
    const members = Array.from({ length: load.people }, (_, place) => room * load.people + place);
    for (const member of members) {
      const publisher = publisherOf(member);
      const handle = await session.attach();
      await session.message(handle, { request: "join", ptype: "publisher", room: number, id: member + 1 });
      const leg = openLeg(address);
      publish(leg, publisher);
      const transport = new PeerTransport(leg, address, load.profile, true);
      const up = session.up(handle);
      const answer = await session.message(
        handle,
        { request: "publish", audio: true, video: publisher.video },
        "offer",
        publishOffer(transport, publisher),
      );
      transport.setRemote(remoteTransport(answer));
      await Promise.all([transport.connected, up]);
    }
    for (const member of members) {
      const handle = await session.attach();
      const streams = members.filter((other) => other !== member).map((other) => ({ feed: other + 1 }));
      const offer = await session.message(handle, { request: "join", ptype: "subscriber", room: number, streams });
      const transport = new PeerTransport(openLeg(address), address, load.profile, false);
      const up = session.up(handle);
      await session.message(handle, { request: "start", room: number }, "answer", receiveAnswer(offer, transport));
      transport.setRemote(remoteTransport(offer));
      await Promise.all([transport.connected, up]);
    }
  }
}
