/**
 * The features that a client's stream offers in each of its phases: TLS, mechanisms (RFC 6120 §4.3.2), then binding, stream management and the
 * rest; and in every phase the limits (XEP-0478).
 */
import { NS } from "../wire/namespaces.ts";
import { type Element, xml } from "../wire/xml.ts";
import type { Login, StreamServer } from "./client-stream.ts";
import { rosterStreamFeatures } from "./features/roster.ts";
import { mechanisms } from "./sasl.ts";
import type { ChannelBinding } from "./scram.ts";

export interface StreamPhase {
  readonly server: StreamServer;
  readonly domain: string;
  /** Undefined: not logged in yet. */
  readonly login: Login | undefined;
  /** Nothing else may be done before TLS. */
  readonly tlsRequired: boolean;
  readonly secure: boolean;
  readonly bindings: readonly ChannelBinding[];
  /** XEP-0077: an account may be made here. */
  readonly registration: boolean;
  /** XEP-0198; not over BOSH, which has its own. */
  readonly management: boolean;
}

export function streamFeatures(phase: StreamPhase): Element {
  const { server, domain, login, bindings } = phase;
  const size = login?.account === undefined ? server.clientLimits.elementSize : server.serviceLimits.elementSize;
  const limits = xml(
    "limits",
    { xmlns: "urn:xmpp:stream-limits:0" },
    xml("max-bytes", {}, String(size)),
    xml("idle-seconds", {}, String(server.idleSeconds)),
  );
  const frame = (...children: Element[]): Element =>
    xml("stream:features", { xmlns: NS.client, "xmlns:stream": NS.stream }, children, limits);
  if (login !== undefined)
    return frame(
      xml("bind", { xmlns: NS.bind }, xml("required")),
      xml("session", { xmlns: NS.session }, xml("optional")),
      server.caps,
      ...(phase.management ? [xml("sm", { xmlns: NS.sm }, xml("optional"))] : []),
      ...rosterStreamFeatures(login.account !== undefined && server.keepsRoster(login)),
    );
  if (phase.tlsRequired) return frame(xml("starttls", { xmlns: NS.tls }, xml("required")));
  const offered = mechanisms({
    domain,
    secure: phase.secure,
    anonymous: server.allowsAnonymous(domain),
    accounts: server.accounts,
    bindings,
    mayDerive: () => true,
    nonce: () => "",
  });
  const list = xml(
    "mechanisms",
    { xmlns: NS.sasl },
    offered.map((each) => xml("mechanism", {}, each)),
  );
  const register = phase.registration ? [xml("register", { xmlns: "http://jabber.org/features/iq-register" })] : [];
  if (bindings.length === 0) return frame(list, ...register);
  const types = bindings.map(({ type }) => xml("channel-binding", { type }));
  return frame(list, xml("sasl-channel-binding", { xmlns: "urn:xmpp:sasl-cb:0" }, types), ...register);
}
