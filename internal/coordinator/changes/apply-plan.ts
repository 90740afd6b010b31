import { z } from "zod";
import { fail, ok, type Result, RunnerError, reasonOf } from "../../protocol/errors.ts";
import { executionResultRequest } from "../../protocol/nuon/jobs.ts";
import { planLine, renderTerraformDiff } from "../compile/terraform-diff.ts";
import { type Drift, driftOf } from "../compile/terraform-drift.ts";
import { decodePlanDisplay, isEmptyPlan } from "../compile/terraform-plan.ts";
import type { JobRow } from "../store/statements.ts";
import type { Store } from "../store/store.ts";

/** What a plan job left behind, as far as its change needs it. */
export interface PlanOutcome {
  /** Standard base64 of the saved plan, for `apply_plan_contents`. */
  readonly contents: string;
  /** Readable diff, null when the display cannot be read. */
  readonly diff: string | null;
  /** There is nothing to apply. A display that cannot be read never counts as nothing. */
  readonly empty: boolean;
  /** null: the display cannot be read. */
  readonly drift: Drift | null;
}

/** Reads the stored result (JSON text) of a plan job's execution. */
export function readPlanOutcome(resultText: string | null): Result<PlanOutcome> {
  const parsed = executionResultRequest.safeParse(resultText === null ? {} : JSON.parse(resultText));
  const packed = parsed.success ? parsed.data.contents_compressed : null;
  if (!packed) return fail(new RunnerError("protocol", "the plan job stored no plan"));
  // Stored as URL-safe base64, wanted in the standard alphabet: Buffer reads both.
  const contents = Buffer.from(packed, "base64").toString("base64");
  const display = parsed.data?.contents_display_compressed;
  const plan = display ? decodePlanDisplay(display) : null;
  if (plan === null || !plan.ok) return ok({ contents, diff: null, empty: false, drift: null });
  const drift = driftOf(plan.value, planLine(plan.value));
  return ok({ contents, diff: renderTerraformDiff(plan.value), empty: isEmptyPlan(plan.value), drift });
}

/** The outcome of an ended plan job. */
export function planOutcome(store: Store, job: JobRow): Result<PlanOutcome> {
  const execution = job.final_execution_id === null ? null : store.sql.execution.get(job.final_execution_id);
  try {
    return readPlanOutcome(execution?.result ?? null);
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
