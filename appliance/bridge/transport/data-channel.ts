import type { RandomBytes } from "./random.ts";
export type DataChannelFactory = (random: RandomBytes) => never;
