/**
 * Shell: `parley doctor`: what is wrong with this machine, network, certificate and clock, each with its mend. Looks only; changes nothing.
 */
import { X509Certificate } from "node:crypto";
import { createSocket } from "node:dgram";
import { accessSync, constants, existsSync, readFileSync, statfsSync } from "node:fs";
import { createServer } from "node:net";
import { wallNow } from "./clock.ts";
import type { Settings } from "./config/options.ts";
import { listenHost } from "./config/slices.ts";
import { DataFolder } from "./data-folder.ts";
import { machineAddresses, machineCores } from "./machine.ts";

type Level = "ok" | "note" | "fault";

interface Finding {
  readonly level: Level;
  readonly what: string;
  readonly mend?: string;
}

const MARKS: Readonly<Record<Level, string>> = { ok: "ok   ", note: "note ", fault: "FAULT" };

/** No box runs with a clock from before this program was written. */
const WRITTEN = Date.UTC(2026, 0, 1);
const SMALL_DISK_BYTES = 200 * 1024 * 1024;
const MANY_FILES = 4_096;

const tcpFree = (host: string, port: number): Promise<string | undefined> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)));
  });

const udpFree = (port: number): Promise<string | undefined> =>
  new Promise((resolve) => {
    const socket = createSocket("udp4");
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    socket.bind({ port, exclusive: true }, () => socket.close(() => resolve(undefined)));
  });

const machine = (): Finding[] => {
  const found: Finding[] = [];
  const cores = machineCores();
  found.push({ level: "ok", what: `${cores} ${cores === 1 ? "core" : "cores"}, ${process.arch}, Bun ${Bun.version}` });
  if (process.platform !== "linux")
    found.push({
      level: "fault",
      what: `the media bridge runs on Linux only, this is ${process.platform}`,
      mend: "run the bridge on a Linux machine",
    });
  try {
    const available = Number(/MemAvailable:\s+(\d+)/.exec(readFileSync("/proc/meminfo", "utf8"))?.[1] ?? "0") / 1024;
    if (available < 200)
      found.push({
        level: "fault",
        what: `only ${Math.round(available)} MB of memory are free`,
        mend: "Parley takes some 120 MB when idle, 200 MB with ten people: stop other programs",
      });
  } catch {
    found.push({ level: "note", what: "free memory is not known: /proc/meminfo cannot be read" });
  }
  try {
    const limit = Number(/Max open files\s+(\d+)/.exec(readFileSync("/proc/self/limits", "utf8"))?.[1] ?? "0");
    if (limit > 0 && limit < MANY_FILES)
      found.push({
        level: "note",
        what: `at most ${limit} open files: enough for some ${Math.floor(limit / 4)} people`,
        mend: "ulimit -n 65536, or LimitNOFILE= in the service",
      });
  } catch {
    found.push({ level: "note", what: "the limit of open files is not known" });
  }
  return found;
};

const library = async (): Promise<Finding[]> => {
  const { dlopen } = await import("bun:ffi");
  for (const name of ["libssl.so.3", "libcrypto.so.3"]) {
    try {
      dlopen(name, {}).close();
    } catch {
      // dlopen without symbols may itself be refused; what counts is whether the file loads with one.
      try {
        dlopen(name, { OPENSSL_init_crypto: { args: ["u64", "ptr"], returns: "i32" } }).close();
      } catch {
        return [
          {
            level: "fault",
            what: `${name} cannot be loaded: the bridge needs it for DTLS`,
            mend: "apt install libssl3",
          },
        ];
      }
    }
  }
  return [{ level: "ok", what: "OpenSSL 3 can be loaded" }];
};

const ROOM_SIZES = [3, 5, 10];

/** What the media port wants, and below what a pause of the program loses packets: some 400 of them, a fifth of a second of ten cameras. */
const WANTED_BUFFER_BYTES = 10 * 1024 * 1024;
const SMALL_BUFFER_BYTES = 1024 * 1024;

/** How much the kernel keeps for the media port while the bridge is busy. */
const receiveBuffer = async (): Promise<Finding> => {
  const { libc, openUdpSocket } = await import("./bridge/native/libc.ts");
  const loopback = new Uint8Array(28);
  loopback.set([2, 0, 0, 0, 127, 0, 0, 1]); // struct sockaddr_in: AF_INET, any port
  const { fd, receiveBufferBytes } = openUdpSocket(loopback, WANTED_BUFFER_BYTES);
  libc.close(fd);
  const size =
    receiveBufferBytes >= 2 ** 20
      ? `${Math.round(receiveBufferBytes / 2 ** 20)} MB`
      : `${Math.round(receiveBufferBytes / 1024)} kB`;
  if (receiveBufferBytes >= SMALL_BUFFER_BYTES)
    return { level: "ok", what: `the media port may keep ${size} of packets that wait` };
  return {
    level: "note",
    what: `the media port may keep only ${size} of packets that wait: in a busy meeting some get lost`,
    mend: `sysctl -w net.core.rmem_max=${WANTED_BUFFER_BYTES}, and the same in a file of /etc/sysctl.d`,
  };
};

