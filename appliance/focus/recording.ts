/**
 * Recording, streaming and SIP calls by Jibri: the client's request, the recorder's answers, the state that the room sees. signaling.md 5.6.
 */
import { type Deadline, Deadlines } from "../deadlines.ts";
import { later, type Millis, seconds } from "../time.ts";
import { NS } from "../wire/namespaces.ts";
import { type Condition, errorReply, iqResult } from "../wire/stanza.ts";
import { attr, child, clone, type Element, xml } from "../wire/xml.ts";
import type { Conference } from "./conference.ts";
import type { FocusContext } from "./context.ts";
import { JibriDetector } from "./jibri-detector.ts";
import { isModerator } from "./member.ts";
import type { Participant } from "./participant.ts";

type Mode = "file" | "stream" | "sip";

interface Job {
  readonly id: string;
  readonly conference: Conference;
  readonly mode: Mode;
  /** Attributes for the recorder, as the client gave them. */
  readonly wishes: Readonly<Record<string, string | undefined>>;
  readonly initiator: string;
  jibri: string | undefined;
  state: "starting" | "pending" | "on";
  readonly tried: Set<string>;
  /** The client's request, while it is unanswered. */
  request: Element | undefined;
}

const PENDING_TIMEOUT = seconds(90);
const MAX_RETRIES = 5;
const MAX_ATTRIBUTE = 8_192;
const CALL_STATE_NS = "http://jitsi.org/protocol/jibri/call_state";

export class Recording {
  readonly recorders = new JibriDetector();
  readonly gateways = new JibriDetector();
  readonly #context: FocusContext;
  readonly #jobs = new Map<string, Job>();
  readonly #deadlines = new Deadlines<string>();

  constructor(context: FocusContext) {
    this.#context = context;
  }

