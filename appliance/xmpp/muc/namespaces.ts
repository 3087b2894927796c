/**
 * XML namespaces that only rooms and their features use; the shared ones are in wire/namespaces.ts.
 */
export const MUC_NS = {
  request: "http://jabber.org/protocol/muc#request",
  stableId: "http://jabber.org/protocol/muc#stable_id",
  occupantId: "urn:xmpp:occupant-id:0",
  conference: "jabber:x:conference",
  stanzaId: "urn:xmpp:sid:0",
  validate: "http://jabber.org/protocol/xdata-validate",
  displayName: "http://jitsi.org/protocol/display-name",
} as const;
