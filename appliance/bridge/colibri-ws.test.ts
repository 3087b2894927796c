/**
 * The WebSockets that the bridge opens toward other bridges, over real sockets.
 */
import { expect, test } from "bun:test";
import { useRealTime } from "../../tests/real-time.ts";
import { startColibriWs } from "./colibri-ws.ts";
import type { ChannelId } from "./context.ts";

useRealTime();

test("a relay channel closed by us is closed with 1001: with any other code the other bridge would open it again", async () => {
  const closed = Promise.withResolvers<{ readonly code: number; readonly reason: string }>();
  const other = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request, server) => (server.upgrade(request) ? undefined : new Response(null, { status: 400 })),
    websocket: { message() {}, close: (_, code, reason) => closed.resolve({ code, reason }) },
  });
  const open = Promise.withResolvers<ChannelId>();
  const ours = startColibriWs(
    { host: "127.0.0.1", port: 0 },
    { kind: "insecure" },
    {
      refusal: () => 404,
      newChannel: () => 2,
      opened() {},
      dialled: (channel) => open.resolve(channel),
      text() {},
      closed() {},
      dropped: (reason) => open.reject(new Error(reason)),
    },
  );
  ours.dial(1, `ws://127.0.0.1:${other.port}/colibri-relay-ws/jvb/c/r?pwd=x`, {});
  ours.close(await open.promise, 1001, "relay_closed");
  expect(await closed.promise).toEqual({ code: 1001, reason: "relay_closed" });
  await ours.stop();
  await other.stop(true);
});
