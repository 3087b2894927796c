import { expect, test } from "bun:test";
import { fault } from "../muc/house.ts";
import { ANA, BEN, CLEO, jsonFrom, Meeting } from "./meeting-fixture.ts";

const JITMEET = "http://jitsi.org/jitmeet";
const file = { fileId: "f1", fileName: "plan.pdf", fileSize: 12, fileType: "pdf", timestamp: 1 };
const add = (m: Meeting, who: Meeting["ana"], json: object | string) =>
  m.tell(
    who,
    "filesharing",
    `<file-sharing xmlns="${JITMEET}" type="add">${typeof json === "string" ? json : JSON.stringify(json)}</file-sharing>`,
  );
const remove = (m: Meeting, who: Meeting["ana"], fileId: string) =>
  m.tell(who, "filesharing", `<file-sharing xmlns="${JITMEET}" type="remove" fileId="${fileId}"/>`);
const meeting = (who: readonly string[] = [ANA, BEN]): Meeting => new Meeting({ fileSharing: true }, who);

test("a moderator's file is told to all with its real author, newcomers get the list, removed for all", () => {
  const m = meeting();
  add(m, m.ana, { ...file, authorParticipantName: "somebody else" });
  const told = {
    ...file,
    authorParticipantId: ANA,
    authorParticipantJid: m.ana.jid,
    authorParticipantName: "Ana",
  };
  for (const each of [m.ana, m.ben])
    expect(jsonFrom(each.take(), "filesharing")).toEqual([{ type: "file-sharing", event: "add", file: told }]);
  expect(jsonFrom(m.cleo.join(m.room, CLEO), "filesharing")).toEqual([
    { type: "file-sharing", event: "list", files: { f1: told } },
  ]);
  expect(jsonFrom(m.focus.take(), "filesharing")).toEqual([]);
  m.clear();
  remove(m, m.ana, "f1");
  expect(jsonFrom(m.cleo.take(), "filesharing")).toEqual([{ type: "file-sharing", event: "remove", fileId: "f1" }]);
});

test("not by participants, strangers, without sense, twice or without end", () => {
  const m = meeting();
  expect(fault(add(m, m.ben, file)[0])).toBe("cancel/not-allowed");
  expect(fault(add(m, m.cleo, file)[0])).toBe("cancel/service-unavailable");
  expect(fault(add(m, m.ana, "nonsense")[0])).toBe("modify/bad-request");
  expect(fault(add(m, m.ana, { fileName: "x" })[0])).toBe("modify/bad-request");
  expect(fault(add(m, m.ana, { ...file, fileName: "x".repeat(5_000) })[0])).toBe("modify/policy-violation");
  expect(fault(remove(m, m.ana, "f1")[0])).toBe("cancel/item-not-found");
  add(m, m.ana, file);
  m.clear();
  expect(fault(add(m, m.ana, file)[0])).toBe("cancel/conflict");
  expect(fault(remove(m, m.ben, "f1")[0])).toBe("cancel/not-allowed");
  for (let count = 2; count <= 100; count++) {
    m.house.wait(1_000);
    add(m, m.ana, { ...file, fileId: `f${count}` });
  }
  m.clear();
  m.house.wait(1_000);
  expect(fault(add(m, m.ana, { ...file, fileId: "more" })[0])).toBe("wait/resource-constraint");
});

test("only where it is switched on, and then advertised", () => {
  const identities = (m: Meeting) => m.house.hosts.flatMap((host) => host.advertised ?? []).map((each) => each.type);
  expect(identities(meeting())).toContain("file-sharing");
  expect(identities(new Meeting())).not.toContain("file-sharing");
});
