/**
 * A BOSH client for dialogues with the server's core.
 */
import { expect } from "bun:test";
import { NS } from "../appliance/wire/namespaces.ts";
import { attr, type Element, parse } from "../appliance/wire/xml.ts";
import type { RequestId } from "../appliance/xmpp/server-io.ts";
import type { DialogueServer } from "./xmpp-dialogue.ts";

/** A BOSH client: posts bodies, collects answers by request. */
export class BoshPoster {
  readonly answers = new Map<RequestId, Element>();
  sid = "";
  rid = 1575549468;
  jid = "";

  constructor(
    readonly box: DialogueServer,
    readonly query: Record<string, string> = {},
  ) {}

  raw(body: string): RequestId {
    const request = this.box.nextRequest();
    this.box.feed({ type: "bosh-request", request, origin: { remoteAddress: "192.0.2.9", query: this.query }, body });
    this.collect();
    return request;
  }

  post(payload = "", attributes = "", rid = ++this.rid): RequestId {
    return this.raw(
      `<body xmlns="${NS.httpbind}" rid="${rid}" sid="${this.sid}" xmlns:xmpp="${NS.xbosh}" ${attributes}>${payload}</body>`,
    );
  }

  collect(): void {
    for (const action of this.box.actions.splice(0))
      if (action.type === "http-answer") {
        const body = parse(action.body);
        if (body === undefined) throw new Error(`no XML: ${action.body}`);
        if (this.answers.has(action.request)) throw new Error("answered twice");
        this.answers.set(action.request, body);
      }
  }

  answer(request: RequestId): Element {
    this.collect();
    const body = this.answers.get(request);
    if (body === undefined) throw new Error("not answered");
    return body;
  }

  waits(request: RequestId): boolean {
    this.collect();
    return !this.answers.has(request);
  }

  open(attributes = `hold="1" wait="60"`): Element {
    const request = this.raw(
      `<body content="text/xml; charset=utf-8" rid="${this.rid}" to="meet.test" ver="1.6" xml:lang="en" xmlns="${NS.httpbind}" xmlns:xmpp="${NS.xbosh}" xmpp:version="1.0" ${attributes}/>`,
    );
    const body = this.answer(request);
    this.sid = attr(body, "sid") ?? "";
    return body;
  }

  login(): void {
    this.open();
    expect(
      this.answer(this.post(`<auth mechanism="ANONYMOUS" xmlns="${NS.sasl}"/>`)).getChild("success"),
    ).toBeDefined();
    expect(this.answer(this.post("", `to="meet.test" xmpp:restart="true"`)).toString()).toContain("<bind");
    const bound = this.answer(
      this.post(`<iq id="_bind_auth_2" type="set" xmlns="jabber:client"><bind xmlns="${NS.bind}"/></iq>`),
    );
    this.jid = bound.getChild("iq")?.getChild("bind")?.getChildText("jid") ?? "";
    expect(this.jid).toMatch(/@meet\.test\//);
  }
}
