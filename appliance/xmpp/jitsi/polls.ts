/**
 * Polls, signaling.md 6.7: commands as JSON, told on to everybody in the room; newcomers get all of them. At most 128 a room.
 */
import { isRecord } from "../../wire/json.ts";
import type { StanzaError } from "../../wire/stanza.ts";
import { child, type Element, text } from "../../wire/xml.ts";
import type { Sender } from "../host.ts";
import type { RoomFeature } from "../muc/feature.ts";
import type { Occupant } from "../muc/occupants.ts";
import type { Room } from "../muc/room.ts";
import { RoomSlot } from "../muc/slot.ts";
import type { Turn } from "../muc/turn.ts";
import { displayName, jsonMessage, readJson, UNHEARD } from "./component.ts";
import type { Meetings } from "./meetings.ts";
import { type RoomMetadata, restriction } from "./room-metadata.ts";
import { deniedFeature, holdsFeature } from "./token-claims.ts";

interface Answer {
  readonly name: string;
  /** Voter's endpoint id → name. */
  readonly voters: Map<string, string>;
}

interface Poll {
  readonly senderId: string;
  readonly senderName: string;
  readonly question: string;
  readonly answers: readonly Answer[];
}

const MAX_POLLS = 128;
/** UTF-16 units of one command. */
const MAX_PAYLOAD = 1_024;
const MAX_VOTERS = 5_000;

export class Polls implements RoomFeature {
  readonly #slot = new RoomSlot<Map<string, Poll>>(() => new Map());

  constructor(
    private readonly domain: string,
    private readonly metadata: RoomMetadata,
  ) {}

  command(meetings: Meetings, turn: Turn, message: Element, sender: Sender): StanzaError | undefined {
    const element = child(message, "json-message");
    const found = meetings.of(sender);
    if (element === undefined || found === undefined) return UNHEARD;
    const payload = text(element);
    if (payload.length >= MAX_PAYLOAD) return { condition: "not-allowed", text: "Poll is too long" };
    const json = readJson(payload);
    const pollId = json?.["pollId"];
    // A poll that makes no sense is dropped in silence, as by the original (transcript ws-polls…).
    if (json?.["type"] !== "polls" || typeof pollId !== "string" || pollId === "") return this.#nonsense(turn);
    const { room, occupant } = found;
    if (json["command"] === "new-poll") return this.#create(turn, room, occupant, pollId, json);
    if (json["command"] === "answer-poll") return this.#answer(turn, room, occupant, pollId, json);
    return this.#nonsense(turn);
  }

  welcome(turn: Turn, room: Room, occupant: Occupant): void {
    const polls = this.#slot.of(room);
    if (polls.size === 0 || occupant.admin) return;
    const list = [...polls].map(([pollId, poll]) => ({
      pollId,
      senderId: poll.senderId,
      senderName: poll.senderName,
      question: poll.question,
      answers: poll.answers.map((answer) => ({
        name: answer.name,
        voters: [...answer.voters].map(([id, name]) => ({ id, name })),
      })),
    }));
    turn.send(jsonMessage(this.domain, occupant.jidText, { type: "polls", command: "old-polls", polls: list }));
  }

  #create(
    turn: Turn,
    room: Room,
    occupant: Occupant,
    pollId: string,
    json: Readonly<Record<string, unknown>>,
  ): StanzaError | undefined {
    const polls = this.#slot.of(room);
    const { question, answers } = json;
    if (typeof question !== "string" || question === "" || !Array.isArray(answers)) return this.#nonsense(turn);
    const names: string[] = [];
    for (const each of answers) {
      const name: unknown = isRecord(each) ? each["name"] : undefined;
      if (typeof name !== "string" || name === "") return this.#nonsense(turn);
      names.push(name);
    }
    if (names.length === 0 || polls.has(pollId)) return this.#nonsense(turn);
    const restricted = restriction(this.metadata, room, "pollCreationRestricted");
    if (deniedFeature(occupant, "create-polls") || (restricted && !holdsFeature(occupant, "create-polls")))
      return { condition: "not-allowed", text: "Creating polls is not allowed" };
    if (polls.size >= MAX_POLLS) return { condition: "not-allowed", text: "Poll limit reached" };
    polls.set(pollId, {
      senderId: occupant.nick,
      senderName: displayName(occupant.payload.children) ?? "",
      question,
      answers: names.map((name) => ({ name, voters: new Map() })),
    });
    this.#tellAll(turn, room, {
      type: "polls",
      command: "new-poll",
      pollId,
      question,
      answers: names.map((name) => ({ name })),
      senderId: occupant.nick,
    });
    return undefined;
  }

  #answer(
    turn: Turn,
    room: Room,
    occupant: Occupant,
    pollId: string,
    json: Readonly<Record<string, unknown>>,
  ): StanzaError | undefined {
    const poll = this.#slot.of(room).get(pollId);
    const { answers } = json;
    if (poll === undefined || !Array.isArray(answers) || answers.length !== poll.answers.length)
      return this.#nonsense(turn);
    const chosen = answers.map((each) => each === true);
    const senderName = displayName(occupant.payload.children) ?? "";
    for (const [index, answer] of poll.answers.entries()) {
      if (chosen[index] !== true) answer.voters.delete(occupant.nick);
      else if (answer.voters.size < MAX_VOTERS) answer.voters.set(occupant.nick, senderName);
    }
    this.#tellAll(turn, room, {
      type: "polls",
      command: "answer-poll",
      pollId,
      answers: chosen,
      senderId: occupant.nick,
      senderName,
    });
    return undefined;
  }

  #tellAll(turn: Turn, room: Room, json: object): void {
    for (const each of room.occupants.all()) if (!each.admin) turn.send(jsonMessage(this.domain, each.jidText, json));
  }

  #nonsense(turn: Turn): undefined {
    turn.drop("poll-malformed");
    return undefined;
  }
}
