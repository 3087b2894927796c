import { describe, expect, test } from "bun:test";
import { SimulatedNetwork } from "../../simulated-network.ts";
import { candidateOf, link, Peer } from "./transport-pair.ts";

function pair(seed: number, network: SimulatedNetwork, bridgeSetup: "active" | "passive" = "active") {
  const bridge = new Peer(network, { name: "bridge", address: "10.0.0.1", seed });
  const client = new Peer(network, {
    name: "client",
    address: "10.0.0.2",
    seed: seed + 1,
    options: { controlling: false },
  });
  link(network, bridge, client);
  bridge.setRemote(client.signalled(bridgeSetup));
  client.setRemote({
    ...bridge.signalled(bridgeSetup === "active" ? "passive" : "active"),
    candidates: [candidateOf(bridge.path)],
  });
  return { bridge, client };
}

describe("two transports", () => {
  test("connect, with the same keys crosswise", () => {
    const network = new SimulatedNetwork({ seed: 1, delayMs: 10 });
    const { bridge, client } = pair(1, network);
    expect(
      network.run(() => bridge.transport.state === "connected" && client.transport.state === "connected", 5000),
    ).toBe(true);
    const ours = bridge.find("srtp-keys");
    const theirs = client.find("srtp-keys");
    expect(ours?.profile).toBe("AEAD_AES_128_GCM");
    expect(ours?.send).toEqual(theirs?.receive as never);
    expect(ours?.receive).toEqual(theirs?.send as never);
    console.log(network.now, bridge.actions.map((a) => a.type).join(" "), client.actions.map((a) => a.type).join(" "));
  });
});
