import { describe, expect, test } from "bun:test";
import { createHash, createHmac, pbkdf2Sync } from "node:crypto";
import { readClientFirst, type ScramHash, scramCredentials, serverFirst, verifyClientFinal } from "./scram.ts";

interface Vector {
  readonly name: string;
  readonly hash: ScramHash;
  readonly clientFirst: string;
  readonly serverNonce: string;
  readonly salt: string;
  readonly serverFirst: string;
  readonly clientFinal: string;
  readonly serverFinal: string;
}

const VECTORS: readonly Vector[] = [
  {
    name: "RFC 5802 §5",
    hash: "sha1",
    clientFirst: "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
    serverNonce: "3rfcNHYJY1ZVvWVs7j",
    salt: "QSXCR+Q6sek8bf92",
    serverFirst: "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
    clientFinal: "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
    serverFinal: "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
  },
  {
    name: "RFC 7677 §3",
    hash: "sha256",
    clientFirst: "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
    serverNonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
    salt: "W22ZaJ0SNY7soEsUEjb6gQ==",
    serverFirst: "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
    clientFinal:
      "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
    serverFinal: "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
  },
];

for (const vector of VECTORS)
  test(vector.name, () => {
    const first = readClientFirst(vector.clientFirst);
    if (first === undefined) throw new Error("client-first not read");
    const credentials = scramCredentials("pencil", Buffer.from(vector.salt, "base64"), 4096);
    const challenge = serverFirst(first, vector.serverNonce, credentials);
    expect(challenge).toBe(vector.serverFirst);
    const keys = credentials[vector.hash];
    expect(verifyClientFinal(vector.hash, keys, first, challenge, undefined, vector.clientFinal)).toBe(
      vector.serverFinal,
    );
    const wrongProof = vector.clientFinal.replace(/p=.{4}/, "p=AAAA");
    for (const wrong of [
      wrongProof,
      vector.clientFinal.replace("c=biws", "c=eSws"),
      vector.clientFinal.replace(/,r=./, ",r=_"),
      "",
      "p=",
      `${vector.clientFinal},x=1`,
    ])
      expect(verifyClientFinal(vector.hash, keys, first, challenge, undefined, wrong)).toBeUndefined();
  });

test("channel binding: the data must be the stream's", () => {
  const first = readClientFirst("p=tls-exporter,,n=user,r=abc");
  if (first === undefined) throw new Error("not read");
  expect(first.binding).toEqual({ type: "tls-exporter" });
  const credentials = scramCredentials("pencil", Buffer.from("salt"), 8);
  const challenge = serverFirst(first, "def", credentials);
  const final = (binding: string): string => {
    const without = `c=${Buffer.from(`p=tls-exporter,,${binding}`).toString("base64")},r=abcdef`;
    const salted = pbkdf2Sync("pencil", "salt", 8, 32, "sha256");
    const clientKey = createHmac("sha256", salted).update("Client Key").digest();
    const stored = createHash("sha256").update(clientKey).digest();
    const signature = createHmac("sha256", stored).update(`n=user,r=abc,${challenge},${without}`).digest();
    return `${without},p=${Buffer.from(clientKey.map((byte, at) => byte ^ (signature[at] ?? 0))).toString("base64")}`;
  };
  expect(
    verifyClientFinal("sha256", credentials.sha256, first, challenge, Buffer.from("exported"), final("exported")),
  ).toStartWith("v=");
  expect(
    verifyClientFinal("sha256", credentials.sha256, first, challenge, Buffer.from("exported"), final("somebody's")),
  ).toBeUndefined();
  expect(
    verifyClientFinal("sha256", credentials.sha256, first, challenge, Buffer.from("exported"), final("")),
  ).toBeUndefined();
});

describe("client-first", () => {
  test("names with , and = in them, and an authorization identity", () => {
    expect(readClientFirst("y,a=x@y,n=a=2Cb=3D,r=n")).toMatchObject({
      user: "a,b=",
      authzid: "x@y",
      binding: "y",
      gs2Header: "y,a=x@y,",
      bare: "n=a=2Cb=3D,r=n",
    });
  });
  test("what is none", () => {
    for (const wrong of [
      "",
      "n,,",
      "n,,n=a",
      "n,,n=,r=x",
      "n,,n=a=2,r=x",
      "n,,n=a=2c,r=x",
      "n,,m=ext,n=a,r=x",
      "n,n=a,r=x",
      "p=,,n=a,r=x",
      "q,,n=a,r=x",
      "n,,n=a,r=\u0001",
      `n,,n=a,r=${"x".repeat(600)}`,
    ])
      expect(readClientFirst(wrong)).toBeUndefined();
  });
});
