import type { Directive } from "../../../protocol/native.ts";
import type { Store } from "../store.ts";

/**
 * Wishes for one instance behind `after`, from the state as it is: a lost answer is told again. The seq of a wish is
 * that of the event that made it.
 */
export function directivesFor(store: Store, runnerId: string, instanceId: string, after: number): Directive[] {
  const runner = store.runners.get(runnerId);
  if (!runner) return [];
  const wishes: Directive[] = [];
  const { drain_seq: drain, settings_seq: settings, draining } = runner.row;
  if (draining === 1 && drain > after) {
    wishes.push({ kind: "drain", seq: drain, reason: "the runner is being drained" });
  }
  if (settings > after) wishes.push({ kind: "settings", seq: settings });
  for (const execution of store.sql.openOfRunner.all(runnerId)) {
    if (execution.cancel_seq <= after || execution.instance_id !== instanceId) continue;
    const reason = store.sql.job.get(execution.job_id)?.cancel_reason ?? "";
    wishes.push({ kind: "cancel", seq: execution.cancel_seq, execution_id: execution.id, reason });
  }
  return wishes.sort((a, b) => a.seq - b.seq);
}

/** What the next request names as `after`. */
export function lastSeq(wishes: readonly Directive[], after: number): number {
  return wishes.reduce((max, wish) => Math.max(max, wish.seq), after);
}
