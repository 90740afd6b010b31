import type { Clock } from "../../../kit/base/clock.ts";
import type { RenewRequest } from "../../../protocol/native.ts";
import type { Renewed } from "../control-plane.ts";
import { ttlAt } from "./facts.ts";
import type { createMonitor, Watched } from "./monitor.ts";

/** A look at each running job: what a coordinator of ours answers to a renewal, a Nuon server answers only when asked. */
export async function lookAtAll(
  executions: RenewRequest["executions"],
  watched: ReadonlyMap<string, Watched>,
  monitor: ReturnType<typeof createMonitor>,
  clock: Clock,
  signal: AbortSignal,
): Promise<Renewed> {
  const looks = executions.map(async ({ execution_id }) => {
    const known = watched.get(execution_id);
    if (!known) return [];
    const { kind, why } = await monitor.look(known.jobId, signal);
    return [{ execution_id, kind, reason: why, ttlMs: ttlAt(known.facts, clock.now()) }];
  });
  const seen = (await Promise.all(looks)).flat();
  return {
    leases: seen.map(({ execution_id, ttlMs }) => ({ execution_id, ttlMs })),
    lost: seen.filter((one) => one.kind === "lost").map(({ execution_id, reason }) => ({ execution_id, reason })),
    directives: seen
      .filter((one) => one.kind === "cancelled")
      .map(({ execution_id, reason }) => ({ kind: "cancel", execution_id, reason })),
    after: 0,
  };
}
