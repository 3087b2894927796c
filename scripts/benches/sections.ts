/**
 * The sections of `./scripts/bench`, in the order in which they run. Loaded when they are wanted: each brings its own weight.
 */
import type { Section } from "./section.ts";

export const sections: Readonly<Record<string, () => Promise<Section>>> = {
  bridge: async () => (await import("./bridge.ts")).bridgeSection,
  colibri: async () => (await import("./colibri.ts")).colibriSection,
  capacity: async () => (await import("./capacity.ts")).capacitySection,
  holding: async () => (await import("./holding.ts")).holdingSection,
  scaling: async () => (await import("./scaling.ts")).scalingSection,
  micro: async () => (await import("./micro.ts")).microSection,
  box: async () => (await import("./box.ts")).boxSection,
  kernel: async () => (await import("./kernel.ts")).kernelSection,
  emulated: async () => (await import("./emulated.ts")).emulatedSection,
  signalling: async () => (await import("./signalling.ts")).signallingSection,
  join: async () => (await import("./join.ts")).joinSection,
};
