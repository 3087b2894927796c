/**
 * The recorded bridge channels of calls of three (protocol/transcripts): what the clients said is said again, and each must hear the same, ids aside.
 * Left out: messages whose moment is chance (ConnectionStats), and intermediate values that the original overtook itself.
 */
import { expect, test } from "bun:test";
import { parseChannelPath } from "./channel-path.ts";
import type { BridgeAction } from "./context.ts";
import { TestBridge } from "./test-bridge.ts";

interface Line {
  readonly t: number;
  readonly who?: string;
  readonly dir?: "C>B" | "B>C" | "OPEN" | "CLOSE";
  readonly note?: string;
  readonly msg?: Readonly<Record<string, unknown>>;
}

type Message = Readonly<Record<string, unknown>>;

class Replay {
  readonly bridge: TestBridge;
  readonly ids = new Map<string, string>();
  readonly heard = new Map<string, Message[]>();
  readonly #channels = new Map<number, string>();
  readonly #byWho = new Map<string, number>();
  /** In the order of allocation: whose transport is which. */
  readonly #allocated: string[] = [];
  readonly #overData: boolean;
  readonly #rewriting: boolean;
  #ssrc = 100;

  constructor(lines: readonly Line[], overData: boolean, rewriting: boolean) {
    this.#overData = overData;
    this.#rewriting = rewriting;
    this.bridge = new TestBridge({ sctp: overData }).join();
    for (const { who, msg } of lines) {
      const name = msg?.["sourceName"];
      if (who !== undefined && typeof name === "string" && !this.ids.has(who)) this.ids.set(who, name.slice(0, 8));
    }
  }

  collect(actions: readonly BridgeAction[]): void {
    for (const action of actions) {
      if (action.type !== "channel-text") continue;
      const who = this.#channels.get(action.channel);
      if (who !== undefined) this.heard.get(who)?.push(JSON.parse(action.text) as Message);
    }
    for (const [place, who] of this.#allocated.entries())
      for (const text of this.bridge.transports[place]?.sent.splice(0) ?? [])
        this.heard.get(who)?.push(JSON.parse(text) as Message);
  }

  id(who: string): string {
    return this.ids.get(who) ?? "";
  }

  sources(id: string, screen: boolean): string {
    const source = (ssrc: number, name: string, type: string): string =>
      `<source xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' ssrc='${ssrc}' name='${name}'${type}/>`;
    const video = screen ? ["v0", "v1"] : ["v0"];
    return `<sources><media-source type='audio' id='${id}-a0'>${source(this.#stable(`${id}-a0`), `${id}-a0`, "")}</media-source>${video
      .map((each) => {
        const name = `${id}-${each}`;
        const type = ` videoType='${each === "v0" ? "camera" : "desktop"}'`;
        return `<media-source type='video' id='${name}'>${source(this.#stable(name), name, type)}</media-source>`;
      })
      .join("")}</sources>`;
  }

  readonly #ssrcs = new Map<string, number>();
  #stable(name: string): number {
    const known = this.#ssrcs.get(name) ?? ++this.#ssrc;
    this.#ssrcs.set(name, known);
    return known;
  }

  modify(inner: string, attributes = ""): void {
    this.collect(
      this.bridge.ask(
        `<conference-modify xmlns='jitsi:colibri2' meeting-id='m1'${attributes}>${inner}</conference-modify>`,
      ).actions,
    );
  }

  allocate(who: string, first: boolean): void {
    const id = this.id(who);
    this.heard.set(who, []);
    this.#allocated.push(who);
    const payload = (type: string, number: number, name: string): string =>
      `<media type='${type}'><payload-type xmlns='urn:xmpp:jingle:apps:rtp:1' id='${number}' name='${name}' clockrate='90000'/><payload-type xmlns='urn:xmpp:jingle:apps:rtp:1' id='96' name='rtx' clockrate='90000'><parameter name='apt' value='${number}'/></payload-type></media>`;
    this.modify(
      `<endpoint id='${id}' create='true'><capability name='source-names'/>${this.#rewriting ? "<capability name='ssrc-rewriting'/>" : ""}${payload("audio", 111, "opus")}${payload("video", 100, "VP8")}<transport ice-controlling='true'>${this.#overData ? "<sctp/>" : ""}</transport></endpoint>`,
      first ? " create='true'" : "",
    );
  }

