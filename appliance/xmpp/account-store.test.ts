import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openAccountStore } from "./account-store.ts";
import { stranger } from "./roster/contact.ts";
import { scramCredentials } from "./scram.ts";

test("what is written is what the next start reads; what is gone is gone", () => {
  const folder = mkdtempSync(join(tmpdir(), "parley-accounts-"));
  try {
    const path = join(folder, "parley.sqlite");
    const scram = scramCredentials("pencil", Buffer.from("salt of 16 bytes"), 8);
    const ben = { ...stranger("ben@x"), listed: true, name: "Ben", groups: ["Work", "Chess"], to: true };
    const first = openAccountStore(path);
    expect(first.stored).toEqual({ accounts: [], rosters: new Map(), privateStorage: new Map() });
    for (const user of ["ana", "eve"]) first.apply({ type: "account", account: { user, domain: "meet.test", scram } });
    first.apply({ type: "contact", account: "ana@meet.test", version: 1, contact: ben });
    first.apply({ type: "contact", account: "ana@meet.test", version: 2, contact: { ...ben, jid: "cat@x" } });
    first.apply({ type: "contact", account: "eve@meet.test", version: 1, contact: ben });
    first.apply({ type: "contact-gone", account: "ana@meet.test", version: 3, jid: "cat@x" });
    for (const account of ["ana@meet.test", "eve@meet.test"])
      first.apply({ type: "private", account, key: "a urn:a", xml: '<a xmlns="urn:a"/>' });
    first.apply({ type: "private-gone", account: "eve@meet.test" });
    first.apply({ type: "account-gone", user: "eve", domain: "meet.test" });
    first.apply({ type: "roster-gone", account: "eve@meet.test" });
    first.close();
    expect(statSync(path).mode & 0o077).toBe(0);
    const second = openAccountStore(path);
    expect(second.stored).toEqual({
      accounts: [{ user: "ana", domain: "meet.test", scram }],
      rosters: new Map([["ana@meet.test", { version: 3, contacts: [ben] }]]),
      privateStorage: new Map([["ana@meet.test", new Map([["a urn:a", '<a xmlns="urn:a"/>']])]]),
    });
    second.close();
  } finally {
    rmSync(folder, { recursive: true });
  }
});
