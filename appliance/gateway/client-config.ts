/**
 * `/config.js`: what browsers and apps of the Jitsi family read before they connect (gateway-recorder-appliance.md 2.2-2.5). Pure.
 * Addresses follow the name that the page was asked by, so the same box answers under all its names. Apps run the text in a bare sandbox: no `window`, no functions.
 */
import type { GatewayConfig } from "../config.ts";

export interface ClientConfigRequest {
  /** As in the Host header, with its port. */
  readonly host: string;
  readonly secure: boolean;
  /** `` or `team/`. */
  readonly tenant: string;
  readonly userAgent: string;
  /** The certificate is the box's own: nobody outside knows its root. */
  readonly privateRoot: boolean;
}

export const clientConfig = (
  config: GatewayConfig,
  request: ClientConfigRequest,
): Readonly<Record<string, unknown>> => {
  const { domains, clients } = config;
  const web = `${request.secure ? "https" : "http"}://${request.host}/${request.tenant}`;
  // Tenants have rooms of their own: the service's first label is followed by the tenant (2.2).
  const [label = "", ...rest] = domains.muc.split(".");
  const tenant = request.tenant.replace("/", "").replaceAll(".", "_").toLowerCase();
  const muc = tenant === "" ? domains.muc : [label, tenant, ...rest].join(".");
  // COMPAT Safari on iOS shows pages under an unknown root but refuses their WebSockets (2.8): long polling works.
  const apple = /\b(iPhone|iPad|iPod)\b/.test(request.userAgent) && request.privateRoot;
  return {
    hosts: {
      domain: domains.domain,
      muc,
      focus: domains.focus,
      ...(clients.guestDomain === undefined
        ? {}
        : { anonymousdomain: clients.guestDomain, authdomain: domains.domain }),
    },
    ...(clients.loginUrl === undefined ? {} : { tokenAuthUrl: clients.loginUrl }),
    focusUserJid: config.focusAccount,
    bosh: `${web}http-bind`,
    websocket: `${web.replace(/^http/, "ws")}xmpp-websocket`,
    websocketKeepAliveUrl: `${web}_unlock`,
    ...(apple ? { preferBosh: true } : {}),
    bridgeChannel: { preferSctp: clients.sctp === "on" || (apple && clients.sctp !== "off") },
    hiddenDomain: domains.hidden,
    p2p: { enabled: false, stunServers: [] },
    enableIceRestart: true,
    disableThirdPartyRequests: true,
    analytics: {},
    deploymentInfo: {},
    enableWelcomePage: true,
    disableDeepLinking: request.privateRoot,
    resolution: 720,
    constraints: { video: { height: { ideal: 720, max: 720, min: 180 }, width: { ideal: 1280, max: 1280, min: 320 } } },
    videoQuality: {
      codecPreferenceOrder: ["VP8", "H264", "VP9", "AV1"],
      mobileCodecPreferenceOrder: ["VP8", "H264", "VP9", "AV1"],
    },
    startAudioMuted: 10,
    startVideoMuted: 10,
    prejoinConfig: { enabled: true },
    flags: {
      sourceNameSignaling: true,
      sendMultipleVideoStreams: true,
      receiveMultipleVideoStreams: true,
      ssrcRewritingEnabled: clients.ssrcRewriting,
    },
    recordingService: { enabled: clients.recorders },
    testing: { enableCodecSelectionAPI: true },
    ...config.client,
  };
};

/** The text of config.js. `<` is escaped because stock pages put the text between script tags (1.5); U+2028 ends lines in old engines. */
export const clientConfigText = (config: GatewayConfig, request: ClientConfigRequest): string =>
  `var config = ${JSON.stringify(clientConfig(config, request), null, 2)
    .replaceAll("<", "\\u003c")
    .replaceAll("\u2028", "\\u2028")
    .replaceAll("\u2029", "\\u2029")};\n`;