  open(who: string): void {
    if (this.#overData) {
      this.bridge.transports[this.#allocated.indexOf(who)]?.happen({ type: "channel-open" });
      this.collect(this.bridge.take());
      return;
    }
    const [conference] = this.bridge.bridge.conferences;
    const secret = conference?.endpoints.get(this.id(who))?.channelSecret ?? "";
    const path = parseChannelPath(`/colibri-ws/jvb1/${conference?.id ?? ""}/${this.id(who)}`, `pwd=${secret}`);
    if (path === undefined) throw new Error("no path");
    const channel = this.bridge.bridge.context.newChannel();
    this.#channels.set(channel, who);
    this.#byWho.set(who, channel);
    expect(this.bridge.bridge.channelRefusal(path)).toBeUndefined();
    this.bridge.bridge.channelOpened(this.bridge.now, channel, path);
    this.collect(this.bridge.take());
  }

  say(who: string, message: Message): void {
    const text = JSON.stringify(message);
    if (this.#overData) this.bridge.transports[this.#allocated.indexOf(who)]?.happen({ type: "channel-message", text });
    else this.bridge.bridge.channelText(this.bridge.now, this.#byWho.get(who) ?? 0, text);
    this.collect(this.bridge.take());
  }

  /** Lets one endpoint speak until the bridge calls it dominant. */
  speak(id: string): void {
    const [conference] = this.bridge.bridge.conferences;
    for (let turn = 0; turn < 200 && conference?.speech.dominant?.id !== id; turn++) {
      const endpoint = conference?.endpoints.get(id)?.index ?? -1;
      const levels = [{ endpoint, levels: turn === 0 ? [20, 30, 20, 30, 20] : [110, 110, 112, 110, 108] }];
      this.collect(this.bridge.events({ type: "levels", levels }));
      this.collect(this.bridge.advance(100));
    }
    expect(conference?.speech.dominant?.id).toBe(id);
  }
}

/** By class and source: what one participant heard, values overtaken before anybody could act on them left out. */
function normalize(messages: readonly Message[]): Record<string, unknown[]> {
  const result: Record<string, unknown[]> = {};
  for (const { colibriClass, ...rest } of messages) {
    if (colibriClass === "ConnectionStats") continue;
    const key = `${String(colibriClass)} ${String(rest["sourceName"] ?? rest["from"] ?? "")}`;
    const values = result[key] ?? [];
    result[key] = values;
    if (colibriClass === "ForwardedSources") {
      const sources = [...(rest["forwardedSources"] as string[])].sort();
      if (JSON.stringify(values.at(-1)) !== JSON.stringify(sources)) values.push(sources);
    } else if (colibriClass === "VideoSourcesMap" || colibriClass === "AudioSourcesMap") {
      for (const { ssrc, rtx, ...mapped } of rest["mappedSources"] as Record<string, unknown>[]) {
        expect(typeof ssrc).toBe("number");
        expect(typeof rtx).toBe(colibriClass === "VideoSourcesMap" ? "number" : "undefined");
        values.push(mapped);
      }
    } else values.push(rest);
  }
  for (const [key, values] of Object.entries(result))
    if (key.endsWith("SourcesMap ")) values.sort((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b)));
  return result;
}

/** The original answers a mute's end in two steps within a millisecond; the first of both is overtaken. */
function withoutOvertaken(lines: readonly Line[]): Line[] {
  return lines.filter((line, place) => {
    if (line.msg?.["colibriClass"] !== "SenderSourceConstraints") return true;
    return !lines.some(
      (other, at) =>
        at > place &&
        other.who === line.who &&
        other.t - line.t < 0.005 &&
        other.msg?.["colibriClass"] === "SenderSourceConstraints" &&
        other.msg["sourceName"] === line.msg?.["sourceName"],
    );
  });
}

async function read(file: string): Promise<Line[]> {
  const text = await Bun.file(new URL(`./fixtures/${file}`, import.meta.url)).text();
  return withoutOvertaken(
    text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Line),
  );
}

async function replay(file: string, overData: boolean, rewriting = false): Promise<Replay> {
  const lines = await read(file);
  const run = new Replay(lines, overData, rewriting);
  const expected = new Map<string, Message[]>();
  // The focus allocates everybody; accepted sessions bring the sources.
  const joined = new Set<string>();
  const join = (who: string): void => {
    if (joined.has(who)) return;
    if (joined.size === 0)
      for (const [place, each] of ["p0", "p1"].entries()) {
        run.allocate(each, place === 0);
        joined.add(each);
      }
    else if (!joined.has(who)) {
      run.allocate(who, false);
      joined.add(who);
    }
  };
  const accepted = new Set<string>();
  const accept = (who: string): void => {
    if (accepted.has(who)) return;
    accepted.add(who);
    run.modify(`<endpoint id='${run.id(who)}'>${run.sources(run.id(who), false)}</endpoint>`);
  };
  for (const line of lines) {
    run.collect(run.bridge.advance(Math.max(0, 1_000 + line.t * 1_000 - run.bridge.now)));
    const { who, dir, msg } = line;
    for (const conference of run.bridge.bridge.conferences)
      for (const { index } of conference.endpoints.values())
        run.collect(run.bridge.events({ type: "activity", idleMs: [[index, 10]] }));
    if (who === undefined || dir === undefined || msg === undefined) continue;
    if (dir === "OPEN") {
      join(who);
      accept(who);
      run.open(who);
    } else if (dir === "C>B") {
      run.say(who, msg);
      const name = String(msg["sourceName"]);
      if (msg["colibriClass"] === "SourceVideoTypeMessage" && name.endsWith("-v1"))
        run.modify(`<endpoint id='${run.id(who)}'>${run.sources(run.id(who), true)}</endpoint>`);
    } else if (dir === "CLOSE") run.modify(`<endpoint id='${run.id(who)}' expire='true'/>`);
    else {
      if (msg["colibriClass"] === "DominantSpeakerEndpointChangeEvent")
        run.speak(String(msg["dominantSpeakerEndpoint"]));
      if (msg["colibriClass"] === "AudioSourcesMap") {
        const [mapped] = msg["mappedSources"] as { source: string }[];
        const [conference] = run.bridge.bridge.conferences;
        for (const source of conference?.sources() ?? [])
          if (source.name === mapped?.source)
            run.collect(run.bridge.events({ type: "audio-heard", source: source.index }));
      }
      expected.set(who, [...(expected.get(who) ?? []), msg]);
    }
  }
  for (const [who, messages] of expected)
    expect({ who, ...normalize(run.heard.get(who) ?? []) }).toEqual({ who, ...normalize(messages) });
  return run;
}

test("colibri-ws-call-3: over WebSocket", async () => {
  const run = await replay("colibri-ws-call-3.jsonl", false);
  expect(run.heard.get("p0")?.[0]).toEqual({ colibriClass: "ServerHello" });
});

test("datachannel-call-3: over the data channel, without a greeting", async () => {
  const run = await replay("datachannel-call-3.jsonl", true);
  expect(run.heard.get("p0")?.some((message) => message["colibriClass"] === "ServerHello")).toBe(false);
});

test("ssrc-rewriting-colibri-ws: maps of sources", async () => {
  await replay("ssrc-rewriting-colibri-ws.jsonl", false, true);
});
