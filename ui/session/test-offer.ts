/** Tests only: a session-initiate as a focus writes it (signaling.md 4.1, 4.2), with two people in it already. */
import { isJingleFault, type Jingle, readJingle } from "../../appliance/wire/jingle.ts";
import { parse } from "../../appliance/wire/xml.ts";

const TRANSPORT = (extra: string) =>
  `<transport xmlns="urn:xmpp:jingle:transports:ice-udp:1" ufrag="5kq1s" pwd="0p2v6m8c1y3z7t9w4x5r6q7e"><rtcp-mux/>` +
  `<web-socket xmlns="http://jitsi.org/protocol/colibri" url="wss://box.example/colibri-ws/default-id/6f2a9c10/7c1e22d0?pwd=2mq8"/>` +
  `<fingerprint xmlns="urn:xmpp:jingle:apps:dtls:0" hash="sha-256" setup="actpass">1A:2B:FF</fingerprint>` +
  `<candidate component="1" foundation="1" generation="0" id="c1" network="0" ip="192.168.50.1" port="10000" priority="2130706431" protocol="udp" type="host"/>${extra}</transport>`;

const FB = (type: string, subtype?: string) =>
  `<rtcp-fb xmlns="urn:xmpp:jingle:apps:rtp:rtcp-fb:0" type="${type}"${subtype === undefined ? "" : ` subtype="${subtype}"`}/>`;
const VIDEO_FB = FB("ccm", "fir") + FB("nack") + FB("nack", "pli") + FB("transport-cc");
const EXT = (id: number, uri: string) =>
  `<rtp-hdrext xmlns="urn:xmpp:jingle:apps:rtp:rtp-hdrext:0" id="${id}" uri="${uri}"/>`;

export interface OfferOptions {
  readonly data?: boolean;
  /** Replaces the JSON of sources. */
  readonly sources?: string;
}

export const SOURCES = JSON.stringify({
  sources: {
    jvb: [
      [{ s: 2710051113, n: "jvb-v0", m: "mixedmslabel mixedlabelvideo0" }],
      [],
      [{ s: 1301887419, n: "jvb-a0", m: "mixedmslabel mixedlabelaudio0" }],
    ],
    b04f9a61: [
      [
        { s: 3405691582, n: "b04f9a61-v0", m: "b04f9a61-video-0-1 x-1" },
        { s: 3405691583, n: "b04f9a61-v0", m: "b04f9a61-video-0-1 x-1" },
      ],
      [["f", 3405691582, 3405691583]],
      [{ s: 1122334455, n: "b04f9a61-a0", m: "b04f9a61-audio-0-1 y-1" }],
    ],
  },
});

export function testOffer(options: OfferOptions = {}): Jingle {
  const text =
    `<jingle xmlns="urn:xmpp:jingle:1" action="session-initiate" sid="4u8c2mh1q0" initiator="focus@auth.meet.example/focus">` +
    `<content creator="initiator" name="audio" senders="both"><description xmlns="urn:xmpp:jingle:apps:rtp:1" media="audio" maxptime="60">` +
    `<payload-type id="111" name="opus" clockrate="48000" channels="2"><parameter name="minptime" value="10"/><parameter name="useinbandfec" value="1"/>${FB("transport-cc")}</payload-type>` +
    `<payload-type id="126" name="telephone-event" clockrate="8000"/>${EXT(1, "urn:ietf:params:rtp-hdrext:ssrc-audio-level")}${EXT(10, "urn:ietf:params:rtp-hdrext:sdes:mid")}` +
    `<extmap-allow-mixed xmlns="urn:xmpp:jingle:apps:rtp:rtp-hdrext:0"/><rtcp-mux/></description>${TRANSPORT("")}</content>` +
    `<content creator="initiator" name="video" senders="both"><description xmlns="urn:xmpp:jingle:apps:rtp:1" media="video">` +
    `<payload-type id="41" name="AV1" clockrate="90000">${VIDEO_FB}</payload-type><payload-type id="100" name="VP8" clockrate="90000">${VIDEO_FB}</payload-type>` +
    `<payload-type id="107" name="H264" clockrate="90000"><parameter name="profile-level-id" value="42e01f;level-asymmetry-allowed=1;packetization-mode=1;"/>${VIDEO_FB}</payload-type>` +
    `<payload-type id="42" name="rtx" clockrate="90000"><parameter name="apt" value="41"/></payload-type><payload-type id="96" name="rtx" clockrate="90000"><parameter name="apt" value="100"/></payload-type>` +
    `${EXT(5, "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01")}<rtcp-mux/></description>${TRANSPORT("")}</content>` +
    (options.data === true
      ? `<content creator="initiator" name="data" senders="both"><description xmlns="urn:xmpp:jingle:apps:rtp:1" media="application"><rtcp-mux/></description>${TRANSPORT(
          `<sctpmap xmlns="urn:xmpp:jingle:transports:dtls-sctp:1" number="5000" protocol="webrtc-datachannel" streams="1024"/>`,
        )}</content>`
      : "") +
    `<group xmlns="urn:xmpp:jingle:apps:grouping:0" semantics="BUNDLE"><content name="audio"/><content name="video"/></group>` +
    `<bridge-session xmlns="http://jitsi.org/protocol/focus" id="6f2a9c10" region="lan"/>` +
    `<json-message xmlns="http://jitsi.org/jitmeet">${(options.sources ?? SOURCES).replaceAll("&", "&amp;").replaceAll("<", "&lt;")}</json-message></jingle>`;
  const element = parse(text);
  if (element === undefined) throw new Error("the offer of the tests does not parse");
  const jingle = readJingle(element);
  if (isJingleFault(jingle)) throw new Error(jingle.text);
  return jingle;
}
