/**
 * Shell: what this machine is: its name, addresses, cores. Read again whenever it matters, because addresses change.
 */
import { availableParallelism, hostname, networkInterfaces } from "node:os";

export interface MachineAddress {
  readonly address: string;
  readonly family: 4 | 6;
  readonly internal: boolean;
}

/** Addresses of all interfaces that are up, loopback last, link-local IPv6 left out: it is of no use without a scope. */
export const machineAddresses = (): MachineAddress[] => {
  const found: MachineAddress[] = [];
  for (const list of Object.values(networkInterfaces()))
    for (const each of list ?? []) {
      const family = each.family === "IPv6" ? 6 : 4;
      if (family === 6 && /^fe[89ab]/i.test(each.address)) continue;
      if (!found.some((other) => other.address === each.address))
        found.push({ address: each.address, family, internal: each.internal });
    }
  return found.sort((one, other) => Number(one.internal) - Number(other.internal) || one.family - other.family);
};

/** Host name without domain, in lower case, letters, digits and hyphens only. */
export const machineName = (): string => {
  const name = (hostname().split(".")[0] ?? "")
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]/g, "-")
    .replaceAll(/^-+|-+$/g, "");
  return name === "" ? "parley" : name.slice(0, 32);
};

export const machineCores = (): number => availableParallelism();
