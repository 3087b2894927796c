/**
 * The recorded HTTP of an original server (protocol/transcripts/http-prosody.txt), asked of ours over real sockets: status, kind of content, what CORS says.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { armGuard, disarmGuard, useRealTime } from "../../tests/real-time.ts";
import { TEST_ACCOUNTS, TEST_DOMAINS, TEST_LIMITS } from "../../tests/xmpp-dialogue.ts";
import { Metrics } from "../metrics.ts";
import type { RunningPart } from "../part.ts";

useRealTime();
const { silentLogger } = await import("../log.ts");
const { startXmpp } = await import("./start.ts");

const fixtures = new URL("./fixtures/", import.meta.url).pathname;
let part: RunningPart;
beforeAll(async () => {
  const address = { host: "127.0.0.1", port: 0 };
  part = await startXmpp(
    {
      domains: TEST_DOMAINS,
      c2s: address,
      http: address,
      tls: {
        certificateChain: readFileSync(`${fixtures}meet.test.crt.pem`, "utf8"),
        privateKey: readFileSync(`${fixtures}meet.test.key.pem`, "utf8"),
      },
      accounts: TEST_ACCOUNTS,
      limits: TEST_LIMITS,
      focusAccount: `focus@${TEST_DOMAINS.auth}`,
      externalServices: [],
    },
    { log: silentLogger, metrics: new Metrics() },
  );
});
afterAll(async () => {
  disarmGuard();
  await part.stop(1_000);
  armGuard();
});

test("http-prosody: the same status, type and CORS for every path", async () => {
  const exchanges = [
    ...readFileSync(`${fixtures}http-prosody.txt`, "utf8").matchAll(
      /^>>> GET http:\/\/prosody:5280(\S+) \{.*\}\n<<< (\d+) (\{.*\}) \(.*\n(.*)$/gm,
    ),
  ];
  expect(exchanges.length).toBe(6);
  for (const [, path = "", status = "", headers = "{}", body = ""] of exchanges) {
    const theirs = JSON.parse(headers) as Record<string, string>;
    const ours = await fetch(`http://127.0.0.1:${part.ports["xmppHttp"]}${path}`);
    expect({ path, status: ours.status }).toEqual({ path, status: Number(status) });
    if (ours.status !== 200) continue;
    const text = await ours.text();
    expect({ path, type: ours.headers.get("content-type")?.split(";")[0] }).toEqual({
      path,
      type: theirs["content-type"]?.split(";")[0],
    });
    expect(ours.headers.get("access-control-allow-origin")).toBe(theirs["access-control-allow-origin"] ?? null);
    if (!body.startsWith("[")) expect(text.trim()).toBe(body.trim());
  }
});
