import { expect, test } from "bun:test";
import { parseCandidate, publishOffer, receiveAnswer, remoteTransport } from "./sdp.ts";

const local = { ufrag: "abcd", pwd: "0123456789abcdef012345", fingerprint: "AB:CD", address: "10.77.0.1", port: 4242 };

test("an offer to publish says what the traffic carries, and reads back as a transport", () => {
  const offer = publishOffer(local, { audioSsrc: 11, videoSsrc: 12, video: true });
  for (const line of [
    "a=group:BUNDLE 0 1",
    "a=ssrc:11 cname:bench",
    "a=rtpmap:100 VP8/90000",
    "a=rtcp-fb:100 nack pli",
    "a=setup:actpass",
  ])
    expect(offer).toContain(`${line}\r\n`);
  expect(offer).toEndWith("\r\n");
  expect(remoteTransport(offer)).toEqual({
    ufrag: "abcd",
    pwd: "0123456789abcdef012345",
    fingerprints: [{ hash: "sha-256", value: "AB:CD", setup: "actpass" }],
    candidates: [
      {
        foundation: "1",
        component: 1,
        protocol: "udp",
        priority: 2_130_706_431,
        ip: "10.77.0.1",
        port: 4242,
        type: "host",
        generation: 0,
        id: "10.77.0.1-4242",
        network: "0",
      },
    ],
  });
  expect(publishOffer(local, { audioSsrc: 11, videoSsrc: 12, video: false })).not.toContain("m=video");
});

test("an answer takes every section as it was offered", () => {
  const offer = [
    ...["v=0", "o=- 5 5 IN IP4 1.2.3.4", "s=-", "t=0 0", "a=ice-ufrag:head", "a=fingerprint:SHA-256 aa:bb"],
    ...["m=audio 9 UDP/TLS/RTP/SAVPF 111", "a=mid:a1", "a=sendonly", "a=rtpmap:111 opus/48000/2", "a=ssrc:5 cname:x"],
    ...["m=video 5000 UDP/TLS/RTP/SAVPF 96 97", "a=mid:v1", "a=sendonly", "a=rtpmap:96 VP8/90000", "a=extmap:3 urn:x"],
    ...["m=video 9 UDP/TLS/RTP/SAVPF 96", "a=mid:v2", "a=inactive"],
    "",
  ].join("\r\n");
  const lines = receiveAnswer(offer, local).split("\r\n");
  expect(
    lines.filter((line) => /^(m=|a=mid|a=group|a=recvonly|a=inactive|a=rtpmap|a=extmap|a=ssrc)/.test(line)),
  ).toEqual([
    "a=group:BUNDLE a1 v1 v2",
    ...["m=audio 9 UDP/TLS/RTP/SAVPF 111", "a=mid:a1", "a=recvonly", "a=rtpmap:111 opus/48000/2"],
    ...["m=video 9 UDP/TLS/RTP/SAVPF 96 97", "a=mid:v1", "a=recvonly", "a=rtpmap:96 VP8/90000", "a=extmap:3 urn:x"],
    ...["m=video 9 UDP/TLS/RTP/SAVPF 96", "a=mid:v2", "a=inactive"],
  ]);
  expect(lines.filter((line) => line === "a=setup:active")).toHaveLength(3);
  expect(remoteTransport(offer)).toMatchObject({ ufrag: "head", fingerprints: [{ hash: "sha-256", value: "AA:BB" }] });
});

test("candidates: UDP over IPv4 alone", () => {
  expect(parseCandidate("candidate:7 1 UDP 99 10.0.0.1 5000 typ srflx raddr 0.0.0.0 rport 0")?.type).toBe("srflx");
  for (const other of [
    "candidate:7 1 tcp 99 10.0.0.1 9 typ host tcptype active",
    "candidate:7 1 udp 99 fe80::1 5000 typ host",
    "a=mid:0",
  ])
    expect(parseCandidate(other)).toBeUndefined();
});
