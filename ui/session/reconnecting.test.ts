import { describe, expect, test } from "bun:test";
import { MediaWatch } from "./media-watch.ts";
import { Reconnecting } from "./reconnecting.ts";
import { millis } from "./time.ts";

describe("the stream", () => {
  test("tries after 0.5, 1, 2, 4, 8 s, then every 8 s; resumable for a minute", () => {
    const core = new Reconnecting({ websocket: true, bosh: true });
    expect(core.first(millis(0))).toEqual({ at: millis(0), transport: "websocket", resume: false });
    core.connected();
    let now = 10_000;
    const waits: number[] = [];
    const resumes: boolean[] = [];
    for (let i = 0; i < 12; i += 1) {
      const attempt = core.lost(millis(now));
      expect(attempt.transport).toBe("websocket");
      waits.push(attempt.at - now);
      resumes.push(attempt.resume);
      now = attempt.at;
    }
    expect(waits).toEqual([500, 500, 1000, 2000, 4000, 8000, 8000, 8000, 8000, 8000, 8000, 8000]);
    expect(resumes.indexOf(false)).toBe(11); // 64 s after the loss
  });

  test("a socket that never opened: long-polling at once, and by turns until one works", () => {
    const core = new Reconnecting({ websocket: true, bosh: true });
    core.first(millis(0));
    expect(core.lost(millis(3000))).toEqual({ at: millis(3000), transport: "bosh", resume: false });
    expect(core.lost(millis(4000)).transport).toBe("websocket");
    expect(core.lost(millis(5000)).transport).toBe("bosh");
    core.connected();
    expect(core.lost(millis(9000))).toEqual({ at: millis(9500), transport: "bosh", resume: false });
  });

  test("without long-polling the socket is tried again and again", () => {
    const core = new Reconnecting({ websocket: true, bosh: false });
    core.first(millis(0));
    expect(core.lost(millis(0))).toMatchObject({ at: millis(500), transport: "websocket" });
  });

  test("back on a network: at once, and the waits begin anew", () => {
    const core = new Reconnecting({ websocket: true, bosh: false });
    core.connected();
    core.lost(millis(0));
    core.lost(millis(500));
    expect(core.online(millis(700))).toEqual({ at: millis(700), transport: "websocket", resume: true });
    expect(core.awayMs(millis(700))).toBe(700);
    expect(core.lost(millis(800)).at).toBe(millis(1300));
    core.resumeFailed();
    expect(core.online(millis(900)).resume).toBe(false);
  });
});

describe("the media", () => {
  test("a short gap mends itself", () => {
    const watch = new MediaWatch(false);
    watch.interrupted(millis(0));
    expect(watch.nextDeadline()).toBe(millis(4000));
    watch.connected();
    expect(watch.nextDeadline()).toBeUndefined();
    expect(watch.due(millis(5000))).toBeUndefined();
  });

  test("restart after 4 s, joining again 15 s after that", () => {
    const watch = new MediaWatch(false);
    watch.interrupted(millis(0));
    expect(watch.due(millis(3999))).toBeUndefined();
    expect(watch.due(millis(4000))).toBe("restart");
    expect(watch.nextDeadline()).toBe(millis(19_000));
    expect(watch.due(millis(19_000))).toBe("rejoin");
  });

  test("a failure is not waited for, but restarts keep 5.5 s and four a minute", () => {
    const watch = new MediaWatch(false);
    const at: number[] = [];
    let now = 0;
    for (let i = 0; i < 6; i += 1) {
      watch.failed(millis(now));
      for (let guard = 0; guard < 3; guard += 1) {
        const next = watch.nextDeadline();
        if (next === undefined) break;
        now = Math.max(now, next);
        if (watch.due(millis(now)) === "restart") {
          at.push(now);
          break;
        }
      }
    }
    for (let i = 1; i < at.length; i += 1) expect((at[i] ?? 0) - (at[i - 1] ?? 0)).toBeGreaterThanOrEqual(5500);
    for (const start of at)
      expect(at.filter((each) => each >= start && each < start + 60_000).length).toBeLessThanOrEqual(4);
    expect(at.length).toBeGreaterThan(3);
  });

  test("a new offer voids the restart that was planned for the old session, not the patience", () => {
    const watch = new MediaWatch(false);
    watch.interrupted(millis(0));
    watch.renewed();
    expect(watch.nextDeadline()).toBeUndefined();
    watch.failed(millis(0));
    expect(watch.due(millis(0))).toBe("restart");
    watch.renewed();
    expect(watch.due(millis(15_000))).toBe("rejoin");
  });

  test("where it is allowed, ICE is restarted in the session first, once for each loss", () => {
    const watch = new MediaWatch(true);
    watch.interrupted(millis(0));
    expect(watch.due(millis(4000))).toBe("ice-restart");
    watch.interrupted(millis(4100)); // still nothing
    expect(watch.nextDeadline()).toBe(millis(9500));
    expect(watch.due(millis(9500))).toBe("restart");
    expect(watch.due(millis(24_500))).toBe("rejoin");
    watch.connected();
    watch.failed(millis(60_000));
    expect(watch.due(millis(60_000))).toBe("ice-restart");
    watch.connected();
    expect(watch.nextDeadline()).toBeUndefined();
  });

  test("an ICE restart that is refused is followed by a new session at once", () => {
    const watch = new MediaWatch(true);
    watch.failed(millis(0));
    expect(watch.due(millis(0))).toBe("ice-restart");
    watch.inPlaceRefused(millis(50));
    expect(watch.due(millis(50))).toBe("restart");
  });

  test("ended by the focus: nothing to mend", () => {
    const watch = new MediaWatch(false);
    watch.failed(millis(0));
    watch.ended();
    expect(watch.nextDeadline()).toBeUndefined();
  });
});
