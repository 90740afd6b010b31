import { expect, test } from "bun:test";
import { createRegistry } from "./metrics.ts";

test("metrics read as Prometheus text: help, type, labels, and buckets that add up", () => {
  const registry = createRegistry();
  const jobs = registry.counter("jobs_total", "Jobs that ended.", ["type", "outcome"]);
  const seconds = registry.histogram("step_seconds", "Time of steps.", [0.1, 1], ["step"]);
  registry.gauge("running", "Jobs that run.", () => [[{ group: "deploy" }, 2]]);
  registry.gauge("nothing", "Has no samples.", () => []);
  jobs.add(1, "script", "finished");
  jobs.add(2, "script", "finished");
  jobs.add(1, "noop", "failed");
  for (const value of [0.05, 0.1, 0.5, 7]) seconds.observe(value, "fetch");
  expect(registry.text()).toBe(`# HELP jobs_total Jobs that ended.
# TYPE jobs_total counter
jobs_total{type="script",outcome="finished"} 3
jobs_total{type="noop",outcome="failed"} 1
# HELP step_seconds Time of steps.
# TYPE step_seconds histogram
step_seconds_bucket{step="fetch",le="0.1"} 2
step_seconds_bucket{step="fetch",le="1"} 3
step_seconds_bucket{step="fetch",le="+Inf"} 4
step_seconds_sum{step="fetch"} 7.65
step_seconds_count{step="fetch"} 4
# HELP running Jobs that run.
# TYPE running gauge
running{group="deploy"} 2
`);
});

test("a counter without labels is there before it has counted, and odd label values cannot break a line", () => {
  const registry = createRegistry();
  registry.counter("losses_total", "Leases lost.");
  registry.counter("odd_total", "Odd.", ["what"]).add(1, 'a "b"\\\nc');
  expect(registry.text()).toContain("\nlosses_total 0\n");
  expect(registry.text()).toContain('odd_total{what="a \\"b\\"\\\\\\nc"} 1\n');
});
