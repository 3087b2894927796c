/**
 * One input being worked off: the instant it came, and the actions gathered so far. Rooms and features write into it, so that the order of
 * what goes out is the order in which they were asked.
 */
import type { Millis } from "../../time.ts";
import type { Element } from "../../wire/xml.ts";
import type { HostAction } from "../host.ts";

export class Turn {
  readonly actions: HostAction[] = [];

  constructor(readonly now: Millis) {}

  send(stanza: Element): void {
    this.actions.push({ type: "send", stanza });
  }

  drop(reason: string): void {
    this.actions.push({ type: "drop", reason });
  }

  act(action: HostAction): void {
    this.actions.push(action);
  }
}
