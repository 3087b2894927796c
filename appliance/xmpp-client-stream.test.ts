/**
 * Dialogues of a service's login: RFC 6120, RFC 5802, XEP-0198, XEP-0114. The server's side is written out.
 */
import { describe, expect, test } from "bun:test";
import { createHash, createHmac, pbkdf2Sync } from "node:crypto";
import { ScramClient } from "./scram.ts";
import { later, type Millis, millis } from "./time.ts";
import { NS } from "./wire/namespaces.ts";
import { attr, xml } from "./wire/xml.ts";
import { ClientStream, type ClientStreamAction, type ClientStreamOptions } from "./xmpp-client-stream.ts";
import { XmppStreamParser } from "./xmpp-stream-parser.ts";

const OPEN = `<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='${NS.stream}' id='s1' from='auth.test' version='1.0'>`;
const features = (content: string): string => `<stream:features>${content}</stream:features>`;
const STARTTLS = features(
  `<starttls xmlns='${NS.tls}'/><mechanisms xmlns='${NS.sasl}'><mechanism>PLAIN</mechanism></mechanisms>`,
);
const mechanisms = (...names: string[]): string =>
  features(
    `<mechanisms xmlns='${NS.sasl}'>${names.map((name) => `<mechanism>${name}</mechanism>`).join("")}</mechanisms>`,
  );
const BIND = features(
  `<bind xmlns='${NS.bind}'/><sm xmlns='${NS.sm}'/><session xmlns='${NS.session}'><optional/></session>`,
);
const BOUND = `<iq type='result' id='bind'><bind xmlns='${NS.bind}'><jid>focus@auth.test/focus</jid></bind></iq>`;

class Dialogue {
  readonly stream: ClientStream;
  now: Millis = millis(0);
  readonly written: string[] = [];
  readonly events: ClientStreamAction[] = [];

  constructor(options: Partial<ClientStreamOptions> = {}) {
    this.stream = new ClientStream(
      {
        domain: "auth.test",
        identity: { kind: "user", user: "focus", password: "pencil", resource: "focus" },
        streamManagement: "resumption",
        pingTo: "auth.test",
        ...options,
      },
      () => "fyko+d2lbbFgONRv9qkxdawL",
    );
  }
  take(actions: readonly ClientStreamAction[] | undefined): this {
    for (const action of actions ?? [])
      if (action.kind === "write") this.written.push(action.text);
      else this.events.push(action);
    return this;
  }
  connect(secure = false): this {
    return this.take(this.stream.connected(this.now, secure));
  }
  hear(...chunks: string[]): this {
    for (const chunk of chunks) this.take(this.stream.received(this.now, chunk));
    return this;
  }
  wait(ms: number): this {
    this.now = later(this.now, ms);
    return this.take(this.stream.tick(this.now));
  }
  get last(): string {
    return this.written.at(-1) ?? "";
  }
  kinds(): string[] {
    return this.events.map((each) => each.kind);
  }
  /** Up to `online`, by PLAIN and with stream management granted as asked. */
  online(enabled = `<enabled xmlns='${NS.sm}' id='res1' resume='true'/>`): this {
    this.connect().hear(OPEN, STARTTLS, `<proceed xmlns='${NS.tls}'/>`).take(this.stream.secured());
    return this.hear(OPEN, mechanisms("PLAIN"), `<success xmlns='${NS.sasl}'/>`, OPEN, BIND, BOUND, enabled);
  }
}

