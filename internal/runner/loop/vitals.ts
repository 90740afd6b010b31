import { type Clock, systemClock } from "../../kit/base/clock.ts";
import type { HttpWatch } from "../../kit/http/http.ts";
import { createRegistry, type Registry, SECONDS } from "../../kit/telemetry/metrics.ts";
import type { JobTraces } from "./job-trace.ts";

/**
 * What the runner knows about its own health: plain numbers that are counted whether anybody reads them or not, and by
 * when the claim loop must show the next sign of progress.
 */
export interface Vitals {
  readonly registry: Registry;
  readonly http: HttpWatch;
  /** null: nobody wants traces. */
  readonly traces: JobTraces | null;
  /** The claim loop goes round; its next turn is due within `ms`. */
  turned(ms: number): void;
  /** Wall clock of the last turn of the claim loop, ms since the epoch; null: it has not begun. */
  lastTurn(): number | null;
  /** The claim loop has ended as it should (drained). */
  resting(): void;
  /** null: everything moves; else what does not, as a sentence. */
  stuck(): string | null;
  /** Wall clock of the last answer of the control plane, ms since the epoch; null: none yet. */
  lastContact(): number | null;
  jobBegan(waitedMs: number | null): void;
  jobEnded(type: string, outcome: string): void;
  step(name: string, ms: number): void;
  leasesLost(n: number): void;
  logShipped(bytes: number): void;
  logDropped(bytes: number): void;
}

/** Added to every promise of progress: a busy machine is not a dead loop. */
const MARGIN_MS = 15_000;
/** Requests that the claim loop itself waits for. */
const OF_THE_LOOP: ReadonlySet<string> = new Set(["claims", "session", "jobs", "reserve"]);

export function createVitals(clock: Clock = systemClock, traces: JobTraces | null = null): Vitals {
  const registry = createRegistry();
  const jobs = registry.counter("runner_jobs_total", "Jobs that ended, by type and outcome.", ["type", "outcome"]);
  const waits = registry.histogram(
    "runner_queue_wait_seconds",
    "From the making of a job to its begin here, by the clocks of both sides.",
    SECONDS,
  );
  const steps = registry.histogram("runner_step_seconds", "Time of lifecycle steps.", SECONDS, ["step"]);
  const retries = registry.counter("runner_retries_total", "Requests that were made again, by purpose.", ["request"]);
  const losses = registry.counter("runner_lease_losses_total", "Executions whose lease was lost.");
  const logs = registry.counter("runner_log_bytes_total", "Output of jobs: shipped, or dropped for want of room.", [
    "fate",
  ]);
  logs.add(0, "shipped");
  logs.add(0, "dropped");
  let contact: number | null = null;
  let dueBy: number | null = null;
  let turnedAt: number | null = null;
  const due = (ms: number) => {
    dueBy = clock.monotonic() + ms + MARGIN_MS;
  };

  return {
    registry,
    traces,
    http: {
      ...(traces === null ? {} : { began: traces.began }),
      tried(tag, timeoutMs) {
        if (dueBy !== null && OF_THE_LOOP.has(tag)) due(timeoutMs);
      },
      answered() {
        contact = clock.now();
      },
      retrying(tag, waitMs) {
        // A path that holds an id would be a series of its own for every job.
        retries.add(1, tag.includes("/") ? "other" : tag);
        if (dueBy !== null && OF_THE_LOOP.has(tag)) due(waitMs);
      },
    },
    turned(ms) {
      turnedAt = clock.now();
      due(ms);
    },
    lastTurn: () => turnedAt,
    resting: () => {
      dueBy = null;
    },
    stuck() {
      if (dueBy === null || clock.monotonic() <= dueBy) return null;
      const late = Math.round((clock.monotonic() - dueBy) / 1000);
      return `the claim loop has not turned: it is ${late} s overdue`;
    },
    lastContact: () => contact,
    jobBegan: (waitedMs) => waitedMs !== null && waits.observe(Math.max(0, waitedMs) / 1000),
    jobEnded: (type, outcome) => jobs.add(1, type, outcome),
    step: (name, ms) => steps.observe(ms / 1000, name),
    leasesLost: (n) => losses.add(n),
    logShipped: (bytes) => logs.add(bytes, "shipped"),
    logDropped: (bytes) => logs.add(bytes, "dropped"),
  };
}
