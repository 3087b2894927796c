/**
 * Shell: one part alone in this process (`parley bridge` and so on): for machines that run the others elsewhere, or originals in their place.
 */
import type { PartsPlan } from "./appliance.ts";
import { type Box, type PartName, prepareBox } from "./box.ts";
import type { Settings } from "./config/options.ts";
import { bridgeSlice, focusSlice, gatewaySlice, xmppSlice } from "./config/slices.ts";
import { StartFault } from "./data-folder.ts";
import { collectRegularly } from "./garbage-collection.ts";
import { machineAddresses } from "./machine.ts";
import { ownHosts, webAddress } from "./ready-file.ts";

const planOf = (part: PartName, box: Box, staticFolder: string): PartsPlan => {
  const { context, certificates, web } = box;
  const { settings } = context;
  switch (part) {
    case "xmpp":
      if (certificates === undefined) throw new StartFault("no certificate for the XMPP server");
      return { xmpp: xmppSlice(context, certificates.xmpp, box.federationRoots) };
    case "focus":
      return { focus: focusSlice(context, box.trust, undefined) };
    case "bridge": {
      const [host = "localhost"] = ownHosts(settings, box.name, machineAddresses());
      return {
        bridge: bridgeSlice(
          context,
          box.trust,
          0,
          undefined,
          webAddress("https", host, settings["gateway.https_port"]).slice("https://".length),
        ),
      };
    }
    case "gateway":
      if (web === undefined) throw new StartFault("no certificate for the gateway");
      return {
        gateway: gatewaySlice(context, {
          tls: web,
          rootCertificate: settings["gateway.certificate"] === "" ? (certificates?.root ?? "") : "",
          hosts: box.hosts,
          boxName: box.name,
          staticFolder,
          xmppHttp: undefined,
          focusHttp: undefined,
        }),
      };
  }
};

/** Runs until SIGINT or SIGTERM; resolves to the exit code. */
export const runSinglePart = async (
  part: PartName,
  settings: Settings,
  dataFolder: string,
  staticFolder: string,
): Promise<number> => {
  const box = await prepareBox(settings, dataFolder, [part]);
  const { startParts } = await import("./appliance.ts");
  const running = await startParts(planOf(part, box, staticFolder), settings["log.level"]);
  if (part === "bridge") collectRegularly();
  const stop = Promise.withResolvers<number>();
  process.on("SIGINT", () => stop.resolve(1_500));
  process.on("SIGTERM", () => stop.resolve(settings["stop.deadline"] * 1_000));
  const deadlineMs = await stop.promise;
  await running.stop(deadlineMs);
  return 0;
};