describe("login", () => {
  test("STARTTLS, then SASL, bind and stream management; nothing secret in clear", () => {
    const talk = new Dialogue().connect().hear(OPEN, STARTTLS);
    expect(talk.last).toBe(`<starttls xmlns="${NS.tls}"/>`);
    talk.hear(`<proceed xmlns='${NS.tls}'/>`);
    expect(talk.kinds()).toEqual(["start-tls"]);
    expect(talk.written.join("")).not.toContain("auth ");
    talk.take(talk.stream.secured()).hear(OPEN, mechanisms("PLAIN"));
    expect(talk.last).toContain(btoa("\0focus\0pencil"));
    talk.hear(`<success xmlns='${NS.sasl}'/>`, OPEN, BIND);
    expect(talk.last).toContain("<resource>focus</resource>");
    talk.hear(BOUND);
    expect(talk.last).toBe(`<enable xmlns="${NS.sm}" resume="true"/>`);
    talk.hear(`<enabled xmlns='${NS.sm}' id='r' resume='true'/>`);
    expect(talk.events.at(-1)).toEqual({ kind: "online", jid: "focus@auth.test/focus", resumed: false });
  });

  test("what comes in clear behind <proceed/> is not believed", () => {
    const talk = new Dialogue().connect().hear(OPEN, `${STARTTLS}<proceed xmlns='${NS.tls}'/>${mechanisms("PLAIN")}`);
    expect(talk.kinds()).toEqual(["start-tls"]);
    expect(talk.last).toContain("starttls");
  });

  test("a server without STARTTLS is left", () => {
    const talk = new Dialogue().connect().hear(OPEN, mechanisms("PLAIN"));
    expect(talk.events).toEqual([{ kind: "close", reason: "the server offers no STARTTLS: nothing is sent in clear" }]);
  });

  test("SCRAM-SHA-256 before SCRAM-SHA-1 before PLAIN", () => {
    const chosen = (...names: string[]): string | undefined => {
      const talk = new Dialogue().connect().hear(OPEN, STARTTLS, `<proceed xmlns='${NS.tls}'/>`);
      talk.take(talk.stream.secured()).hear(OPEN, mechanisms(...names));
      return /mechanism="([^"]+)"/.exec(talk.last)?.[1];
    };
    expect(chosen("PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256")).toBe("SCRAM-SHA-256");
    expect(chosen("PLAIN", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-1")).toBe("SCRAM-SHA-1");
    expect(chosen("OAUTHBEARER", "PLAIN")).toBe("PLAIN");
    expect(chosen("OAUTHBEARER")).toBeUndefined();
  });

  test("a server that does not know the password is left", () => {
    const talk = new Dialogue().connect().hear(OPEN, STARTTLS, `<proceed xmlns='${NS.tls}'/>`);
    talk.take(talk.stream.secured()).hear(OPEN, mechanisms("SCRAM-SHA-1"));
    const challenge = "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096";
    talk.hear(`<challenge xmlns='${NS.sasl}'>${btoa(challenge)}</challenge>`);
    talk.hear(`<success xmlns='${NS.sasl}'>${btoa("v=AAAAAAAAAAAAAAAAAAAAAAAAAAA=")}</success>`);
    expect(talk.events.at(-1)).toMatchObject({
      kind: "close",
      reason: expect.stringContaining("does not know the password"),
    });
  });

  test("a wrong password is said in words", () => {
    const talk = new Dialogue().connect().hear(OPEN, STARTTLS, `<proceed xmlns='${NS.tls}'/>`);
    talk
      .take(talk.stream.secured())
      .hear(OPEN, mechanisms("PLAIN"), `<failure xmlns='${NS.sasl}'><not-authorized/></failure>`);
    expect(talk.events.at(-1)).toMatchObject({ reason: "login refused (not-authorized: wrong user or password)" });
  });

  test("a login that goes on forever is given up", () => {
    const talk = new Dialogue().connect().hear(OPEN).wait(15_000);
    expect(talk.events).toEqual([{ kind: "close", reason: "login timed out" }]);
  });

  test.each(["<a><b></a>", "<unclosed", "&nope;", "<a>&nope;</a>", `<a>${"<b>".repeat(100)}`, "</stream:stream>"])(
    "%p in the middle of it ends the connection at most",
    (garbage) => {
      const talk = new Dialogue().online().hear(garbage);
      for (const event of talk.events) expect(["start-tls", "online", "close"]).toContain(event.kind);
    },
  );
});

