import { describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { SimulatedNetwork, seededBytes } from "../../simulated-network.ts";
import { type Millis, millis } from "../../time.ts";
import type { MediaSocket, Path } from "../media-commands.ts";
import { type IceAction, IceAgent, type IceDrop, makePwd, makeUfrag, validCredentials } from "./ice.ts";
import { checkIntegrity, parseStun, type StunFields, type StunMessage, writeStun } from "./stun.ts";
import { candidateOf } from "./transport-pair.ts";

const BRIDGE: MediaSocket = { address: "10.0.0.1", family: 4, port: 10000 };
const REMOTE_PWD = "remotepasswordremotepassword";
const path = (port: number, address = "10.0.0.2"): Path => ({ socket: 0, address, port });

/** A bridge's agent and a scripted browser. */
class Script {
  readonly agent: IceAgent;
  now: Millis = millis(0);
  #transactions = 0;

  constructor(controlling = true, seed = 1) {
    const random = seededBytes(seed);
    this.agent = new IceAgent({
      localUfrag: makeUfrag(random),
      localPwd: makePwd(random),
      controlling,
      sockets: [BRIDGE],
      random,
    });
  }

  remote(candidates: Parameters<IceAgent["setRemote"]>[3] = []): void {
    this.agent.setRemote(this.now, "remo", REMOTE_PWD, candidates);
  }

  /** A check of the browser; what it gives beside `fields`. */
  check(from: Path, fields: Partial<StunFields> = {}, pwd = this.agent.localPwd): IceDrop | undefined {
    const bytes = writeStun(
      {
        class: "request",
        transaction: (++this.#transactions).toString(16).padStart(24, "0"),
        username: `${this.agent.localUfrag}:remo`,
        priority: 0x6e0001ff,
        ...(this.agent.controlling ? { controlled: "0000000000000001" } : { controlling: "ffffffffffffffff" }),
        ...fields,
      },
      pwd,
    );
    const message = parseStun(bytes);
    if (message === undefined) throw new Error("the script wrote no STUN");
    return this.agent.handleStun(this.now, from, bytes, message);
  }

  /** Answers one of the agent's checks. */
  answer(
    check: Sent,
    from: Path = check.path,
    fields: Partial<StunFields> = {},
    pwd = REMOTE_PWD,
  ): IceDrop | undefined {
    const bytes = writeStun(
      {
        class: "success",
        transaction: check.message.transaction,
        mappedAddress: { address: BRIDGE.address, port: BRIDGE.port },
        ...fields,
      },
      pwd,
    );
    return this.agent.handleStun(this.now, from, bytes, parseStun(bytes) as StunMessage);
  }

  actions(): IceAction[] {
    const actions: IceAction[] = [];
    for (let action = this.agent.poll(); action !== undefined; action = this.agent.poll()) actions.push(action);
    return actions;
  }

  /** Sent messages since the last look, parsed. */
  sent(actions = this.actions()): Sent[] {
    return actions.flatMap((action) =>
      action.type === "send"
        ? [{ path: action.path, bytes: action.bytes, message: parseStun(action.bytes) as StunMessage }]
        : [],
    );
  }

  checks(actions = this.actions()): Sent[] {
    return this.sent(actions).filter(({ message }) => message.class === "request");
  }

  /** Lets time pass, deadline by deadline; answers all actions. */
  advance(ms: number): IceAction[] {
    const until = (this.now + ms) as Millis;
    const actions: IceAction[] = [];
    for (;;) {
      const deadline = this.agent.nextDeadline();
      if (deadline === undefined || deadline.at > until) break;
      this.now = Math.max(deadline.at, this.now) as Millis;
      this.agent.handleTimeout(this.now);
      actions.push(...this.actions());
    }
    this.now = until;
    return actions;
  }

  connect(from: Path = path(5000)): void {
    this.remote();
    this.check(from);
    for (const check of this.checks()) this.answer(check);
    this.actions();
  }
}

interface Sent {
  readonly path: Path;
  readonly bytes: Uint8Array;
  readonly message: StunMessage;
}

const types = (actions: readonly IceAction[]): string[] => actions.map(({ type }) => type);

describe("controlling, without any candidate of the peer", () => {
  test("answers a check with the mapped address and its own password", () => {
    const script = new Script();
    script.remote();
    expect(script.check(path(5000))).toBeUndefined();
    const [answer] = script.sent();
    expect(answer?.message).toMatchObject({
      class: "success",
      mappedAddress: { address: "10.0.0.2", port: 5000 },
      fingerprint: true,
    });
    expect(answer !== undefined && checkIntegrity(answer.bytes, answer.message, script.agent.localPwd)).toBe(true);
  });

  test("checks the address at once, nominating, and selects it when answered", () => {
    const script = new Script();
    script.remote();
    script.check(path(5000));
    const actions = script.actions();
    expect(actions.find(({ type }) => type === "accept-address")).toEqual({
      type: "accept-address",
      path: path(5000),
    });
    const [check] = script.checks(actions);
    expect(check?.message).toMatchObject({
      username: `remo:${script.agent.localUfrag}`,
      useCandidate: true,
      unknownRequired: [],
    });
    expect(check?.message.controlling).toBeDefined();
    expect(check !== undefined && checkIntegrity(check.bytes, check.message, REMOTE_PWD)).toBe(true);
    script.answer(check as Sent);
    expect(script.actions()).toEqual([{ type: "select-path", path: path(5000) }]);
    expect(script.agent.selectedPath).toEqual(path(5000));
  });

  test("repeats its check every 150 ms until it is answered (Firefox ignores the first)", () => {
    const script = new Script();
    script.remote();
    script.check(path(5000));
    script.actions();
    const checks = script.checks(script.advance(1000));
    expect(checks.length).toBe(6);
    // The answer to an earlier one, late, still counts.
    expect(script.answer(checks[1] as Sent)).toBeUndefined();
    expect(types(script.actions())).toEqual(["select-path"]);
    expect(script.checks(script.advance(1000))).toEqual([]);
  });

  test("answers checks before it has the peer's credentials, then begins itself", () => {
    const script = new Script();
    expect(script.check(path(5000))).toBeUndefined();
    expect(types(script.actions())).toEqual(["send", "accept-address"]);
    expect(script.agent.nextDeadline()).toBeUndefined();
    script.remote();
    const checks = script.checks();
    expect(checks.length).toBe(1);
    script.answer(checks[0] as Sent);
    expect(script.agent.selectedPath).toEqual(path(5000));
  });

  test("nominates one of several addresses, and another when that one is silent", () => {
    const script = new Script();
    script.remote();
    script.check(path(5000));
    script.check(path(5001));
    const first = script.checks();
    expect(first.map(({ path: { port }, message }) => [port, message.useCandidate])).toEqual([
      [5000, true],
      [5001, false],
    ]);
    script.answer(first[1] as Sent);
    expect(script.agent.selectedPath).toBeUndefined();
    const later = script.checks(script.advance(700));
    const nomination = later.find(({ path: { port } }) => port === 5001);
    expect(nomination?.message.useCandidate).toBe(true);
    script.answer(nomination as Sent);
    expect(script.agent.selectedPath).toEqual(path(5001));
  });

  test("stops checking an address that never answers", () => {
    const script = new Script();
    script.remote();
    script.check(path(5000));
    const checks = script.checks(script.advance(29_000));
    expect(checks.length).toBeLessThanOrEqual(30);
    expect(script.checks(script.advance(500))).toEqual([]);
    // And begins again when it is heard.
    script.check(path(5000));
    expect(script.checks(script.advance(400)).length).toBe(2);
  });

  test("fails when nothing connects within 30 s of knowing the peer", () => {
    const script = new Script();
    script.remote();
    const actions = script.advance(31_000);
    expect(actions.at(-1)).toEqual({ type: "failed", reason: "ice-timeout" });
    expect(script.agent.nextDeadline()).toBeUndefined();
    expect(script.check(path(5000))).toBe("stun-unknown-ufrag");
  });
});

describe("what does not authenticate", () => {
  const refuse = (name: string, drop: IceDrop, act: (script: Script) => IceDrop | undefined): void => {
    test(name, () => {
      const script = new Script();
      script.remote();
      expect(act(script)).toBe(drop);
      expect(script.actions()).toEqual([]);
    });
  };
  refuse("a wrong password", "stun-bad-integrity", (s) => s.check(path(1), {}, "another-password-entirely"));
  refuse("a foreign ufrag", "stun-unknown-ufrag", (s) => s.check(path(1), { username: "xxxx:remo" }));
  refuse("no username", "stun-unknown-ufrag", (s) => s.check(path(1), { username: "" }));
  refuse("an answer to nothing", "stun-unknown-transaction", (s) => {
    const bytes = writeStun({ class: "success", transaction: "f".repeat(24) }, REMOTE_PWD);
    return s.agent.handleStun(s.now, path(1), bytes, parseStun(bytes) as StunMessage);
  });

  test("an answer with a wrong password, or from another address, selects nothing", () => {
    const script = new Script();
    script.remote();
    script.check(path(5000));
    const [check] = script.checks();
    expect(script.answer(check as Sent, path(5000), {}, "another-password-entirely")).toBe("stun-bad-integrity");
    expect(script.answer(check as Sent, path(5001))).toBe("stun-wrong-address");
    expect(script.agent.selectedPath).toBeUndefined();
    expect(script.answer(check as Sent)).toBeUndefined();
    expect(script.agent.selectedPath).toEqual(path(5000));
  });

  test("unknown required attributes are answered with 420, but only to who knows the password", () => {
    const script = new Script();
    script.remote();
    const build = (pwd: string): Uint8Array => {
      const plain = writeStun({
        class: "request",
        transaction: "1".padStart(24, "0"),
        username: `${script.agent.localUfrag}:remo`,
      });
      // An attribute 0x7001 in the place of FINGERPRINT, signed again.
      const body = Uint8Array.from([...plain.subarray(0, plain.length - 8), 0x70, 0x01, 0, 0]);
      body[3] = body.length - 20 + 24;
      const digest = createHmac("sha1", pwd).update(body).digest();
      return Uint8Array.from([...body, 0, 8, 0, 20, ...digest]);
    };
    const good = build(script.agent.localPwd);
    expect(script.agent.handleStun(script.now, path(1), good, parseStun(good) as StunMessage)).toBeUndefined();
    expect(script.sent()[0]?.message).toMatchObject({ class: "error", errorCode: 420 });
    const bad = build("something-else-entirely-here");
    expect(script.agent.handleStun(script.now, path(1), bad, parseStun(bad) as StunMessage)).toBe("stun-bad-integrity");
    expect(script.actions()).toEqual([]);
  });
});

describe("controlled", () => {
  test("selects what the peer nominates once its own check was answered", () => {
    const script = new Script(false);
    script.remote();
    script.check(path(5000), { useCandidate: true });
    const [check] = script.checks();
    expect(check?.message.controlled).toBeDefined();
    expect(check?.message.useCandidate).toBe(false);
    expect(script.agent.selectedPath).toBeUndefined();
    script.answer(check as Sent);
    expect(script.agent.selectedPath).toEqual(path(5000));
  });

  test("of several nominated pairs the one with the higher priority", () => {
    const script = new Script(false);
    script.remote();
    script.check(path(5000), { useCandidate: true, priority: 100 });
    script.check(path(5001), { useCandidate: true, priority: 200 });
    script.check(path(5002), { useCandidate: true, priority: 50 });
    for (const check of script.checks()) script.answer(check);
    expect(script.agent.selectedPath).toEqual(path(5001));
  });

  test("without nomination nothing is selected", () => {
    const script = new Script(false);
    script.remote();
    script.check(path(5000));
    for (const check of script.checks()) script.answer(check);
    expect(script.agent.selectedPath).toBeUndefined();
    script.check(path(5000), { useCandidate: true });
    expect(script.agent.selectedPath).toEqual(path(5000));
  });
});

describe("role conflict, RFC 8445 7.3.1.1", () => {
  test("both controlling: the larger tie-breaker answers 487, the smaller one gives way", () => {
    const larger = new Script();
    larger.remote();
    larger.check(path(5000), { controlled: undefined as never, controlling: "0000000000000000" });
    expect(larger.sent()[0]?.message).toMatchObject({ class: "error", errorCode: 487 });
    expect(larger.agent.controlling).toBe(true);
    const smaller = new Script();
    smaller.remote();
    smaller.check(path(5000), { controlled: undefined as never, controlling: "ffffffffffffffff" });
    expect(smaller.sent()[0]?.message.class).toBe("success");
    expect(smaller.agent.controlling).toBe(false);
  });

  test("both controlled: the larger one becomes controlling", () => {
    const larger = new Script(false);
    larger.remote();
    larger.check(path(5000), { controlling: undefined as never, controlled: "0000000000000000" });
    expect(larger.agent.controlling).toBe(true);
    const smaller = new Script(false);
    smaller.remote();
    smaller.check(path(5000), { controlling: undefined as never, controlled: "ffffffffffffffff" });
    expect(smaller.sent()[0]?.message).toMatchObject({ class: "error", errorCode: 487 });
    expect(smaller.agent.controlling).toBe(false);
  });

  test("a 487 to our check changes our role, and the check is repeated", () => {
    const script = new Script();
    script.remote();
    script.check(path(5000));
    const [check] = script.checks();
    script.answer(check as Sent, path(5000), { class: "error", error: { code: 487, reason: "Role Conflict" } });
    expect(script.agent.controlling).toBe(false);
    const [again] = script.checks();
    expect(again?.message.controlled).toBeDefined();
  });
});

describe("signalled candidates", () => {
  test("are checked at a pace, seven times, and connect an agent that hears nothing first", () => {
    const script = new Script();
    script.remote([candidateOf(path(7000)), candidateOf(path(7001))]);
    const first = script.checks();
    expect(first.map(({ path: { port } }) => port)).toEqual([7000]);
    const all = script.checks(script.advance(20_000));
    expect(all.filter(({ path: { port } }) => port === 7000).length).toBe(6);
    expect(all.filter(({ path: { port } }) => port === 7001).length).toBe(7);
    const fresh = new Script();
    fresh.remote([candidateOf(path(7000))]);
    fresh.answer(fresh.checks()[0] as Sent);
    const [nomination] = fresh.checks();
    expect(nomination?.message.useCandidate).toBe(true);
    fresh.answer(nomination as Sent);
    expect(fresh.agent.selectedPath).toEqual(path(7000));
  });

  test("names, multicast, other families, loopback, TCP and port 0 are left alone", () => {
    const script = new Script();
    const base = candidateOf(path(7000));
    script.remote([
      { ...base, ip: "a8f1.local" },
      { ...base, ip: "224.0.0.1" },
      { ...base, ip: "255.255.255.255" },
      { ...base, ip: "0.0.0.0" },
      { ...base, ip: "127.0.0.1" },
      { ...base, ip: "2001:db8::1" },
      { ...base, ip: "fe80::1" },
      { ...base, protocol: "tcp" },
      { ...base, component: 2 },
      { ...base, port: 0 },
    ]);
    expect(script.checks(script.advance(3000))).toEqual([]);
  });

  test("bad credentials are not taken", () => {
    const script = new Script();
    script.agent.setRemote(script.now, "x", "short", []);
    expect(script.agent.remoteUfrag).toBeUndefined();
    expect(validCredentials("abcd", "a".repeat(22))).toBe(true);
    expect(validCredentials("ab d", "a".repeat(22))).toBe(false);
  });
});

describe("consent, RFC 7675", () => {
  test("is asked for every 4 to 6 s, and a 30 s silence ends the agent", () => {
    const script = new Script();
    script.connect();
    const times: number[] = [];
    for (let n = 0; n < 6; n++) {
      const before = script.now;
      let checks: Sent[] = [];
      while (checks.length === 0) checks = script.checks(script.advance(100));
      times.push(script.now - before);
      expect(checks[0]?.message.useCandidate).toBe(true);
      script.answer(checks[0] as Sent);
    }
    for (const time of times) expect(time >= 4000 && time <= 6100).toBe(true);
    const actions = script.advance(29_000);
    expect(actions.some(({ type }) => type === "failed")).toBe(false);
    expect(script.checks(actions).length).toBeLessThan(20);
    expect(script.advance(2000)).toContainEqual({ type: "failed", reason: "consent-expired" });
  });

  test("moves to another living address when the selected one falls silent", () => {
    const script = new Script();
    script.connect(path(5000));
    script.check(path(6000));
    const heard = script.checks();
    for (const check of heard) if (check.path.port === 6000) script.answer(check);
    let moved: Millis | undefined;
    const begin = script.now;
    for (let n = 0; n < 100 && moved === undefined; n++) {
      for (const check of script.checks(script.advance(100))) if (check.path.port === 6000) script.answer(check);
      if (script.actions().some((action) => action.type === "select-path" && action.path.port === 6000))
        moved = script.now;
    }
    expect(script.agent.selectedPath).toEqual(path(6000));
    expect((moved ?? 0) - begin).toBeLessThan(4000);
  });

  test("stays where it is while the selected address answers", () => {
    const script = new Script();
    script.connect(path(5000));
    script.check(path(6000));
    for (let n = 0; n < 200; n++) for (const check of script.checks(script.advance(100))) script.answer(check);
    expect(script.agent.selectedPath).toEqual(path(5000));
  });
});

describe("bounds", () => {
  test("addresses of an endpoint: the one silent for longest is let go", () => {
    const script = new Script();
    script.connect(path(5000));
    for (let port = 6000; port < 6200; port++) {
      script.now = (script.now + 1) as Millis;
      script.check(path(port));
    }
    const actions = script.actions();
    expect(actions.filter(({ type }) => type === "forget-address").length).toBe(200 + 1 - 24);
    expect(script.agent.hasHeard(path(5000))).toBe(true);
    expect(script.agent.hasHeard(path(6000))).toBe(false);
    expect(script.agent.hasHeard(path(6199))).toBe(true);
    // What goes out is bounded as well.
    expect(script.checks(script.advance(60_000)).length).toBeLessThan(24 * 31 + 30);
  });
});

describe("two agents over a bad network", () => {
  for (const [loss, seed] of [
    [0, 1],
    [0.15, 2],
    [0.4, 3],
  ] as const)
    test(`${loss * 100} % loss: both select the same pair (seed ${seed})`, () => {
      for (let run = 0; run < 30; run++) {
        const network = new SimulatedNetwork({
          seed: seed * 100 + run,
          delayMs: 20,
          jitterMs: 30,
          loss,
          duplicate: 0.1,
        });
        const agents = [true, false].map((controlling, index) => {
          const random = seededBytes(run * 2 + index);
          return new IceAgent({
            localUfrag: makeUfrag(random),
            localPwd: makePwd(random),
            controlling,
            sockets: [{ ...BRIDGE, address: `10.0.0.${index + 1}` }],
            random,
          });
        }) as [IceAgent, IceAgent];
        const pump = (index: 0 | 1): void => {
          const agent = agents[index];
          const other = agents[1 - index] as IceAgent;
          for (let action = agent.poll(); action !== undefined; action = agent.poll())
            if (action.type === "send")
              network.send(action.bytes, (now, bytes) => {
                other.handleStun(now, path(10000, `10.0.0.${index + 1}`), bytes, parseStun(bytes) as StunMessage);
                pump((1 - index) as 0 | 1);
              });
        };
        agents.forEach((agent, index) => {
          const other = agents[1 - index] as IceAgent;
          const candidates = index === 1 ? [candidateOf(path(10000, "10.0.0.1"))] : [];
          network.add({
            nextDeadline: () => agent.nextDeadline(),
            handleTimeout: (now) => {
              agent.handleTimeout(now);
              pump(index as 0 | 1);
            },
          });
          agent.setRemote(network.now, other.localUfrag, other.localPwd, candidates);
          pump(index as 0 | 1);
        });
        const connected = network.run(() => agents.every((agent) => agent.selectedPath !== undefined), 20_000);
        expect(connected).toBe(true);
        // And it stays so for two minutes of consent.
        if (run < 3) {
          network.run(() => false, 120_000);
          expect(agents.map((agent) => agent.over)).toEqual([false, false]);
        }
      }
    });
});
