import { z } from "zod";
import { fail, ok, type Result, RunnerError, reasonOf } from "../../protocol/errors.ts";
import type { JobRow } from "../store/statements.ts";
import type { Store } from "../store/store.ts";
import { displayRedactor } from "./display-secrets.ts";
import { type PlanOutcome, readPlanOutcome } from "./plan-outcome.ts";

/** The outcome of an ended plan job; its diff without the secrets that the job was given. */
export function planOutcome(store: Store, job: JobRow): Result<PlanOutcome> {
  const execution = job.final_execution_id === null ? null : store.sql.execution.get(job.final_execution_id);
  try {
    const outcome = readPlanOutcome(job.type, execution?.result ?? null);
    if (!outcome.ok || outcome.value.diff === null) return outcome;
    return ok({ ...outcome.value, diff: displayRedactor(store, job)(outcome.value.diff) });
  } catch (error) {
    // This runs inside the transaction that records the runner's report: a strange plan must not undo the report.
    return fail(new RunnerError("protocol", `the saved plan cannot be read: ${reasonOf(error)}`, { cause: error }));
  }
}

const planText = z.looseObject({ apply_plan_contents: z.string().nullish() });

/** The apply job's plan: the plan job's own with the saved plan in it, under a config document of its own. */
export function applyPlanText(planJobText: string, contents: string, appConfigId: string): string {
  const plan = planText.parse(JSON.parse(planJobText));
  return JSON.stringify({ ...plan, app_config_id: appConfigId, apply_plan_contents: contents });
}
