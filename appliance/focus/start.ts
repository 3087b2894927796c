/**
 * Shell: the focus as a part: its logins, its one timer, its HTTP server.
 */
import { randomBytes, randomUUID } from "node:crypto";
import { monotonicNow, wallNow } from "../clock.ts";
import type { FocusConfig } from "../config.ts";
import { DeadlineTimer } from "../deadline-timer.ts";
import { fetchBounded } from "../fetch-bounded.ts";
import type { PartEnvironment, RunningPart } from "../part.ts";
import { threadCount } from "../threads.ts";
import type { Element } from "../wire/xml.ts";
import { XmppSession } from "../xmpp-session.ts";
import type { HttpAnswer } from "./conference-request.ts";
import { Focus, type FocusInput } from "./focus.ts";
import { startHttp } from "./http.ts";
import type { FocusAction, Via } from "./outbox.ts";
import { focusSettings } from "./settings.ts";

const ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz";
const id = (length: number): string => {
  let text = "";
  for (const byte of randomBytes(length)) text += ALPHABET[byte % ALPHABET.length] ?? "0";
  return text;
};

export async function startFocus(config: FocusConfig, environment: PartEnvironment): Promise<RunningPart> {
  const { log } = environment;
  const focus = new Focus(focusSettings(config), { id, uuid: randomUUID });
  const httpWaiting = new Map<number, (answer: HttpAnswer) => void>();
  const timer = new DeadlineTimer(() => handle({ kind: "tick" }));
  let busy = false;
  const queue: FocusInput[] = [];

  /** One input, all its actions, then the next (style 3.1): a send may fail and come back as an input of its own. */
  const handle = (input: FocusInput): void => {
    queue.push(input);
    if (busy) return;
    busy = true;
    for (let next = queue.shift(); next !== undefined; next = queue.shift())
      for (const action of focus.handle(monotonicNow(), next)) perform(action);
    busy = false;
    timer.set(focus.nextDeadline());
  };

  const perform = (action: FocusAction): void => {
    switch (action.kind) {
      case "send":
        (action.via === "component" ? component : client)?.send(action.stanza);
        break;
      case "log":
        log[action.level](action.message, action.fields);
        break;
      case "http-answer": {
        const answer = httpWaiting.get(action.token);
        httpWaiting.delete(action.token);
        answer?.(action.answer);
        break;
      }
      case "fetch": {
        const { url } = action;
        void fetchBounded({ method: "GET", url, headers: {} }).then(({ status, body }) =>
          handle({ kind: "fetched", url, body: status === 200 ? body : undefined, wallNow: wallNow() }),
        );
        break;
      }
    }
  };

  const handlers = (via: Via) => ({
    online: (_jid: string, resumed: boolean) => {
      if (!resumed) handle({ kind: "online", via });
    },
    stanza: (stanza: Element) => handle({ kind: "stanza", via, stanza }),
    offline: () => handle({ kind: "offline", via }),
  });

  const { login } = config;
  const client = new XmppSession({
    host: login.host,
    port: login.port,
    tls: login.tls,
    log: log.child({ login: "focus" }),
    stream: {
      domain: login.domain,
      identity: { kind: "user", user: login.user, password: login.password, resource: login.resource ?? "focus" },
      streamManagement: "resumption",
      pingTo: login.domain,
    },
    handlers: handlers("client"),
  });
  const component =
    config.component === undefined
      ? undefined
      : new XmppSession({
          host: config.component.host,
          port: config.component.port,
          tls: undefined,
          log: log.child({ login: "component" }),
          stream: {
            domain: config.domains.focus,
            identity: { kind: "component", secret: config.component.secret },
            streamManagement: "off",
            pingTo: config.domains.domain,
          },
          handlers: handlers("component"),
        });

  let tokens = 0;
  const http = await startHttp(config.http, {
    focus,
    conferenceRequest: (request, bearer) =>
      new Promise((resolve) => {
        const token = ++tokens;
        httpWaiting.set(token, resolve);
        handle({
          kind: "http-conference-request",
          token,
          request,
          bearer: bearer === undefined ? undefined : { token: bearer, wallNow: wallNow() },
        });
      }),
    handle,
    now: monotonicNow,
    threads: threadCount,
  });
  client.start();
  component?.start();
  log.info("focus started", { http: http.port, xmpp: `${login.host}:${login.port}` });

  let stopped: Promise<void> | undefined;
  const stop = async (deadlineMs: number): Promise<void> => {
    handle({ kind: "stop" });
    for (const answer of httpWaiting.values()) answer({ status: 503, body: "Error: 503 shutting down", json: false });
    httpWaiting.clear();
    await Promise.all([client.stop(deadlineMs), component?.stop(deadlineMs), http.stop()]);
    timer.set(undefined); // the end of the sessions was an input, too
  };

  return {
    ports: { http: http.port },
    health: () => client.health() ?? component?.health() ?? focus.health(),
    stop(deadlineMs) {
      stopped ??= stop(deadlineMs);
      return stopped;
    },
  };
}
