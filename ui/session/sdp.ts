/**
 * Reading session descriptions (RFC 8866, RFC 8829): only what the browsers' answers carry and we need. Unknown lines are skipped.
 */
import type { DtlsSetup } from "../../appliance/wire/ice-transport.ts";
import type { HeaderExtension, PayloadType } from "../../appliance/wire/rtp-description.ts";

export type Direction = "sendrecv" | "sendonly" | "recvonly" | "inactive";

export interface SdpGroup {
  readonly semantics: string;
  readonly ssrcs: readonly number[];
}

export interface SdpMedia {
  readonly kind: "audio" | "video" | "application";
  readonly mid: string;
  /** Port 0: refused. */
  readonly port: number;
  readonly direction: Direction;
  readonly payloadTypes: readonly PayloadType[];
  readonly headerExtensions: readonly HeaderExtension[];
  readonly extmapAllowMixed: boolean;
  /** In the order of first appearance. */
  readonly ssrcs: readonly number[];
  readonly groups: readonly SdpGroup[];
  /** `a=rid:… send`, in order. */
  readonly rids: readonly string[];
  readonly cname: string | undefined;
  readonly ufrag: string | undefined;
  readonly pwd: string | undefined;
  readonly fingerprint: { readonly hash: string; readonly value: string } | undefined;
  readonly setup: DtlsSetup | undefined;
}

/** Splits into the session part and one block of lines per m-line, each line without its end. */
export function splitSdp(sdp: string): { readonly session: readonly string[]; readonly media: readonly string[][] } {
  const session: string[] = [];
  const media: string[][] = [];
  for (const line of sdp.split(/\r?\n/)) {
    if (line === "") continue;
    if (line.startsWith("m=")) media.push([line]);
    else (media.at(-1) ?? session).push(line);
  }
  return { session, media };
}

export const joinSdp = (session: readonly string[], media: readonly (readonly string[])[]): string =>
  `${[...session, ...media.flat()].join("\r\n")}\r\n`;

/** All media sections of a description; session-level transport attributes count for each that lacks its own. */
export function readSdp(sdp: string): readonly SdpMedia[] {
  const { session, media } = splitSdp(sdp);
  return media.flatMap((lines) => readMedia(lines, session));
}

function readMedia(lines: readonly string[], session: readonly string[]): SdpMedia[] {
  const [kind, port, , ...formats] = (lines[0] ?? "").slice(2).split(" ");
  if (kind !== "audio" && kind !== "video" && kind !== "application") return [];
  const value = (name: string): string | undefined => attribute(lines, name) ?? attribute(session, name);
  const all = (name: string): string[] => attributes(lines, name);
  const ssrcs: number[] = [];
  for (const each of all("ssrc")) {
    const ssrc = Number(each.split(" ")[0]);
    if (Number.isInteger(ssrc) && !ssrcs.includes(ssrc)) ssrcs.push(ssrc);
  }
  const fingerprint = value("fingerprint")?.split(" ");
  const setup = value("setup");
  return [
    {
      kind,
      mid: value("mid") ?? "",
      port: Number(port),
      direction:
        (["sendrecv", "sendonly", "recvonly", "inactive"] as const).find((each) => lines.includes(`a=${each}`)) ??
        "sendrecv",
      payloadTypes: kind === "application" ? [] : formats.flatMap((id) => readPayloadType(lines, Number(id))),
      headerExtensions: all("extmap").flatMap((each) => {
        const [id, uri] = each.split(" ");
        return uri === undefined ? [] : [{ id: Number.parseInt(id ?? "", 10), uri }];
      }),
      extmapAllowMixed: lines.includes("a=extmap-allow-mixed") || session.includes("a=extmap-allow-mixed"),
      ssrcs,
      groups: all("ssrc-group").map((each) => {
        const [semantics, ...members] = each.split(" ");
        return { semantics: semantics ?? "", ssrcs: members.map(Number) };
      }),
      rids: all("rid").flatMap((each) => {
        const [rid, way] = each.split(" ");
        return way === "send" && rid !== undefined ? [rid] : [];
      }),
      cname: all("ssrc").flatMap((each) => /^\d+ cname:(.*)$/.exec(each)?.[1] ?? [])[0],
      ufrag: value("ice-ufrag"),
      pwd: value("ice-pwd"),
      fingerprint:
        fingerprint?.[0] === undefined || fingerprint[1] === undefined
          ? undefined
          : { hash: fingerprint[0].toLowerCase(), value: fingerprint[1].toUpperCase() },
      setup: setup === "active" || setup === "passive" || setup === "actpass" ? setup : undefined,
    },
  ];
}

function readPayloadType(lines: readonly string[], id: number): PayloadType[] {
  const rtpmap = attributes(lines, "rtpmap").find((each) => each.startsWith(`${id} `));
  const [name, clockrate, channels] = rtpmap?.slice(rtpmap.indexOf(" ") + 1).split("/") ?? [];
  if (name === undefined) return [];
  const fmtp = attributes(lines, "fmtp").find((each) => each.startsWith(`${id} `));
  return [
    {
      id,
      name,
      clockrate: Number(clockrate),
      ...(channels !== undefined ? { channels: Number(channels) } : {}),
      parameters:
        fmtp === undefined
          ? []
          : fmtp
              .slice(fmtp.indexOf(" ") + 1)
              .split(";")
              .map((each) => each.trim())
              .filter((each) => each !== "")
              .map((each) => {
                const equals = each.indexOf("=");
                return equals === -1
                  ? { name: "", value: each }
                  : { name: each.slice(0, equals), value: each.slice(equals + 1) };
              }),
      feedback: attributes(lines, "rtcp-fb").flatMap((each) => {
        const [target, type, subtype] = each.split(" ");
        if ((target !== String(id) && target !== "*") || type === undefined) return [];
        return [{ type, ...(subtype !== undefined ? { subtype } : {}) }];
      }),
    },
  ];
}

const attribute = (lines: readonly string[], name: string): string | undefined => attributes(lines, name)[0];

const attributes = (lines: readonly string[], name: string): string[] => {
  const prefix = `a=${name}:`;
  return lines.flatMap((line) => (line.startsWith(prefix) ? [line.slice(prefix.length)] : []));
};
