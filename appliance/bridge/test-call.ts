/**
 * Tests only: a conference on a bridge without sockets.
 */
import { type ChannelPath, parseChannelPath } from "./channel-path.ts";
import { TestBridge } from "./test-bridge.ts";

const SSMA = "xmlns='urn:xmpp:jingle:apps:rtp:ssma:0'";
const RTP = "xmlns='urn:xmpp:jingle:apps:rtp:1'";
export const MEDIA = `<media type='audio'><payload-type ${RTP} id='111' name='opus' clockrate='48000'/></media><media type='video'><payload-type ${RTP} id='100' name='VP8' clockrate='90000'/><payload-type ${RTP} id='96' name='rtx' clockrate='90000'><parameter name='apt' value='100'/></payload-type></media>`;
export const modify = (inner: string, attributes = ""): string =>
  `<conference-modify xmlns='jitsi:colibri2' meeting-id='m1'${attributes}>${inner}</conference-modify>`;
export const sources = (id: string, base: number): string =>
  `<sources><media-source type='audio' id='${id}-a0'><source ${SSMA} ssrc='${base}' name='${id}-a0'/></media-source><media-source type='video' id='${id}-v0'><source ${SSMA} ssrc='${base + 1}' name='${id}-v0'/><source ${SSMA} ssrc='${base + 2}' name='${id}-v0'/><ssrc-group ${SSMA} semantics='FID'><source ssrc='${base + 1}'/><source ssrc='${base + 2}'/></ssrc-group></media-source></sources>`;

/** A conference with endpoints that have sources and open channels, numbered from 1. */
export class Call extends TestBridge {
  readonly channels = new Map<string, number>();

  constructor(...ids: readonly string[]) {
    super();
    this.join();
    for (const id of ids) this.enter(id);
    this.take();
  }

  enter(id: string, extra = ""): void {
    const first = [...this.bridge.conferences].length === 0;
    this.ask(
      modify(
        `<endpoint id='${id}' create='true'${extra}><capability name='source-names'/>${MEDIA}<transport/></endpoint>`,
        first ? " create='true'" : "",
      ),
    );
    if (!extra.includes("visitor"))
      this.ask(modify(`<endpoint id='${id}'>${sources(id, 100 * (this.channels.size + 1))}</endpoint>`));
    this.open(id);
  }

  open(id: string): number {
    const channel = this.bridge.context.newChannel();
    this.channels.set(id, channel);
    this.bridge.channelOpened(this.now, channel, this.path(id));
    return channel;
  }

  path(id: string): ChannelPath {
    const [conference] = this.bridge.conferences;
    const secret = conference?.endpoints.get(id)?.channelSecret ?? "";
    const path = parseChannelPath(`/colibri-ws/jvb1/${conference?.id ?? ""}/${id}`, `pwd=${secret}`);
    if (path === undefined) throw new Error("no channel path");
    return path;
  }

  say(id: string, message: object | string): ReturnType<TestBridge["take"]> {
    const text = typeof message === "string" ? message : JSON.stringify(message);
    this.bridge.channelText(this.now, this.channels.get(id) ?? 0, text);
    return this.take();
  }

  channel(id: string): number {
    return this.channels.get(id) ?? 0;
  }

  index(id: string): number {
    const [conference] = this.bridge.conferences;
    return conference?.endpoints.get(id)?.index ?? -1;
  }

  alive(...ids: readonly string[]): void {
    this.events({ type: "activity", idleMs: ids.map((id) => [this.index(id), 0] as const) });
  }
}
