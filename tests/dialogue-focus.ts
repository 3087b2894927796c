/**
 * Tests only: a service that logs in over STARTTLS with PLAIN and sits in a room, by hand.
 */
import net from "node:net";
import tls from "node:tls";
import { NS } from "../appliance/wire/namespaces.ts";
import { Wire } from "./wire.ts";

export class DialogueFocus {
  private constructor(
    readonly wire: Wire,
    private readonly socket: tls.TLSSocket,
  ) {}

  /** Logs in as focus and joins (so makes) the room as `focus`. */
  static async join(port: number, domain: string, room: string): Promise<DialogueFocus> {
    const header = `<stream:stream xmlns='jabber:client' xmlns:stream='${NS.stream}' to='${domain}' version='1.0'>`;
    const bare = net.connect(port, "127.0.0.1");
    const before = new Wire((text) => bare.write(text));
    bare.on("data", (bytes) => before.heard(bytes.toString()));
    bare.on("close", () => before.gone());
    before.send(header);
    await before.until("</stream:features>");
    before.send(`<starttls xmlns="${NS.tls}"/>`);
    await before.until("<proceed");
    bare.removeAllListeners("data");
    const socket = tls.connect({ socket: bare, rejectUnauthorized: false });
    await new Promise((resolve) => socket.once("secureConnect", resolve));
    const wire = new Wire((text) => socket.write(text));
    socket.on("data", (bytes) => wire.heard(bytes.toString()));
    wire.send(header);
    await wire.until("</stream:features>");
    wire.send(`<auth xmlns="${NS.sasl}" mechanism="PLAIN">${Buffer.from("\0focus\0secret").toString("base64")}</auth>`);
    await wire.until("<success");
    wire.send(header);
    await wire.until("</stream:features>");
    wire.send(`<iq type="set" id="b"><bind xmlns="${NS.bind}"><resource>focus</resource></bind></iq>`);
    await wire.until("</iq>");
    wire.send(`<presence/><presence to="${room}/focus"><x xmlns="${NS.muc}"/></presence>`);
    await wire.until(/110/);
    return new DialogueFocus(wire, socket);
  }

  end(): void {
    this.socket.destroy();
  }
}
