import { expect, test } from "bun:test";
import { Metrics } from "./metrics.ts";

test("exposition lists each series with its labels escaped", () => {
  const metrics = new Metrics();
  const dropped = metrics.counter("parley_dropped_total", "Packets dropped");
  dropped.add({ reason: 'a"b' });
  dropped.add({ reason: 'a"b' }, 2);
  metrics.gauge("parley_endpoints", "Endpoints").set(3);
  expect(metrics.exposition()).toBe(
    "# HELP parley_dropped_total Packets dropped\n# TYPE parley_dropped_total counter\n" +
      'parley_dropped_total{reason="a\\"b"} 3\n' +
      "# HELP parley_endpoints Endpoints\n# TYPE parley_endpoints gauge\nparley_endpoints 3\n",
  );
});

test("label sets are bounded", () => {
  const counter = new Metrics().counter("x_total", "x");
  for (let i = 0; i < 600; i++) counter.add({ reason: `r${i}` });
  expect(counter.get({ reason: "other" })).toBe(100);
});
