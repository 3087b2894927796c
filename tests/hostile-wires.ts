/**
 * The four wires of the XMPP server as an attacker meets them, each before login and after it, with somebody well-behaved beside him.
 */
import { expect } from "bun:test";
import { NS } from "../appliance/wire/namespaces.ts";
import { attr, type Element } from "../appliance/wire/xml.ts";
import { BoshPoster } from "./bosh-poster.ts";
import { type DialogueOptions, DialogueServer, type Participant, TEST_DOMAINS } from "./xmpp-dialogue.ts";
import { Net, Stranger } from "./xmpp-servers.ts";

export interface Attacker {
  /** Raw text, as the wire carries it: a piece of the stream, a frame, the inside of a body. */
  say(text: string): void;
  /** Raw bytes; undefined: the wire's shell decodes them. */
  bytes: ((data: Uint8Array) => void) | undefined;
  /** Address that the server knows him by; empty before login. */
  readonly address: string;
  /** The stream error, or the error of the last stanza that was answered with one; undefined: nothing is wrong. */
  verdict(): string | undefined;
  /** The connection has ended; over BOSH, an answer said so. */
  ended(): boolean;
}

export interface HostileWire {
  readonly name: "TCP" | "WebSocket" | "BOSH" | "servers";
  /** Namespace that a stanza carries on this wire. */
  readonly stanzas: string;
  /** A header was exchanged, nobody has logged in. */
  stranger(): Attacker;
  /** Logged in and bound, as a guest; for servers: the domain is proven. */
  member(): Attacker;
  /** Fails unless somebody else is served. */
  bystander(): void;
  /** What a victim at `victim` has been told by whom, since the last call. */
  heardByVictim(): string[];
  readonly victim: string;
}

const PING = `<ping xmlns="${NS.ping}"/>`;

const conditionIn = (elements: readonly Element[]): string | undefined => {
  for (const each of elements.toReversed()) {
    if (each.name === "stream:error") return each.getChildElements()[0]?.name;
    if (each.name === "failure" || each.name === "failed")
      return (each.getChild("error") ?? each).getChildElements()[0]?.name;
    if (attr(each, "type") === "error") return each.getChild("error")?.getChildElements()[0]?.name;
  }
  return undefined;
};

/** A server with somebody served and somebody to be attacked. */
function ground(options: DialogueOptions): Pick<HostileWire, "bystander" | "heardByVictim" | "victim"> & {
  readonly box: DialogueServer;
} {
  const box = new DialogueServer(options);
  const beside = box.guest({}, { remoteAddress: "192.0.2.200" });
  const victim = box.guest({}, { remoteAddress: "192.0.2.201" });
  victim.send("<presence/>");
  victim.all();
  return {
    box,
    victim: victim.jid,
    bystander: () => expect(attr(beside.ask("get", TEST_DOMAINS.domain, PING), "type")).toBe("result"),
    heardByVictim: () => victim.all().map((each) => attr(each, "from") ?? ""),
  };
}

function participant(client: Participant): Attacker {
  const heard: Element[] = [];
  const take = (): readonly Element[] => {
    heard.push(...client.all());
    return heard;
  };
  take();
  heard.length = 0;
  return {
    say: (text) => client.raw(text),
    bytes:
      client.transport === "tcp" ? (bytes) => client.box.feed({ type: "bytes", link: client.link, bytes }) : undefined,
    address: client.jid,
    verdict: () => conditionIn(take()) ?? (client.closed === undefined ? undefined : String(client.closed.code ?? "")),
    ended: () => client.closed !== undefined,
  };
}

function tcp(options: DialogueOptions): HostileWire {
  const common = ground(options);
  const start = (): Participant => {
    const client = common.box.tcp();
    client.startTls(TEST_DOMAINS.domain);
    client.open(TEST_DOMAINS.domain);
    return client;
  };
  return {
    name: "TCP",
    stanzas: NS.client,
    ...common,
    stranger: () => participant(start()),
    member: () => {
      const client = start();
      client.raw(`<auth xmlns="${NS.sasl}" mechanism="ANONYMOUS"/>`);
      client.open();
      client.bind();
      return participant(client);
    },
  };
}

function websocket(options: DialogueOptions): HostileWire {
  const common = ground(options);
  return {
    name: "WebSocket",
    stanzas: NS.client,
    ...common,
    stranger: () => {
      const client = common.box.websocket();
      client.open();
      return participant(client);
    },
    member: () => participant(common.box.guest({}, { management: false })),
  };
}

function bosh(options: DialogueOptions): HostileWire {
  const common = ground(options);
  const attacker = (poster: BoshPoster): Attacker => {
    const told: Element[] = [];
    return {
      say: (text) => {
        poster.post(text);
      },
      bytes: undefined,
      address: poster.jid,
      verdict: () => {
        poster.collect();
        for (const [request, body] of poster.answers) {
          poster.answers.delete(request);
          told.push(body);
        }
        for (const body of told.toReversed()) {
          const inside = body
            .getChildElements()
            .map((each) => (each.getName() === "error" && each.getNS() === NS.stream ? streamError(each) : each));
          const condition = conditionIn(inside) ?? attr(body, "condition");
          if (condition !== undefined) return condition;
        }
        return undefined;
      },
      ended: () => told.some((each) => attr(each, "type") === "terminate"),
    };
  };
  return {
    name: "BOSH",
    stanzas: NS.client,
    ...common,
    stranger: () => {
      const poster = new BoshPoster(common.box);
      poster.open();
      return attacker(poster);
    },
    member: () => {
      const poster = new BoshPoster(common.box);
      poster.login();
      poster.answers.clear();
      return attacker(poster);
    },
  };
}

/** As it is called on the other wires. */
const streamError = (error: Element): Element => {
  error.name = "stream:error";
  return error;
};

function servers(): HostileWire {
  const net = new Net();
  const target = net.add("a.test");
  const beside = target.guest();
  const victim = target.guest();
  const attacker = (stranger: Stranger): Attacker => ({
    say: (text) => stranger.say(text),
    bytes: (bytes) => target.feed({ type: "bytes", link: stranger.link, bytes }),
    address: "x@evil.test/y",
    verdict: () => conditionIn(stranger.elements),
    ended: () => stranger.condition() !== undefined,
  });
  let heard = victim.heard.length;
  let asked = 0;
  return {
    name: "servers",
    stanzas: NS.server,
    victim: victim.jid,
    stranger: () => {
      const stranger = new Stranger(net, target);
      stranger.secure();
      return attacker(stranger);
    },
    member: () => {
      const stranger = new Stranger(net, target);
      stranger.secure(["evil.test"]);
      stranger.say(`<auth xmlns="${NS.sasl}" mechanism="EXTERNAL">=</auth>`);
      stranger.open();
      stranger.elements.length = 0;
      return attacker(stranger);
    },
    bystander: () => {
      beside.say(`<iq xmlns="jabber:client" type="get" id="b${++asked}" to="a.test">${PING}</iq>`);
      expect(beside.heard.at(-1)).toContain(`id="b${asked}"`);
    },
    heardByVictim: () => {
      const fresh = victim.heard.slice(heard);
      heard = victim.heard.length;
      return fresh.map((each) => / from="([^"]*)"/.exec(each)?.[1] ?? "");
    },
  };
}

export const hostileWires = (options: DialogueOptions = {}): readonly (() => HostileWire)[] => [
  () => tcp(options),
  () => websocket(options),
  () => bosh(options),
  servers,
];
