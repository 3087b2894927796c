/**
 * Shell: people whom a test has let join, so that all of them leave at its end.
 */
import { expect } from "bun:test";
import type { Participant } from "./participant.ts";

export class People {
  readonly #present: Participant[] = [];

  add(person: Participant): Participant {
    this.#present.push(person);
    return person;
  }

  /** Nobody's page had an error; all leave. */
  async gone(): Promise<void> {
    for (const person of this.#present) expect(person.errors()).toEqual([]);
    await this.leave();
  }

  /** All leave, whatever their pages said: where errors are part of the test. */
  async leave(): Promise<void> {
    for (const person of this.#present.splice(0)) await person.close();
  }
}
