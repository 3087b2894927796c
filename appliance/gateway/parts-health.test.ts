import { expect, test } from "bun:test";
import { type Probe, type ProbeAnswer, probesOf, verdictOf } from "./parts-health.ts";

const domains = { domain: "meet.test" } as Parameters<typeof probesOf>[0]["domains"];
const probes = probesOf(
  { xmppHttp: "http://127.0.0.1:5280", focusHttp: "http://127.0.0.1:8888", domains },
  { a: "http://127.0.0.1:9090", b: "http://127.0.0.1:9091" },
);
const fine: ProbeAnswer = { status: 200, body: "OK" };
const verdict = (...answers: readonly (ProbeAnswer | undefined)[]) =>
  verdictOf(probes.map((probe, index) => [probe, answers[index]] as [Probe, ProbeAnswer | undefined]));

test("who is asked what", () => {
  expect(probes.map(({ part, url }) => `${part} ${url}`)).toEqual([
    "xmpp http://127.0.0.1:5280/xmpp-websocket",
    "focus http://127.0.0.1:8888/about/health",
    "bridge a http://127.0.0.1:9090/",
    "bridge b http://127.0.0.1:9091/",
  ]);
});

test("all is well, also where a bridge has nothing at its root and the focus's health is switched off", () => {
  expect(verdict(fine, fine, { status: 404, body: "" }, fine)).toEqual({ ok: true, faults: [] });
  expect(verdict(fine, { status: 404, body: "" }, fine, fine)).toEqual({ ok: true, faults: [] });
});

test("one bridge of two is enough and told of; without any nobody meets", () => {
  expect(verdict(fine, fine, undefined, fine)).toEqual({ ok: true, faults: ["bridge a: does not answer"] });
  expect(verdict(fine, fine, undefined, undefined).ok).toBe(false);
  // Bridges elsewhere, which only the focus knows.
  expect(verdictOf(probes.slice(0, 2).map((probe) => [probe, fine])).ok).toBe(true);
});

test("a part that is silent or says that it is not well", () => {
  expect(verdict(undefined, fine, fine, fine)).toEqual({ ok: false, faults: ["xmpp: does not answer"] });
  expect(verdict(fine, { status: 503, body: "no operational bridges\nmore" }, fine, fine)).toEqual({
    ok: false,
    faults: ["focus: no operational bridges"],
  });
  expect(verdict(fine, { status: 500, body: "<html>" }, fine, fine).faults).toEqual(["focus: answers 500"]);
  expect(verdict(fine, { status: 500, body: "x".repeat(1_000) }, fine, fine).faults[0]).toHaveLength(207);
});
