/**
 * Shell: process entry: subcommand, configuration, and what runs. Loads only what the subcommand needs: the supervisor lives in this process.
 */

import { accessSync, constants, existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { type Arguments, helpOf, overview, parseArguments } from "./arguments.ts";
import { type PartName, prepareBox, programFolder } from "./box.ts";
import { subcommands } from "./commands.ts";
import { type Configuration, faultLine, type Layer } from "./config/parse.ts";
import { readConfig } from "./config/read.ts";
import { machineAddresses } from "./machine.ts";
import { ownHosts } from "./ready-file.ts";
import { startAgainWithRuntimeEnvironment } from "./runtime-environment.ts";
import { startLine } from "./start-line.ts";

/** The version that everything is tested with; package.json's `engines` and scripts/start name it too. */
const BUN = "1.4";

const say = (line: string): void => {
  process.stderr.write(`parley: ${line}\n`);
};

/** A checkout of the sources: ports above 1024, data beside the program. */
const isCheckout = existsSync(join(programFolder, ".git"));

const dataFolderOf = (given: Arguments): string =>
  resolve(given.flags.get("data") ?? (isCheckout ? join(programFolder, "data") : "/var/lib/parley"));

const pagesOf = (given: Arguments): string => resolve(given.flags.get("pages") ?? join(programFolder, "build", "web"));

const configurationOf = (given: Arguments): Configuration | undefined => {
  const file = given.flags.get("config");
  const layers: Layer[] = [{ origin: "command line", values: given.overrides }];
  if (isCheckout)
    layers.push({
      origin: "checkout",
      values: { "gateway.https_port": 8_443, "gateway.http_port": 8_000, "log.level": "warn" },
    });
  const result = readConfig(file ?? join(dataFolderOf(given), "parley.toml"), file !== undefined, layers);
  if (result.ok) return result.configuration;
  for (const fault of result.faults) say(faultLine(fault));
  return undefined;
};

const mayWriteBeside = (file: string): boolean => {
  try {
    accessSync(dirname(file), constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
};

const start = async (given: Arguments): Promise<number> => {
  const configuration = configurationOf(given);
  if (configuration === undefined) return 2;
  const { settings } = configuration;
  const pages = pagesOf(given);
  if (settings["start.parts"].includes("gateway") && !existsSync(join(pages, "index.html"))) {
    say(`the pages are not built: ${pages} has no index.html (./scripts/start builds them)`);
    return 1;
  }
  const readyFile = given.flags.get("ready-file");
  if (readyFile !== undefined && !mayWriteBeside(resolve(readyFile))) {
    say(`--ready-file ${readyFile}: no permission to write there, or no such folder`);
    return 1;
  }
  const parts = settings["start.parts"].filter(
    (part): part is PartName => part === "xmpp" || part === "focus" || part === "gateway" || part === "bridge",
  );
  const box = await prepareBox(settings, dataFolderOf(given), parts);
  const { supervise } = await import("./supervisor.ts");
  return supervise({
    box,
    staticFolder: pages,
    readyFile: readyFile === undefined ? undefined : resolve(readyFile),
    say,
    onReady: (ready) => {
      if (given.flags.has("quiet")) return;
      const hosts = ownHosts(settings, box.name, machineAddresses());
      void import("./welcome.ts").then(({ welcome }) => process.stdout.write(welcome(settings, hosts, ready)));
    },
  });
};

const part = async (name: PartName, given: Arguments): Promise<number> => {
  const configuration = configurationOf(given);
  if (configuration === undefined) return 2;
  if (name === "bridge") startAgainWithRuntimeEnvironment();
  const { runSinglePart } = await import("./single-part.ts");
  return runSinglePart(name, configuration.settings, dataFolderOf(given), pagesOf(given));
};

const run = async (given: Arguments): Promise<number> => {
  switch (given.command) {
    case "start":
      return start(given);
    case "xmpp":
    case "focus":
    case "bridge":
    case "gateway":
      return part(given.command, given);
    case "config": {
      const configuration = configurationOf(given);
      if (configuration === undefined) return 2;
      process.stdout.write((await import("./config/print.ts")).printConfiguration(configuration));
      return 0;
    }
    case "doctor": {
      const configuration = configurationOf(given);
      if (configuration === undefined) return 2;
      const { examine } = await import("./doctor.ts");
      return examine(configuration.settings, dataFolderOf(given), (line) => process.stdout.write(`${line}\n`));
    }
    case "backup":
      return (await import("./backup.ts")).backup(
        dataFolderOf(given),
        resolve(given.words[0] ?? ""),
        given.flags.has("force"),
        say,
      );
    case "restore":
      return (await import("./backup.ts")).restore(
        dataFolderOf(given),
        resolve(given.words[0] ?? ""),
        given.flags.has("force"),
        say,
      );
    case "bench": {
      const options = [...given.flags].flatMap(([name, value]) =>
        value === "" ? [`--${name}`] : [`--${name}`, value],
      );
      return Bun.spawn([process.execPath, join(programFolder, "scripts", "bench.ts"), ...options], {
        stdio: ["ignore", "inherit", "inherit"],
      }).exited;
    }
    case "version":
      process.stdout.write(`${(await import("../package.json", { with: { type: "json" } })).default.version}\n`);
      return 0;
    default:
      process.stdout.write(overview(subcommands));
      return 0;
  }
};

const main = async (argv: readonly string[]): Promise<number> => {
  if (!Bun.version.startsWith(`${BUN}.`)) {
    say(`this is Bun ${Bun.version}, but Parley needs Bun ${BUN}: ./scripts/start gets it`);
    return 1;
  }
  const parsed = parseArguments(argv, subcommands);
  if (!parsed.ok) {
    for (const fault of parsed.faults) say(fault);
    return 2;
  }
  const subcommand = subcommands.find((each) => each.name === parsed.arguments.command);
  if (parsed.arguments.help && subcommand !== undefined) {
    process.stdout.write(subcommand.name === "help" ? overview(subcommands) : helpOf(subcommand));
    return 0;
  }
  return run(parsed.arguments);
};

const [command, folder = ""] = process.argv.slice(2);
if (command === "child") {
  const { runChild } = await import("./child.ts");
  runChild();
} else if (command === "issue-certificates") {
  try {
    const [{ issueCertificates }, { DataFolder }] = await Promise.all([
      import("./certificates.ts"),
      import("./data-folder.ts"),
    ]);
    await issueCertificates(new DataFolder(folder), await Bun.stdin.json());
    process.exit(0);
  } catch (error) {
    say(startLine(error));
    process.exit(1);
  }
} else {
  try {
    process.exit(await main(process.argv.slice(2)));
  } catch (error) {
    say(startLine(error));
    process.exit(1);
  }
}
