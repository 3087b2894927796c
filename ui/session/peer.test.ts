/**
 * The peer against a connection that is as strict about senders as browsers are (W3C webrtc, RTCRtpSender.setParameters): a call is carried out a while
 * later and then needs parameters got since the last one was; what is refused is lost.
 */
import { afterEach, beforeEach, expect, spyOn, test } from "bun:test";
import { CAMERA_MID } from "./own-sources.ts";
import { Peer } from "./peer.ts";

class StrictSender {
  readonly track = null;
  /** The layers that are sent. */
  active: readonly boolean[] = [true, true, true];
  refuse = 0;
  accepted = 0;
  #got = false;
  waiting: PromiseWithResolvers<void>[] = [];
  onAccepted: () => void = () => {};

  getParameters(): { encodings: { active: boolean }[] } {
    this.#got = true;
    return { encodings: this.active.map((active) => ({ active })) };
  }

  async setParameters(parameters: { encodings: { active: boolean }[] }): Promise<void> {
    const gate = Promise.withResolvers<void>();
    this.waiting.push(gate);
    await gate.promise;
    if (!this.#got || this.refuse-- > 0) throw new DOMException("not now", "InvalidStateError");
    this.#got = false;
    this.active = parameters.encodings.map(({ active }) => active);
    this.accepted++;
    this.onAccepted();
  }

  /** The browser gets round to what it was asked. */
  async work(): Promise<void> {
    for (let gate = this.waiting.shift(); gate !== undefined; gate = this.waiting.shift()) {
      gate.resolve();
      for (let turn = 0; turn < 10; turn++) await Promise.resolve();
    }
  }
}

const sender = { current: new StrictSender() };
const globals = globalThis as { RTCPeerConnection?: unknown };
const before = globals.RTCPeerConnection;

beforeEach(() => {
  sender.current = new StrictSender();
  globals.RTCPeerConnection = class {
    addEventListener(): void {}
    getTransceivers(): unknown[] {
      return [{ mid: CAMERA_MID, sender: sender.current }];
    }
    close(): void {}
  };
});
afterEach(() => {
  globals.RTCPeerConnection = before;
});

const newPeer = (): Peer => new Peer({ iceServers: [], simulcast: true }, { state() {}, channel() {} });

test("two wishes of the bridge at once: the last one holds", async () => {
  const peer = newPeer();
  const wishes = [peer.setWanted("camera", 0), peer.setWanted("camera", 180)];
  await sender.current.work();
  await Promise.all(wishes);
  expect(sender.current.active).toEqual([true, false, false]);
  expect(sender.current.accepted).toBe(2);
});

test("any run of wishes, whenever the browser gets round to them, ends with the last one", async () => {
  const peer = newPeer();
  const wishes: Promise<void>[] = [];
  const heights = [0, 180, -1, 0, 360, 0, 180, 720, 0, -1, 360];
  for (const [index, height] of heights.entries()) {
    wishes.push(peer.setWanted("camera", height));
    if (index % 3 === 1) await sender.current.work();
  }
  await sender.current.work();
  await Promise.all(wishes);
  expect(sender.current.active).toEqual([true, true, false]);
});

test("what the browser refuses is tried again", async () => {
  const warn = spyOn(console, "warn").mockImplementation(() => {});
  const peer = newPeer();
  const { current } = sender;
  current.refuse = 2;
  const wish = peer.setWanted("camera", 0);
  const taken = new Promise<void>((done) => {
    current.onAccepted = done;
  });
  const working = setInterval(() => void current.work(), 10);
  await taken;
  clearInterval(working);
  await wish;
  expect(warn).toHaveBeenCalledTimes(2);
  warn.mockRestore();
  expect(current.active).toEqual([false, false, false]);
});
