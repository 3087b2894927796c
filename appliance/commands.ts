/**
 * The subcommands of `parley` and their options, as data: for the parser, the help texts and the documentation. Pure.
 */
import type { Flag, Subcommand } from "./arguments.ts";

const DATA: Flag = {
  name: "data",
  value: "DIR",
  help: "data folder (default: data beside the program in a checkout, /var/lib/parley elsewhere)",
};
const CONFIG: Flag = {
  name: "config",
  value: "FILE",
  help: "configuration file (default: parley.toml in the data folder)",
};
const SET: Flag = {
  name: "set",
  value: "KEY=VALUE",
  help: "any option of `parley config`; may be given several times",
};
const LEVEL: Flag = { name: "log-level", value: "LEVEL", key: "log.level", help: "debug, info, warn or error" };
const LISTEN: Flag = {
  name: "listen",
  value: "ADDRESS",
  key: "listen.address",
  help: "TCP address to listen on (default: 127.0.0.1)",
};
const LAN: Flag = { name: "lan", key: "listen.lan", help: "open it to the network: listen on all addresses" };

const port = (name: string, key: string, help: string): Flag => ({ name, value: "PORT", key, help });

const GATEWAY_PORTS = [
  port("https-port", "gateway.https_port", "the pages over TLS (default: 443, in a checkout 8443)"),
  port("http-port", "gateway.http_port", "plain HTTP (default: 80, in a checkout 8000)"),
];
const XMPP_PORTS = [
  port("xmpp-port", "xmpp.port", "XMPP over TCP (default: 5222)"),
  port("xmpp-http-port", "xmpp.http_port", "XMPP over WebSocket and BOSH, for the gateway (default: 5280)"),
];
const FOCUS_PORTS = [port("focus-http-port", "focus.http_port", "HTTP of the focus (default: 8888)")];
const BRIDGE_PORTS = [
  port("media-port", "bridge.media_port", "media, UDP (default: 10000)"),
  port("colibri-port", "bridge.colibri_port", "bridge channel (default: 9090)"),
  port("bridge-http-port", "bridge.http_port", "private HTTP of the bridge (default: 8080)"),
];
const SERVER: readonly Flag[] = [
  { name: "server", value: "HOST", key: "server.host", help: "XMPP server to log in to (default: this machine)" },
  { name: "domain", value: "DOMAIN", key: "domains.domain", help: "XMPP domain (default: meet.jitsi)" },
];
const COMMON = [CONFIG, DATA, SET, LEVEL];
const READY: Flag = {
  name: "ready-file",
  value: "FILE",
  help: "write ports, process ids and service accounts to FILE as JSON (mode 0600) once all is healthy",
};

const FORCE: Flag = { name: "force", help: "write over what is there" };

export const subcommands: readonly Subcommand[] = [
  {
    name: "start",
    summary: "runs everything that this machine is configured for, and keeps it running",
    usage: "start [OPTIONS]",
    flags: [
      ...COMMON,
      LISTEN,
      LAN,
      ...GATEWAY_PORTS,
      ...XMPP_PORTS,
      ...FOCUS_PORTS,
      ...BRIDGE_PORTS,
      { name: "bridges", value: "NUMBER", key: "bridge.count", help: "bridges that run when idle (default: 1)" },
      READY,
      { name: "pages", value: "DIR", help: "folder of built pages (default: build/web beside the program)" },
      { name: "quiet", help: "print no addresses" },
    ],
  },
  {
    name: "xmpp",
    summary: "runs the XMPP server alone",
    usage: "xmpp [OPTIONS]",
    flags: [...COMMON, LISTEN, LAN, ...XMPP_PORTS],
  },
  {
    name: "focus",
    summary: "runs the conference focus alone",
    usage: "focus [OPTIONS]",
    flags: [...COMMON, ...SERVER, ...FOCUS_PORTS],
  },
  {
    name: "bridge",
    summary: "runs one media bridge alone",
    usage: "bridge [OPTIONS]",
    flags: [...COMMON, ...SERVER, LAN, ...BRIDGE_PORTS],
  },
  {
    name: "gateway",
    summary: "runs the gateway with the pages alone",
    usage: "gateway [OPTIONS]",
    flags: [...COMMON, LISTEN, LAN, ...GATEWAY_PORTS, { name: "pages", value: "DIR", help: "folder of built pages" }],
  },
  {
    name: "config",
    summary: "prints the effective configuration: every option, what it is for, where its value comes from",
    usage: "config [OPTIONS]",
    flags: COMMON,
  },
  {
    name: "doctor",
    summary: "says what is wrong with this machine, its network, certificate and clock, each with its mend",
    usage: "doctor [OPTIONS]",
    flags: [...COMMON, LAN],
  },
  {
    name: "backup",
    summary: "writes the data folder into one file",
    usage: "backup FILE [OPTIONS]",
    flags: [DATA, FORCE],
    words: [{ name: "FILE", help: "a .tar.gz to write; it holds secrets and keys, so it is readable by you alone" }],
  },
  {
    name: "restore",
    summary: "makes a data folder from a backup",
    usage: "restore FILE [OPTIONS]",
    flags: [DATA, FORCE],
    words: [{ name: "FILE", help: "what `parley backup` wrote" }],
  },
  {
    name: "bench",
    summary: "measures this machine: CPU per packet, memory, join time",
    usage: "bench [OPTIONS]",
    flags: [
      { name: "only", value: "NAMES", help: "sections, comma-separated; ./scripts/bench --help lists them" },
      { name: "loads", value: "LOADS", help: "rooms x people, as 1x10,3x10,1x100:5" },
      { name: "runs", value: "N", help: "rounds of which the median counts" },
      { name: "seconds", value: "S", help: "length of a round" },
      { name: "profile", value: "NAME", help: "gcm or cm" },
      { name: "provider", value: "NAME", help: "who does the bridge's SRTP" },
      { name: "peers", value: "NAMES", help: "other servers beside ours: janus" },
      { name: "json", value: "FILE", help: "write the figures as JSON" },
      { name: "record", help: "append to the history" },
      { name: "compare", value: "COMMIT", help: "beside an earlier run of the history" },
    ],
  },
  { name: "version", summary: "prints the version", usage: "version", flags: [] },
  { name: "help", summary: "prints this text", usage: "help", flags: [] },
];