describe("stream management", () => {
  test("without resumption it is asked for without, and the end of the connection is the end of the session", () => {
    const talk = new Dialogue({ streamManagement: "without-resumption" }).online(`<enabled xmlns='${NS.sm}'/>`);
    expect(talk.last).toBe(`<enable xmlns="${NS.sm}"/>`);
    talk.take(talk.stream.disconnected("gone"));
    expect(talk.events.at(-1)).toEqual({ kind: "offline", reason: "gone" });
    expect(talk.stream.send(xml("presence"))).toBeUndefined();
  });

  test("stanzas are counted and acknowledged", () => {
    const talk = new Dialogue().online().hear("<message/>", "<presence/>", `<r xmlns='${NS.sm}'/>`);
    expect(talk.last).toBe(`<a xmlns="${NS.sm}" h="2"/>`);
    expect(talk.kinds().filter((each) => each === "stanza")).toHaveLength(2);
  });

  test("what was not acknowledged is sent again after resumption, in order, and nothing twice", () => {
    const talk = new Dialogue().online();
    for (const id of ["m1", "m2", "m3"]) talk.take(talk.stream.send(xml("message", { id })));
    talk.hear(`<a xmlns='${NS.sm}' h='1'/>`);
    talk.take(talk.stream.disconnected("lost"));
    expect(talk.kinds()).not.toContain("offline");
    talk.take(talk.stream.send(xml("message", { id: "m4" })));
    talk.written.length = 0;
    talk.connect().hear(OPEN, STARTTLS, `<proceed xmlns='${NS.tls}'/>`).take(talk.stream.secured());
    talk.hear(OPEN, mechanisms("PLAIN"), `<success xmlns='${NS.sasl}'/>`, OPEN, BIND);
    expect(talk.last).toBe(`<resume xmlns="${NS.sm}" h="0" previd="res1"/>`);
    talk.hear(`<resumed xmlns='${NS.sm}' previd='res1' h='2'/>`);
    expect(talk.last).toBe('<message id="m3"/><message id="m4"/>');
    expect(talk.events.at(-1)).toEqual({ kind: "online", jid: "focus@auth.test/focus", resumed: true });
  });

  test("a session that cannot be resumed is over before the new one begins", () => {
    const talk = new Dialogue().online();
    talk.take(talk.stream.disconnected("lost"));
    talk.connect().hear(OPEN, STARTTLS, `<proceed xmlns='${NS.tls}'/>`).take(talk.stream.secured());
    talk.hear(OPEN, mechanisms("PLAIN"), `<success xmlns='${NS.sasl}'/>`, OPEN, BIND);
    talk.hear(`<failed xmlns='${NS.sm}'><item-not-found xmlns='${NS.stanzas}'/></failed>`);
    expect(talk.events.at(-1)).toEqual({ kind: "offline", reason: "the session could not be resumed" });
    talk.hear(BOUND, `<enabled xmlns='${NS.sm}' id='res2' resume='1'/>`);
    expect(talk.events.at(-1)).toMatchObject({ kind: "online", resumed: false });
  });

  test("an impossible acknowledgement ends the session; the counter may wrap", () => {
    const talk = new Dialogue().online().hear(`<a xmlns='${NS.sm}' h='5'/>`);
    expect(talk.kinds().slice(-2)).toEqual(["offline", "close"]);
    const fine = new Dialogue().online();
    fine.take(fine.stream.send(xml("message"))).hear(`<a xmlns='${NS.sm}' h='1'/>`, `<a xmlns='${NS.sm}' h='1'/>`);
    expect(fine.kinds()).not.toContain("close");
  });

  test("a server that acknowledges nothing is given up, not remembered without end", () => {
    const talk = new Dialogue().online();
    for (let i = 0; i <= 5_000; i++) talk.take(talk.stream.send(xml("message")));
    expect(talk.kinds().slice(-2)).toEqual(["offline", "close"]);
  });
});

describe("ping", () => {
  test("every 30 s; silence for 15 s more ends the connection; any stanza is a sign of life", () => {
    const talk = new Dialogue().online().wait(30_000);
    expect(talk.written.some((each) => each.includes(NS.ping) && each.includes('to="auth.test"'))).toBe(true);
    talk.wait(10_000).hear("<presence/>").wait(5_000);
    expect(talk.kinds()).not.toContain("close");
    talk.wait(15_000).wait(15_000);
    expect(talk.events.at(-1)).toEqual({ kind: "close", reason: "ping timed out" });
  });
  test("its answer is nobody's business", () => {
    const talk = new Dialogue().online().wait(30_000).hear("<iq type='result' id='ping-1' from='auth.test'/>");
    expect(talk.kinds()).not.toContain("stanza");
  });
});

