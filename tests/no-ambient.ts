/**
 * Test preload (bunfig.toml): ambient time, randomness and timers throw in tests, so that a core that reaches for them fails its own test.
 * A test of a shell calls `useRealTime()` (tests/real-time.ts) at its top; the guard is down from that file's first test to its last.
 */
// pino reads the clock once, at import: before the guard is up.
import "pino";
import { armGuard } from "./real-time.ts";

armGuard();
