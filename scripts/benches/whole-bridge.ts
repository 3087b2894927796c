/**
 * Shell: a whole bridge process of a whole box under the generator's load, with ICE, DTLS and SRTP, driven by colibri2: what somebody else's load generator
 * would do to us. The process is pinned like any other subject.
 */
import { Box } from "../../tests/e2e/box.ts";
import { Generator, Pair } from "./bridge/pair.ts";
import type { Load } from "./bridge/participants.ts";
import type { ProviderName } from "./options.ts";
import { end, endWithBench, SUBJECT_CORE } from "./processes.ts";

export interface WholeBridgeOptions {
  readonly provider: ProviderName;
  readonly check?: number;
  /** Lines of `[bridge]` in the box's configuration. */
  readonly settings?: readonly string[];
}

/** Puts all threads of a running process on one core. */
const pin = (pid: number, core: number): void => {
  Bun.spawnSync(["taskset", "-acp", String(core), String(pid)], { stdout: "ignore", stderr: "ignore" });
};

export async function wholeBridgePair(name: string, load: Load, options: WholeBridgeOptions): Promise<Pair> {
  const toml = [
    "[bridge]",
    'media_addresses = ["127.0.0.1"]',
    `loudest_speakers = ${load.speakers < load.people ? load.speakers : 0}`,
    ...(options.provider === "auto" ? [] : [`srtp_provider = "${options.provider}"`]),
    ...(options.settings ?? []),
  ].join("\n");
  // Peers and bridge meet on the loopback, so that no interface of the machine matters.
  const box = await Box.start({ toml: `${toml}\n` });
  let generator: Generator | undefined;
  const stop = async (): Promise<void> => {
    await box.stop();
  };
  try {
    const { bridge, control, supervisor } = box.ready.pids;
    endWithBench(supervisor);
    const [pid = 0] = bridge;
    const { bridgeHttp, colibri } = box.ready.ports;
    pin(pid, SUBJECT_CORE);
    // Beside the generator, where what it does by itself costs the subject nothing.
    pin(control, SUBJECT_CORE + 1);
    generator = new Generator({
      ...{ load, how: "colibri", check: options.check ?? 1 },
      url: `http://127.0.0.1:${bridgeHttp[0] ?? 0}`,
      channelUrl: `ws://127.0.0.1:${colibri[0] ?? 0}`,
    });
    await generator.next();
    return new Pair(name, generator, { pid, stop });
  } catch (error) {
    if (generator !== undefined) await end(generator.child);
    await stop();
    throw error;
  }
}