describe("component", () => {
  const component = (): Dialogue =>
    new Dialogue({ domain: "focus.test", identity: { kind: "component", secret: "s3cret" }, streamManagement: "off" })
      .connect(true)
      .hear(`<stream:stream xmlns='${NS.component}' xmlns:stream='${NS.stream}' id='abc' from='focus.test'>`);
  test("the handshake is the digest of id and secret; stanzas change their namespace on the way", () => {
    const talk = component();
    expect(talk.last).toBe(`<handshake>${createHash("sha1").update("abcs3cret").digest("hex")}</handshake>`);
    talk.hear("<handshake/>", "<iq type='get' id='1' from='x@y' to='focus.test'><q xmlns='u'/></iq>");
    expect(talk.kinds()).toEqual(["online", "stanza"]);
    const [, arrived] = talk.events;
    expect(arrived?.kind === "stanza" && attr(arrived.stanza, "xmlns")).toBe(NS.client);
    talk.take(talk.stream.send(xml("iq", { xmlns: NS.client, type: "result" }, xml("q", { xmlns: "u" }))));
    expect(talk.last).toBe('<iq type="result"><q xmlns="u"/></iq>');
  });
  test("a wrong secret is a stream error", () => {
    const talk = component().hear(`<stream:error><not-authorized xmlns='${NS.streams}'/></stream:error>`);
    expect(talk.events.at(-1)).toEqual({ kind: "close", reason: "stream error not-authorized" });
  });
});

describe("SCRAM", () => {
  test("RFC 5802 §5", () => {
    const scram = new ScramClient("SCRAM-SHA-1", "user", "pencil", "fyko+d2lbbFgONRv9qkxdawL");
    expect(scram.first()).toBe("n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL");
    expect(scram.respond("r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096")).toEqual({
      kind: "response",
      data: "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
    });
    expect(scram.verify("v=rmF9pqV8S7suAoZWja4dJRkFsKQ=")).toBe(true);
    expect(scram.verify("v=rmF9pqV8S7suAoZWja4dJRkFsKA=")).toBe(false);
    expect(scram.verify("e=other-error")).toBe(false);
  });
  test("RFC 7677 §3", () => {
    const scram = new ScramClient("SCRAM-SHA-256", "user", "pencil", "rOprNGfwEbeRWgbNEkqO");
    expect(
      scram.respond("r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"),
    ).toEqual({
      kind: "response",
      data: "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
    });
    expect(scram.verify("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")).toBe(true);
  });
  test.each([
    "",
    "r=other,s=QSXCR,i=1",
    "r=n0123456789012345,s=QSXC,i=1",
    "r=n0123456789012345x,s=QSXC,i=0",
    "r=n0123456789012345x,s=QSXC,i=99999999",
    "r=n0123456789012345x,i=5",
  ])("%p is refused", (message) =>
    expect(new ScramClient("SCRAM-SHA-1", "u", "p", "n0123456789012345").respond(message).kind).toBe("failed"),
  );
  test("names with commas and equal signs are escaped", () => {
    expect(new ScramClient("SCRAM-SHA-1", "a=b,c", "p", "nonce").first()).toBe("n,,n=a=3Db=2Cc,r=nonce");
    expect(
      createHmac("sha1", pbkdf2Sync("p", "s", 1, 20, "sha1"))
        .update("x")
        .digest().length,
    ).toBe(20);
  });
});

describe("the parser", () => {
  const parser = () => new XmppStreamParser({ stanzaLength: 1000, depth: 5 });
  test("any cut of the text gives the same stanzas", () => {
    const source = `${OPEN}<message to='a'><body>x &amp; \u{1F600}</body></message> <presence/><iq id='1'><q xmlns='u'><r/></q><![CDATA[a]b]]></iq>`;
    const whole = JSON.stringify(
      parser()
        .write(source)
        .map((each) => (each.kind === "element" ? String(each.element) : each.kind)),
    );
    for (let cut = 1; cut < source.length; cut++) {
      const parts = parser();
      const events = [...parts.write(source.slice(0, cut)), ...parts.write(source.slice(cut))];
      expect(JSON.stringify(events.map((each) => (each.kind === "element" ? String(each.element) : each.kind)))).toBe(
        whole,
      );
    }
  });
  test("too long, too deep: a fault, and silence from then on", () => {
    for (const bad of [`<a>${"x".repeat(2000)}`, `<a b='${"x".repeat(2000)}`, "<a><b><c><d><e><f>"]) {
      const one = parser();
      one.write(OPEN);
      expect(one.write(bad).at(-1)?.kind).toBe("fault");
      expect(one.write("<message/>")).toEqual([]);
    }
  });
  test("white space keeps the connection alive for ever", () => {
    const one = parser();
    one.write(OPEN);
    for (let i = 0; i < 5_000; i++) one.write(" ");
    expect(one.write("<message/>")).toHaveLength(1);
  });
});