  /** Jobs that run, by kind: for statistics. */
  active(mode: Mode): number {
    let count = 0;
    for (const job of this.#jobs.values()) if (job.mode === mode && job.state === "on") count++;
    return count;
  }

  /** A recorder's presence in its brewery. */
  presence(now: Millis, detector: JibriDetector, stanza: Element): void {
    const jid = attr(stanza, "from");
    if (!detector.presence(now, stanza)) return;
    for (const job of [...this.#jobs.values()]) if (job.jibri === jid) this.#failed(now, job, true);
  }

  /** `<jibri>` of somebody in a room. */
  clientRequest(now: Millis, conference: Conference, sender: Participant, iq: Element, element: Element): void {
    const refuse = (condition: Condition): void =>
      this.#context.outbox.send(errorReply(iq, { condition }, clone(element)));
    const sip = attr(element, "sipaddress") !== undefined;
    const { settings } = this.#context;
    if ((sip ? settings.sipJibriBrewery : settings.jibriBrewery) === undefined) {
      refuse("item-not-found");
      return;
    }
    if (!isModerator(sender.member)) {
      refuse("not-allowed");
      return;
    }
    switch (attr(element, "action")) {
      case "start":
        this.#start(now, conference, sender, iq, element, sip, refuse);
        return;
      case "stop":
        this.#stop(now, conference, sender, iq, element, sip, refuse);
        return;
      default:
        refuse("bad-request");
    }
  }

  /** `<jibri>` of a recorder. False: its sender is none. */
  jibriRequest(now: Millis, iq: Element, element: Element): boolean {
    const from = attr(iq, "from") ?? "";
    if (!this.recorders.has(from) && !this.gateways.has(from)) return false;
    const job = this.#jobs.get(attr(element, "session_id") ?? "");
    if (job === undefined || job.jibri !== from) {
      this.#context.outbox.send(errorReply(iq, { condition: "item-not-found" }, clone(element)));
      return true;
    }
    this.#context.outbox.send(iqResult(iq));
    this.#status(now, job, element);
    return true;
  }

  conferenceEnded(now: Millis, conference: Conference): void {
    for (const job of [...this.#jobs.values()]) {
      if (job.conference !== conference) continue;
      this.#order(now, job, "stop");
      this.#forget(job);
    }
  }

  tick(now: Millis): void {
    for (const id of this.#deadlines.due(now)) {
      const job = this.#jobs.get(id);
      if (job === undefined) continue;
      this.#order(now, job, "stop");
      this.#failed(now, job, true);
    }
  }

  nextDeadline(): Deadline | undefined {
    return this.#deadlines.soonest();
  }

  #start(
    now: Millis,
    conference: Conference,
    sender: Participant,
    iq: Element,
    element: Element,
    sip: boolean,
    refuse: (condition: Condition) => void,
  ): void {
    const given = attr(element, "recording_mode");
    const mode = sip ? "sip" : given === "file" || given === "stream" ? given : undefined;
    const streamId = attr(element, "streamid");
    const names = ["streamid", "you_tube_broadcast_id", "sipaddress", "displayname", "app_data"];
    const wishes = Object.fromEntries(names.map((name) => [name, attr(element, name)]));
    if (mode === undefined || (mode === "stream") !== (streamId !== undefined && streamId !== "")) {
      refuse("bad-request");
      return;
    }
    if (Object.values(wishes).some((value) => (value?.length ?? 0) > MAX_ATTRIBUTE)) {
      refuse("bad-request");
      return;
    }
    if (!sip && this.#recordingOf(conference) !== undefined) {
      refuse("unexpected-request");
      return;
    }
    if ((sip ? this.gateways : this.recorders).count === 0) {
      this.#context.stats.jibriUnavailable++;
      refuse("service-unavailable");
      return;
    }
    const job: Job = {
      id: this.#context.random.id(16),
      conference,
      mode,
      wishes,
      initiator: sender.member.occupantJid,
      jibri: undefined,
      state: "starting",
      tried: new Set(),
      request: iq,
    };
    this.#jobs.set(job.id, job);
    this.#tryNext(now, job);
  }

  #stop(
    now: Millis,
    conference: Conference,
    sender: Participant,
    iq: Element,
    element: Element,
    sip: boolean,
    refuse: (condition: Condition) => void,
  ): void {
    const id = attr(element, "session_id");
    const named = id === undefined ? undefined : this.#jobs.get(id);
    const job = named ?? (sip ? this.#sipCall(conference, attr(element, "sipaddress")) : this.#recordingOf(conference));
    if (job === undefined || job.conference !== conference) {
      refuse("item-not-found");
      return;
    }
    this.#order(now, job, "stop");
    this.#forget(job);
    this.#publish(job, "off", { initiator: sender.member.occupantJid });
    this.#context.outbox.send(iqResult(iq));
  }

  #recordingOf(conference: Conference): Job | undefined {
    return [...this.#jobs.values()].find((each) => each.conference === conference && each.mode !== "sip");
  }

  #sipCall(conference: Conference, address: string | undefined): Job | undefined {
    return [...this.#jobs.values()].find(
      (each) => each.conference === conference && each.mode === "sip" && each.wishes["sipaddress"] === address,
    );
  }

  #detector(job: Job): JibriDetector {
    return job.mode === "sip" ? this.gateways : this.recorders;
  }

  #tryNext(now: Millis, job: Job): void {
    const jibri = job.tried.size > MAX_RETRIES ? undefined : this.#detector(job).take(now, job.tried);
    if (jibri === undefined) {
      if (job.tried.size === 0) this.#context.stats.jibriUnavailable++;
      this.#giveUp(job, job.tried.size === 0 ? "busy" : "error");
      return;
    }
    job.jibri = jibri;
    job.tried.add(jibri);
    this.#order(now, job, "start");
  }

