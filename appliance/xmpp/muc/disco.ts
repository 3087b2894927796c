/**
 * Service discovery of a MUC service and its rooms, XEP-0030, XEP-0045 §6 (signaling.md 3.6).
 */
import { NS } from "../../wire/namespaces.ts";
import { iqResult } from "../../wire/stanza.ts";
import { attr, type Element, xml } from "../../wire/xml.ts";
import type { Sender } from "../host.ts";
import { formElement } from "./data-form.ts";
import { roomName } from "./description.ts";
import { MUC_NS } from "./namespaces.ts";
import { isPublic } from "./public.ts";
import type { Room } from "./room.ts";
import type { MucServiceView } from "./service-view.ts";
import type { Turn } from "./turn.ts";

/** XEP-0045 §7.12. */
const OWN_NICK = "x-roomuser-item";
const ROOM_FEATURES = [NS.muc, MUC_NS.stableId, NS.mucSelfPing, MUC_NS.occupantId, MUC_NS.request];
const SERVICE_FEATURES = [NS.discoInfo, NS.discoItems, NS.muc, NS.ping, MUC_NS.occupantId];

const feature = (name: string): Element => xml("feature", { var: name });

const nameOf = (room: Room): string | undefined => {
  const given = roomName(room);
  return given === "" ? room.jid.local : given;
};

export function answerRoomDisco(
  service: MucServiceView,
  turn: Turn,
  room: Room,
  sender: Sender,
  stanza: Element,
  query: Element,
) {
  const inside = room.occupantOf(sender) !== undefined || sender.admin;
  if (service.options.hidesRooms && !inside) return service.refuse(turn, stanza, { error: { condition: "forbidden" } });
  const node = attr(query, "node");
  if (query.getNS() === NS.discoItems) {
    // In meetings who is inside is told by presence alone; upstream's list is empty, too.
    const shown = service.options.hidesRooms ? [] : [...room.occupants.all()];
    const items = shown.map((each) => xml("item", { jid: room.occupantJid(each), name: each.nick }));
    return turn.send(iqResult(stanza, xml("query", { xmlns: NS.discoItems, node }, items)));
  }
  if (node === OWN_NICK && service.features.some((each) => each.ownNick !== undefined)) {
    const [nick] = service.features.flatMap((each) => each.ownNick?.(room, sender) ?? []);
    const identity = nick !== undefined && xml("identity", { category: "conference", type: "text", name: nick });
    return turn.send(iqResult(stanza, xml("query", { xmlns: NS.discoInfo, node }, identity)));
  }
  if (node !== undefined) return service.refuse(turn, stanza, { error: { condition: "item-not-found" } });
  const parts = service.features.map((each) => each.roomInfo?.(room));
  const fields = parts.flatMap((each) => each?.fields ?? []);
  turn.send(
    iqResult(
      stanza,
      xml(
        "query",
        { xmlns: NS.discoInfo },
        xml("identity", { category: "conference", type: "text", name: nameOf(room) }),
        [...ROOM_FEATURES, ...parts.flatMap((each) => each?.features ?? [])].map(feature),
        formElement({ type: "result", formType: NS.mucRoomInfo }, [
          ...fields,
          {
            type: "text-single",
            name: "muc#roominfo_occupants",
            label: "Number of occupants",
            values: [String(room.occupants.size)],
          },
        ]),
      ),
    ),
  );
}

export function answerServiceDisco(
  service: MucServiceView,
  turn: Turn,
  sender: Sender,
  stanza: Element,
  query: Element,
) {
  const node = attr(query, "node");
  if (query.getNS() === NS.discoItems) {
    const rooms =
      service.options.hidesRooms && !sender.admin
        ? []
        : [...service.rooms()].filter((room) => isPublic(room, !service.options.hidesRooms));
    return turn.send(
      iqResult(
        stanza,
        xml(
          "query",
          { xmlns: NS.discoItems, node },
          rooms.map((room) => xml("item", { jid: room.jidText, name: nameOf(room) })),
        ),
      ),
    );
  }
  if (node !== undefined) {
    const features = service.options.discoNode?.(node, sender);
    if (features === undefined) return service.refuse(turn, stanza, { error: { condition: "item-not-found" } });
    return turn.send(iqResult(stanza, xml("query", { xmlns: NS.discoInfo, node }, features.map(feature))));
  }
  turn.send(
    iqResult(
      stanza,
      xml(
        "query",
        { xmlns: NS.discoInfo },
        xml("identity", { category: "conference", type: "text", name: service.options.name }),
        SERVICE_FEATURES.map(feature),
      ),
    ),
  );
}
