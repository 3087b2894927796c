/**
 * Shell: `window.parley`, a read-only summary for support and tests: who is there, what arrives, how the connections are. Nothing secret is in
 * it: no passwords, tokens, addresses or keys.
 */
import type { Performer } from "./effects.ts";

export interface SourceSummary {
  readonly name: string;
  readonly owner: string;
  readonly kind: "audio" | "video";
  readonly videoType: "camera" | "desktop";
  readonly frameWidth: number;
  readonly frameHeight: number;
  readonly framesDecoded: number;
  readonly totalAudioEnergy: number;
  readonly audioLevel: number;
  readonly packetsReceived: number;
  readonly packetsLost: number;
  readonly bytesReceived: number;
  readonly keyFramesDecoded: number;
  readonly freezeCount: number;
}

export interface SentSummary {
  readonly kind: string;
  readonly rid: string;
  readonly active: boolean;
  readonly frameHeight: number;
  readonly framesEncoded: number;
  readonly bytesSent: number;
  readonly packetsSent: number;
  readonly nackCount: number;
}

export interface Summary {
  readonly page: string;
  readonly room: string;
  readonly endpoint: string;
  readonly role: string;
  readonly name: string;
  readonly microphoneOn: boolean;
  readonly cameraOn: boolean;
  readonly sharing: boolean;
  readonly handRaised: boolean;
  readonly participants: readonly {
    readonly endpoint: string;
    readonly name: string;
    readonly role: string;
    readonly microphoneMuted: boolean;
    readonly cameraMuted: boolean;
    readonly handRaised: boolean;
    readonly lost: boolean;
  }[];
  readonly sources: readonly SourceSummary[];
  readonly sent: readonly SentSummary[];
  readonly chat: readonly {
    readonly from: string;
    readonly name: string;
    readonly text: string;
    readonly mine: boolean;
    readonly private: boolean;
  }[];
  readonly dominantSpeaker: string | undefined;
  readonly connections: {
    readonly stream: string;
    readonly transport: string;
    readonly media: string;
    readonly channel: boolean;
    readonly network: string;
    /** What was last asked of the focus for lost media: `nothing`, `ice-restart`, `restart`. */
    readonly asked: string;
  };
  readonly joining: string;
  readonly fault: string | undefined;
  readonly end: string;
  readonly knockers: readonly string[];
  readonly roundTripMs: number | undefined;
}

export interface ParleyHook {
  readonly summary: () => Promise<Summary>;
  /** The browser's statistics of streams, transport and candidates, addresses left out. */
  readonly statistics: () => Promise<readonly Stat[]>;
  /** Drops the signalling socket as a network would. */
  readonly dropStream: () => void;
}

export function exposeForSupport(performer: Performer): void {
  const hook: ParleyHook = {
    summary: () => summarize(performer),
    statistics: () => statistics(performer),
    dropStream: () => performer.conference?.connection.drop(),
  };
  Object.defineProperty(globalThis, "parley", { value: Object.freeze(hook), writable: false });
}

type Stat = Readonly<Record<string, unknown>>;
const num = (value: unknown): number => (typeof value === "number" ? value : 0);

const SHOWN = new Set(["inbound-rtp", "outbound-rtp", "remote-inbound-rtp", "transport", "candidate-pair"]);
const ADDRESSED = new Set(["address", "ip", "relatedAddress", "url", "usernameFragment", "localCertificateId"]);

async function statistics({ conference }: Performer): Promise<readonly Stat[]> {
  const report = await conference?.media.session?.peer.stats();
  const shown: Stat[] = [];
  report?.forEach((each: Stat) => {
    if (SHOWN.has(String(each["type"])))
      shown.push(Object.fromEntries(Object.entries(each).filter(([key]) => !ADDRESSED.has(key))));
  });
  return shown;
}

async function summarize({ store, conference }: Performer): Promise<Summary> {
  const state = store.peek();
  const session = conference?.media.session;
  const reports: Stat[] = [];
  const report = await session?.peer.stats().catch(() => undefined);
  report?.forEach((each: Stat) => {
    reports.push(each);
  });
  const sources = (session?.sources ?? []).map((source): SourceSummary => {
    const stat = reports.find((each) => each["type"] === "inbound-rtp" && source.ssrcs[0] === each["ssrc"]);
    const { name, owner, kind, videoType } = source;
    return {
      name,
      owner,
      kind,
      videoType,
      frameWidth: num(stat?.["frameWidth"]),
      frameHeight: num(stat?.["frameHeight"]),
      framesDecoded: num(stat?.["framesDecoded"]),
      totalAudioEnergy: num(stat?.["totalAudioEnergy"]),
      audioLevel: num(stat?.["audioLevel"]),
      packetsReceived: num(stat?.["packetsReceived"]),
      packetsLost: num(stat?.["packetsLost"]),
      bytesReceived: num(stat?.["bytesReceived"]),
      keyFramesDecoded: num(stat?.["keyFramesDecoded"]),
      freezeCount: num(stat?.["freezeCount"]),
    };
  });
  const pair = reports.find((each) => each["type"] === "candidate-pair" && each["nominated"] === true);
  const roundTrip = pair?.["currentRoundTripTime"];
  return {
    page: state.page,
    room: state.room.id,
    endpoint: state.self.endpoint,
    role: state.self.role,
    name: state.preferences.name,
    microphoneOn: state.local.microphoneOn,
    cameraOn: state.local.cameraOn,
    sharing: state.local.sharing,
    handRaised: state.handAt !== undefined,
    participants: [...state.people.values()].map((person) => ({
      endpoint: person.endpoint,
      name: person.name,
      role: person.role,
      microphoneMuted: person.microphoneMuted,
      cameraMuted: person.cameraMuted,
      handRaised: person.handAt !== undefined,
      lost: person.lost,
    })),
    sources,
    sent: reports
      .filter((each) => each["type"] === "outbound-rtp")
      .map((each) => ({
        kind: String(each["kind"]),
        rid: String(each["rid"] ?? ""),
        active: each["active"] !== false,
        frameHeight: num(each["frameHeight"]),
        framesEncoded: num(each["framesEncoded"]),
        bytesSent: num(each["bytesSent"]),
        packetsSent: num(each["packetsSent"]),
        nackCount: num(each["nackCount"]),
      })),
    chat: state.chat
      .filter((line) => line.kind === "message")
      .map((line) => ({
        from: line.from,
        name: line.name,
        text: line.body,
        mine: line.mine,
        private: line.privateWith !== undefined,
      })),
    dominantSpeaker: state.speaker,
    connections: {
      stream: conference === undefined ? "none" : conference.connection.established ? "connected" : "lost",
      transport: conference?.connection.transport ?? "",
      media: session?.peer.state ?? "none",
      channel: conference?.media.channelOpen ?? false,
      network: state.network,
      asked: conference?.media.asked ?? "nothing",
    },
    joining: state.joining,
    fault:
      state.fault === undefined
        ? undefined
        : state.fault.kind === "refused"
          ? state.fault.refusal.kind
          : state.fault.kind,
    end: state.end.kind,
    knockers: state.knockers.map((each) => each.name),
    roundTripMs: typeof roundTrip === "number" ? roundTrip * 1000 : undefined,
  };
}
