import type { ExecutionResultRequest } from "../../../protocol/nuon/jobs.ts";
import type { Store } from "../store.ts";

/**
 * Result of an execution, stored always: error results and repeats too. A success is not overwritten by an error
 * result, because handlers of the Go runner post an error for a step that failed after the work.
 */
export function recordResult(store: Store, executionId: string, result: ExecutionResultRequest): void {
  store.db.transaction(() => {
    const execution = store.sql.execution.get(executionId);
    if (!execution) return;
    const known = execution.result === null ? null : (JSON.parse(execution.result) as ExecutionResultRequest);
    const merged = result.success === true || known === null ? { ...known, ...result } : { ...result, ...known };
    store.db
      .prepare<unknown, [string, number, string]>("UPDATE executions SET result = ?, updated_at = ? WHERE id = ?")
      .run(JSON.stringify(merged), store.clock.now(), executionId);
  });
}

/** Outputs of an execution; the last ones count. null is stored as null. */
export function recordOutputs(
  store: Store,
  executionId: string,
  outputs: Readonly<Record<string, unknown>> | null,
): void {
  store.db.transaction(() => {
    store.db
      .prepare<unknown, [string, number, string]>("UPDATE executions SET outputs = ?, updated_at = ? WHERE id = ?")
      .run(JSON.stringify(outputs), store.clock.now(), executionId);
  });
}
