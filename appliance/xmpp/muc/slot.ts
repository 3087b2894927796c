/**
 * One feature's state in each room: made when first asked for, gone with the room. Keeps features apart: a room has no field of theirs.
 */
import type { Room } from "./room.ts";

export class RoomSlot<State> {
  readonly #states = new WeakMap<Room, State>();

  constructor(private readonly initial: (room: Room) => State) {}

  of(room: Room): State {
    const found = this.#states.get(room);
    if (found !== undefined) return found;
    const made = this.initial(room);
    this.#states.set(room, made);
    return made;
  }

  set(room: Room, state: State): void {
    this.#states.set(room, state);
  }
}
