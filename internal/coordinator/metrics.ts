import { type Counter, createRegistry, type Registry, type Sample } from "../kit/telemetry/metrics.ts";
import { processMetrics } from "../kit/telemetry/process-metrics.ts";
import { OUTCOME_STATUSES } from "../protocol/enums.ts";
import type { LogStore } from "./logs/log-store.ts";
import type { NewEvent } from "./store/events.ts";
import type { Store } from "./store/store.ts";

export interface CoordinatorMetrics {
  readonly registry: Registry;
  /** Exchanges of an identity for a token, by outcome. */
  readonly exchanges: Counter;
  /** A log store whose bytes are counted. */
  counted(logs: LogStore): LogStore;
}

/** What the coordinator counts since its start, and what it reads of the queue when somebody asks (DESIGN section 9). */
export function coordinatorMetrics(store: Store, version: string): CoordinatorMetrics {
  const registry = createRegistry();
  processMetrics(registry, "runner_coordinator", () => ({ version }));
  queueGauges(registry, store);
  const claims = registry.counter("runner_coordinator_claims_total", "Executions given to runners.");
  const ended = registry.counter("runner_coordinator_jobs_total", "Jobs that ended, by outcome.", ["outcome"]);
  const losses = registry.counter("runner_coordinator_lease_losses_total", "Executions that lost their lease.");
  const refused = registry.counter("runner_coordinator_refused_total", "Transitions refused, such as a stale epoch.");
  const bytes = registry.counter("runner_coordinator_log_bytes_total", "Log bytes stored, as they came.");
  store.events.observe((event) => {
    if (isClaim(event)) claims.add(1);
    else if (event.what.startsWith("refused:")) refused.add(1);
    else if (OUTCOMES.has(event.what) && event.jobId) ended.add(1, event.what);
    if (isLoss(event)) losses.add(1);
  });
  return {
    registry,
    exchanges: registry.counter(
      "runner_coordinator_token_exchanges_total",
      "Exchanges of an identity for a token, by outcome.",
      ["outcome"],
    ),
    counted: (logs) => ({
      ...logs,
      append(batch) {
        const stored = logs.append(batch);
        if (stored.ok) bytes.add(batch.payload.byteLength);
        return stored;
      },
    }),
  };
}

const OUTCOMES: ReadonlySet<string> = new Set(OUTCOME_STATUSES);

/** An instance that takes its own lease up again says why; a new execution does not. */
const isClaim = (event: NewEvent) => event.what === "in-progress" && !event.why;

/** Back in the queue, or ended, because nobody renewed. */
const isLoss = ({ what, by, why = "", executionId }: NewEvent) =>
  by === "system" && !!executionId && (what === "queued" || why.startsWith("lease_lost:"));

const OPEN = ["queued", "available", "in-progress"] as const;

function queueGauges(registry: Registry, store: Store): void {
  const depths = store.db.prepare<{ status: string; reason: string; n: number }, []>(
    `SELECT status, CASE status WHEN 'in-progress' THEN '' ELSE reason END AS reason, count(*) AS n FROM jobs
     WHERE status IN ('queued', 'available', 'in-progress') GROUP BY 1, 2`,
  );
  registry.gauge("runner_coordinator_jobs", "Jobs that have not ended, by status and reason for waiting.", () => {
    const found = depths.all();
    // No jobs is a number: whoever scales by it has to tell an empty queue from a coordinator that does not answer.
    const none = OPEN.filter((status) => !found.some((one) => one.status === status && one.reason === ""));
    return [
      ...none.map((status): Sample => [{ status, reason: "" }, 0]),
      ...found.map(({ status, reason, n }): Sample => [{ status, reason }, n]),
    ];
  });
  registry.gauge("runner_coordinator_runners", "Runners, by their contact.", () => {
    const count = { online: 0, suspect: 0, offline: 0, never: 0 };
    for (const runner of store.runners.all()) count[store.runners.contact(runner)] += 1;
    return Object.entries(count).map(([contact, n]): Sample => [{ contact }, n]);
  });
}