/** What a bridge would measure at its start. */
const media = async (settings: Settings): Promise<Finding[]> => {
  if (!settings["start.parts"].includes("bridge")) return [];
  const { measureMachine } = await import("./bridge/measure-machine.ts");
  const { peopleWithCameras } = await import("./bridge/capacity.ts");
  try {
    const measured = measureMachine(settings["bridge.srtp_provider"], settings["bridge.max_cameras"]);
    const found: Finding[] = measured.profiles.map(({ profile, provider, microsPerPacket, measured: all }) => {
      const others = all
        .filter(({ name }) => name !== provider)
        .map(({ name, microsPerPacket: micros }) => `${name} ${micros.toFixed(2)}`);
      const beside = others.length === 0 ? "" : ` (${others.join(", ")})`;
      return { level: "ok", what: `${profile} by ${provider}: ${microsPerPacket.toFixed(2)} µs a packet${beside}` };
    });
    const gcm = measured.profiles.find(({ profile }) => profile === "AEAD_AES_128_GCM");
    if (
      settings["bridge.srtp_provider"] === "auto" &&
      gcm?.provider === "libcrypto" &&
      !gcm.measured.some(({ name }) => name === "gnutls")
    )
      found.push({
        level: "note",
        what: "GnuTLS cannot be loaded: it may encrypt media faster",
        mend: "apt install libgnutls30",
      });
    const most = settings["bridge.max_count"] === 0 ? Math.max(1, machineCores() - 1) : settings["bridge.max_count"];
    const bridges = Math.max(settings["bridge.count"], most);
    const people = ROOM_SIZES.map(
      (size) => `${peopleWithCameras(measured.cameras * bridges, size)} in rooms of ${size}`,
    );
    const why = settings["bridge.max_cameras"] > 0 ? "as bridge.max_cameras says" : "as measured now, idle";
    found.push({
      level: "ok",
      what: `carries about ${people.join(", ")} people with cameras, by ${bridges} ${bridges === 1 ? "bridge" : "bridges"} (${why})`,
    });
    found.push(await receiveBuffer());
    return found;
  } catch (error) {
    return [
      {
        level: "fault",
        what: `media cannot be encrypted: ${error instanceof Error ? error.message : String(error)}`,
        mend: 'apt install libssl3, or bridge.srtp_provider = "auto"',
      },
    ];
  }
};

const clock = (): Finding[] => {
  const now = wallNow();
  if (now < WRITTEN)
    return [
      {
        level: "fault",
        what: `the clock says ${new Date(now).toISOString()}: certificates will not be valid`,
        mend: "set the clock, or let it be set from the network: timedatectl set-ntp true",
      },
    ];
  return [{ level: "ok", what: `the clock says ${new Date(now).toISOString().slice(0, 16)}Z` }];
};

const folder = (path: string): Finding[] => {
  if (!existsSync(path))
    return [{ level: "note", what: `there is no data folder ${path} yet: the first start makes it` }];
  try {
    accessSync(path, constants.W_OK | constants.X_OK);
    const disk = statfsSync(path);
    const free = disk.bavail * disk.bsize;
    if (free < SMALL_DISK_BYTES)
      return [
        {
          level: "fault",
          what: `only ${Math.round(free / 1024 / 1024)} MB are free on the disk of ${path}`,
          mend: "remove old recordings or other files",
        },
      ];
    return [{ level: "ok", what: `data folder ${path}, ${Math.round(free / 1024 / 1024 / 1024)} GB free` }];
  } catch {
    return [
      {
        level: "fault",
        what: `data folder ${path}: no permission to write there`,
        mend: "run as its owner, or chown it, or --data DIR",
      },
    ];
  }
};