  #order(now: Millis, job: Job, action: "start" | "stop"): void {
    const { jibri } = job;
    if (jibri === undefined) return;
    const order =
      action === "stop"
        ? xml("jibri", { xmlns: NS.jibri, action, session_id: job.id })
        : xml("jibri", {
            xmlns: NS.jibri,
            action,
            session_id: job.id,
            recording_mode: job.mode === "sip" ? undefined : job.mode,
            room: job.conference.jid,
            ...job.wishes,
            rtcstats_enabled: job.conference.options.rtcstats,
          });
    this.#context.requests.request(now, jibri, "set", order, (at, answer) => {
      if (action === "stop" || this.#jobs.get(job.id) !== job || job.jibri !== jibri) return;
      const element = answer.kind === "result" ? child(answer.stanza, "jibri", NS.jibri) : undefined;
      if (element === undefined) this.#failed(at, job, true);
      else this.#status(at, job, element);
    });
  }

  #status(now: Millis, job: Job, element: Element): void {
    switch (attr(element, "status")?.toLowerCase()) {
      case "pending":
        if (job.state !== "starting") return;
        job.state = "pending";
        this.#deadlines.set(job.id, later(now, PENDING_TIMEOUT));
        this.#answerClient(job);
        this.#publish(job, "pending", {});
        return;
      case "on":
        job.state = "on";
        this.#deadlines.clear(job.id);
        this.#answerClient(job);
        this.#publish(job, "on", { initiator: job.initiator });
        return;
      case "off":
        if (attr(element, "failure_reason") === undefined) {
          this.#forget(job);
          this.#answerClient(job);
          this.#publish(job, "off", {});
        } else this.#failed(now, job, attr(element, "should_retry") !== "false");
        return;
      default:
        this.#context.stats.drop("jibri status unknown");
    }
  }

  #answerClient(job: Job): void {
    if (job.request === undefined) return;
    this.#context.outbox.send(iqResult(job.request, xml("jibri", { xmlns: NS.jibri, session_id: job.id })));
    job.request = undefined;
  }

  #failed(now: Millis, job: Job, retry: boolean): void {
    const { stats } = this.#context;
    if (job.jibri !== undefined) this.#detector(job).failed(now, job.jibri);
    stats.jibriFailures[job.mode === "file" ? "recording" : job.mode]++;
    this.#deadlines.clear(job.id);
    job.jibri = undefined;
    if (!retry) {
      this.#giveUp(job, "error");
      return;
    }
    if (job.state !== "starting") {
      job.state = "pending";
      this.#deadlines.set(job.id, later(now, PENDING_TIMEOUT));
      this.#publish(job, job.mode === "sip" ? "retrying" : "pending", {});
    }
    this.#tryNext(now, job);
  }

  #giveUp(job: Job, reason: "busy" | "error"): void {
    this.#forget(job);
    if (job.request !== undefined) {
      const condition = reason === "busy" ? "resource-constraint" : "internal-server-error";
      this.#context.outbox.send(errorReply(job.request, { condition }));
      return;
    }
    this.#publish(job, job.mode === "sip" ? "failed" : "off", { failure_reason: reason });
  }

  #forget(job: Job): void {
    this.#jobs.delete(job.id);
    this.#deadlines.clear(job.id);
  }

  /** What the room sees stays until the next job: clients learn of an end by it. */
  #publish(job: Job, status: string, extra: { readonly initiator?: string; readonly failure_reason?: string }): void {
    const element =
      job.mode === "sip"
        ? xml("jibri-sip-call-state", {
            xmlns: CALL_STATE_NS,
            state: status,
            sipaddress: job.wishes["sipaddress"],
            session_id: job.id,
            failure_reason: extra.failure_reason,
          })
        : xml("jibri-recording-status", {
            xmlns: NS.jibri,
            status,
            session_id: job.id,
            recording_mode: job.mode,
            ...extra,
          });
    job.conference.setPresencePart(job.mode === "sip" ? `sip ${job.wishes["sipaddress"] ?? ""}` : "recording", [
      element,
    ]);
  }
}
