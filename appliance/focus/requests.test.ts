import { expect, test } from "bun:test";
import { later, millis } from "../time.ts";
import { NS } from "../wire/namespaces.ts";
import { attr, type Element, xml } from "../wire/xml.ts";
import { Outbox } from "./outbox.ts";
import { type Answer, Requests } from "./requests.ts";

function setup() {
  const outbox = new Outbox();
  const requests = new Requests(outbox, "p");
  const answers: Answer["kind"][] = [];
  const ask = (to: string, timeout?: number): string => {
    requests.request(
      millis(0),
      to,
      "get",
      xml("ping", { xmlns: NS.ping }),
      (_, answer) => answers.push(answer.kind),
      timeout,
    );
    const sent = outbox.take().at(-1);
    return sent?.kind === "send" ? (attr(sent.stanza, "id") ?? "") : "";
  };
  const answer = (id: string, from: string, type = "result"): Element =>
    xml("iq", { xmlns: NS.client, type, id, from });
  return { requests, answers, ask, answer };
}

test("an answer counts only from whom was asked, and once", () => {
  const { requests, answers, ask, answer } = setup();
  const id = ask("a@b/c");
  expect(requests.answer(millis(1), answer(id, "evil@b/c"))).toBe(false);
  expect(requests.answer(millis(1), answer(id, "a@b/c"))).toBe(true);
  expect(requests.answer(millis(1), answer(id, "a@b/c"))).toBe(false);
  expect(answers).toEqual(["result"]);
});

test("every request ends: by result, error, time-out or the end of the session", () => {
  const { requests, answers, ask, answer } = setup();
  requests.answer(millis(1), answer(ask("a"), "a", "error"));
  ask("b", 1_000);
  ask("c", 5_000);
  expect(requests.nextDeadline()?.at).toBe(millis(1_000));
  requests.tick(millis(999));
  requests.tick(millis(1_000));
  expect(requests.nextDeadline()?.at).toBe(millis(5_000));
  requests.offline(millis(2_000));
  expect(answers).toEqual(["error", "timeout", "offline"]);
  expect(requests.size).toBe(0);
  expect(requests.nextDeadline()).toBeUndefined();
});

test("the deadline of an answered request costs one idle wake-up, not a missed one", () => {
  const { requests, answers, ask, answer } = setup();
  const first = ask("a", 1_000);
  ask("b", 3_000);
  requests.answer(millis(10), answer(first, "a"));
  requests.tick(millis(1_000));
  expect(requests.nextDeadline()?.at).toBe(millis(3_000));
  requests.tick(later(millis(3_000), 0));
  expect(answers).toEqual(["result", "timeout"]);
});
