/**
 * What the signalling benchmark's load is told and what it tells: plain data.
 */

export interface LoadPlan {
  readonly url: string;
  readonly domain: string;
  readonly auth: string;
  readonly muc: string;
  /** Of the account `focus`, which opens the rooms. */
  readonly password: string;
  readonly clients: number;
  readonly rooms: number;
  readonly joinsPerSecond: number;
  readonly updatesPerSecond: number;
  /** Length of each of the two steady phases. */
  readonly seconds: number;
  /** Occupants of a room, one after the other. */
  readonly sizes: readonly number[];
  /** Joins per size, at most: several rooms where one holds fewer. */
  readonly growthJoins: number;
}

export type Mark =
  | { readonly phase: "ready" | "growing" | "end" }
  | {
      readonly phase: "joined";
      /** From the connection's beginning to the own presence, and from the join alone; ms. */
      readonly latencies: readonly number[];
      readonly entered: readonly number[];
      readonly stanzas: number;
    }
  | {
      readonly phase: "presence" | "chat";
      /** Of each delivery, ms. */
      readonly latencies: readonly number[];
      readonly stanzas: number;
      readonly sent: number;
      /** Deliveries that should have come. */
      readonly expected: number;
    }
  | { readonly phase: "grown"; readonly size: number; readonly joins: number; readonly stanzas: number };
