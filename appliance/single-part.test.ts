/**
 * Four parts, each alone with a small file that names the others, make a box: what an administrator does who replaces one part of an installation.
 */
import { afterAll, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { freePorts } from "../tests/e2e/prosody.ts";
import { useRealTime } from "../tests/real-time.ts";

useRealTime();

const WAIT_MS = 30_000;
const scratch = mkdtempSync(join(tmpdir(), "parley-parts-"));
const children: {
  readonly name: string;
  readonly process: ReturnType<typeof Bun.spawn>;
  readonly said: Promise<string>;
}[] = [];

const until = async (what: string, condition: () => boolean | Promise<boolean>): Promise<void> => {
  const from = performance.now();
  while (!(await condition())) {
    const dead = children.find((child) => child.process.exitCode !== null);
    if (dead !== undefined) throw new Error(`${dead.name} ended: ${await dead.said}`);
    if (performance.now() - from > WAIT_MS) throw new Error(`waited in vain for ${what}`);
    await Bun.sleep(20);
  }
};

const run = (name: string, toml: string): void => {
  const file = join(scratch, `${name}.toml`);
  writeFileSync(file, toml);
  const pages = name === "gateway" ? ["--pages", join(scratch, "web")] : [];
  const command = [process.execPath, resolve(import.meta.dir, "main.ts"), name, "--config", file];
  const child = Bun.spawn([...command, "--data", join(scratch, name), ...pages], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  children.push({ name, process: child, said: new Response(child.stderr).text() });
};

const json = async (url: string): Promise<unknown> => {
  try {
    const answer = await fetch(url);
    return answer.ok ? await answer.json() : undefined;
  } catch {
    return undefined; // not there yet
  }
};

const ok = async (url: string): Promise<boolean> => {
  try {
    return (await fetch(url)).ok;
  } catch {
    return false; // not there yet
  }
};

afterAll(() => {
  for (const child of children) child.process.kill("SIGKILL");
  rmSync(scratch, { recursive: true, force: true });
});

test("xmpp, focus, bridge and gateway, each alone", async () => {
  const [xmpp = 0, xmppHttp = 0, focusHttp = 0, bridgeHttp = 0, colibri = 0, https = 0, http = 0] = await freePorts(7);
  writeFileSync(join(scratch, "focus.secret"), "focus-password\n");
  const accounts = `[focus]\npassword = "file:focus.secret"\n[bridge]\npassword = "bridge-password"\n`;
  run("xmpp", `[xmpp]\nport = ${xmpp}\nhttp_port = ${xmppHttp}\n${accounts}`);
  const certificate = join(scratch, "xmpp/tls/xmpp.crt");
  await until(
    "xmpp",
    async () =>
      existsSync(certificate) && (await fetch(`http://127.0.0.1:${xmppHttp}/`).catch(() => undefined)) !== undefined,
  );

  const pin = new X509Certificate(readFileSync(certificate)).fingerprint256.replaceAll(":", "").toLowerCase();
  run(
    "focus",
    `[server]\nport = ${xmpp}\ntls = "pin:${pin}"\n[focus]\nhttp_port = ${focusHttp}\npassword = "file:focus.secret"\n`,
  );
  run(
    "bridge",
    `[server]\nport = ${xmpp}\ntls = "ca:${join(scratch, "xmpp/tls/root.crt")}"\n[bridge]\npassword = "bridge-password"\nmedia_port = 0\nmedia_addresses = ["127.0.0.1"]\nhttp_port = ${bridgeHttp}\ncolibri_port = ${colibri}\nserver_id = "alone"\n`,
  );
  await Bun.write(join(scratch, "web/index.html"), "<!doctype html><title>meeting</title>");
  run(
    "gateway",
    `[gateway]\nhttps_port = ${https}\nhttp_port = ${http}\nxmpp_http = "http://127.0.0.1:${xmppHttp}"\nfocus_http = "http://127.0.0.1:${focusHttp}"\n[gateway.bridges]\nalone = "http://127.0.0.1:${colibri}"\n`,
  );

  await until("the gateway", () => ok(`http://127.0.0.1:${http}/about/health`));
  await until("the bridge", () => ok(`http://127.0.0.1:${bridgeHttp}/about/health`));
  const bridge = children.find((child) => child.name === "bridge");
  expect(readFileSync(`/proc/${bridge?.process.pid}/environ`, "latin1").split("\0")).toContain(
    "BUN_GC_TIMER_DISABLE=1",
  );
  await until("the focus to know the bridge", async () => {
    const stats = await json(`http://127.0.0.1:${focusHttp}/stats`);
    return (
      typeof stats === "object" &&
      stats !== null &&
      Reflect.get(Reflect.get(stats, "bridge_selector") ?? {}, "bridge_count") === 1
    );
  });
  const answer = await fetch(`http://localhost:${http}/conference-request/v1`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ room: "standup@muc.meet.jitsi", properties: {} }),
  });
  expect(await answer.json()).toMatchObject({ ready: true, focusJid: "focus@auth.meet.jitsi" });
  expect(await (await fetch(`http://localhost:${http}/some-room`)).text()).toContain("meeting");
  // The channel's address leads through the gateway to the bridge, which knows no such conference.
  const channel = await fetch(`http://localhost:${http}/colibri-ws/alone/abc/def?pwd=x`, {
    headers: {
      Connection: "Upgrade",
      Upgrade: "websocket",
      "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
      "Sec-WebSocket-Version": "13",
    },
  });
  expect(channel.status).toBe(403);

  for (const child of children) child.process.kill("SIGTERM");
  expect(await Promise.all(children.map((child) => child.process.exited))).toEqual([0, 0, 0, 0]);
}, 60_000);
