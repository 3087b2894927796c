/**
 * Whether people can meet here, as a load balancer asks at `/about/health`: the parts that the gateway relays to, what each must answer, and what that comes to. A core.
 */
import type { GatewayConfig } from "../config.ts";

export interface Probe {
  readonly part: "xmpp" | "focus" | `bridge ${string}`;
  readonly url: string;
  readonly host: string | undefined;
}

/** What a part answered; undefined: nothing, in time. */
export interface ProbeAnswer {
  readonly status: number;
  readonly body: string;
}

export interface PartsVerdict {
  readonly ok: boolean;
  /** A line each, for this machine's own administrator. */
  readonly faults: readonly string[];
}

const MAX_WORDS = 200;

export function probesOf(
  config: Pick<GatewayConfig, "xmppHttp" | "focusHttp" | "domains">,
  bridges: Readonly<Record<string, string>>,
): Probe[] {
  return [
    // The client's keep-alive (signaling.md 1.7), which every server with WebSockets answers.
    { part: "xmpp", url: `${config.xmppHttp}/xmpp-websocket`, host: config.domains.domain },
    { part: "focus", url: `${config.focusHttp}/about/health`, host: undefined },
    ...Object.entries(bridges).map(([id, url]) => ({ part: `bridge ${id}` as const, url: `${url}/`, host: undefined })),
  ];
}

/** An original may have its health switched off and say 404: it is there, and that is all it says. One bridge is enough, and none need be known here. */
export function verdictOf(answers: readonly (readonly [Probe, ProbeAnswer | undefined])[]): PartsVerdict {
  const faults: string[] = [];
  let bridges = 0;
  let reached = 0;
  for (const [{ part }, answer] of answers) {
    const bridge = part.startsWith("bridge");
    const fault = answer === undefined ? "does not answer" : answer.status >= 500 ? words(answer) : undefined;
    if (bridge) bridges++;
    if (bridge && fault === undefined) reached++;
    if (fault !== undefined) faults.push(`${part}: ${fault}`);
  }
  const ok = faults.every((each) => each.startsWith("bridge")) && (bridges === 0 || reached > 0);
  return { ok, faults };
}

function words({ status, body }: ProbeAnswer): string {
  const said =
    body
      .split("\n")[0]
      ?.replaceAll(/\p{Cc}/gu, "")
      .trim()
      .slice(0, MAX_WORDS) ?? "";
  return said === "" || said.startsWith("<") ? `answers ${status}` : said;
}