const certificate = (settings: Settings, dataFolder: string): Finding[] => {
  const own = settings["gateway.certificate"] === "";
  const path = own ? new DataFolder(dataFolder).file("tls", "web.crt") : settings["gateway.certificate"];
  if (!existsSync(path))
    return own
      ? [{ level: "note", what: "no certificate yet: the first start makes one" }]
      : [{ level: "fault", what: `${path} does not exist`, mend: "gateway.certificate names a PEM file" }];
  try {
    const leaf = new X509Certificate(readFileSync(path));
    const days = Math.floor((Date.parse(leaf.validTo) - wallNow()) / 86_400_000);
    if (days < 0)
      return [
        {
          level: "fault",
          what: `the certificate ${path} ran out ${-days} days ago`,
          mend: own ? "start the box: it makes a new one" : "renew it",
        },
      ];
    if (!own && days < 21)
      return [{ level: "note", what: `the certificate ${path} runs out in ${days} days`, mend: "renew it" }];
    const found: Finding[] = [
      { level: "ok", what: `certificate for ${leaf.subjectAltName?.split(", ").length ?? 0} names, ${days} days left` },
    ];
    if (own)
      found.push({
        level: "note",
        what: "it is under the box's own root: browsers warn until the root is trusted",
        mend: "open http://BOX/box.crt on each device, or set gateway.certificate",
      });
    return found;
  } catch (error) {
    return [
      {
        level: "fault",
        what: `${path} is no certificate: ${error instanceof Error ? error.message : String(error)}`,
        mend: "it must be PEM",
      },
    ];
  }
};

const network = (settings: Settings): Finding[] => {
  const addresses = machineAddresses().filter((each) => !each.internal);
  if (addresses.length === 0)
    return [
      {
        level: settings["listen.lan"] ? "fault" : "note",
        what: "this machine has no address but loopback: nobody else can reach it, and Firefox finds no path for media",
        mend: "plug in the network",
      },
    ];
  const found: Finding[] = [{ level: "ok", what: `addresses: ${addresses.map((each) => each.address).join(", ")}` }];
  if (!settings["listen.lan"])
    found.push({ level: "note", what: "only this machine can come in", mend: "--lan, or listen.lan = true" });
  return found;
};

const ports = async (settings: Settings): Promise<Finding[]> => {
  const found: Finding[] = [];
  const lan = listenHost(settings, false);
  const parts = new Set(settings["start.parts"]);
  const wanted: readonly (readonly [string, string, string, number])[] = [
    ["gateway", "gateway.https_port", lan, settings["gateway.https_port"]],
    ["gateway", "gateway.http_port", lan, settings["gateway.http_port"]],
    ["xmpp", "xmpp.port", lan, settings["xmpp.port"]],
    ["xmpp", "xmpp.http_port", settings["xmpp.http_address"], settings["xmpp.http_port"]],
    ["focus", "focus.http_port", settings["focus.http_address"], settings["focus.http_port"]],
    ["bridge", "bridge.http_port", settings["bridge.http_address"], settings["bridge.http_port"]],
    ["bridge", "bridge.colibri_port", settings["bridge.colibri_address"], settings["bridge.colibri_port"]],
  ];
  const complain = (key: string, port: number, code: string): Finding =>
    code === "EACCES"
      ? {
          level: "fault",
          what: `${key} = ${port}: no permission to open it`,
          mend: "run as root, grant CAP_NET_BIND_SERVICE, or take a port above 1023",
        }
      : {
          level: "fault",
          what: `${key} = ${port} cannot be opened (${code}): another program, or a box that runs already, has it`,
          mend: `stop it, or set ${key}`,
        };
  for (const [part, key, host, port] of wanted) {
    if (!parts.has(part) || port === 0) continue;
    const code = await tcpFree(host, port);
    if (code !== undefined) found.push(complain(key, port, code));
  }
  const media = settings["bridge.media_port"];
  if (parts.has("bridge") && media !== 0) {
    const code = await udpFree(media);
    if (code !== undefined) found.push(complain("bridge.media_port (UDP)", media, code));
  }
  return found.length === 0 ? [{ level: "ok", what: "all ports are free" }] : found;
};

/** Prints what it finds; the exit code is 1 if anything is a fault. */
export const examine = async (
  settings: Settings,
  dataFolder: string,
  print: (line: string) => void,
): Promise<number> => {
  const findings = [
    ...machine(),
    ...(await library()),
    ...(await media(settings)),
    ...clock(),
    ...folder(dataFolder),
    ...certificate(settings, dataFolder),
    ...network(settings),
    ...(await ports(settings)),
  ];
  for (const { level, what, mend } of findings) {
    print(`${MARKS[level]}  ${what}`);
    if (mend !== undefined) print(`       mend: ${mend}`);
  }
  return findings.some((each) => each.level === "fault") ? 1 : 0;
};
