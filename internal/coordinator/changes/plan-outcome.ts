import { gunzipSync } from "node:zlib";
import type { JobType } from "../../protocol/enums.ts";
import { fail, ok, type Result, RunnerError, reasonOf } from "../../protocol/errors.ts";
import { executionResultRequest } from "../../protocol/nuon/jobs.ts";
import { helmPlan, kubernetesPlan, type ResourceDiff } from "../../protocol/nuon/resource-diffs.ts";
import { planLine, renderTerraformDiff } from "../compile/terraform-diff.ts";
import { type Drift, driftOf } from "../compile/terraform-drift.ts";
import { decodePlanDisplay, isEmptyPlan } from "../compile/terraform-plan.ts";
import { changesResource, countLine, renderResourceDiffs } from "./resource-diff-text.ts";

/** What a plan job left behind, as far as its change needs it. */
export interface PlanOutcome {
  /** Standard base64 of the saved plan, for `apply_plan_contents`. */
  readonly contents: string;
  /** Readable diff without secrets, null when the display cannot be read. */
  readonly diff: string | null;
  /** There is nothing to apply. What cannot be read, and a comparison that failed, never count as nothing. */
  readonly empty: boolean;
  /** null: the display cannot be read. */
  readonly drift: Drift | null;
}

/** Base64 of either alphabet, as the result stored it. */
interface StoredPlan {
  readonly contents: string;
  readonly display: string | null;
}

type Meaning = Omit<PlanOutcome, "contents">;
type PlanReader = (stored: StoredPlan) => Result<Meaning>;

/** How the result of a plan job is read, by type. Any other type has terraform's form: contents that only its tool reads. */
const READERS: Partial<Readonly<Record<JobType, PlanReader>>> = {
  "helm-chart-deploy": ({ contents }) => then(decodePlanJson(contents, helmPlan), helmMeaning),
  "kubernetes-manifest-deploy": ({ contents }) => then(decodePlanJson(contents, kubernetesPlan), manifestMeaning),
};

/** Reads the stored result (JSON text) of a plan job's execution. */
export function readPlanOutcome(type: string, resultText: string | null): Result<PlanOutcome> {
  const parsed = executionResultRequest.safeParse(resultText === null ? {} : JSON.parse(resultText));
  const packed = parsed.success ? parsed.data.contents_compressed : null;
  if (!packed) return fail(new RunnerError("protocol", "the plan job stored no plan"));
  const reader = READERS[type as JobType] ?? terraformMeaning;
  const meaning = reader({ contents: packed, display: parsed.data?.contents_display_compressed || null });
  // Stored as URL-safe base64, wanted in the standard alphabet: Buffer reads both.
  return then(meaning, (one) => ({ ...one, contents: Buffer.from(packed, "base64").toString("base64") }));
}

/** Largest plan JSON that is unpacked, in bytes: a bound against a small body that unpacks into all memory. */
const PLAN_LIMIT = 256 * 1024 * 1024;

interface PlanSchema<T> {
  safeParse(value: unknown): { readonly success: true; readonly data: T } | { readonly success: false };
}

/** JSON out of base64 (either alphabet) of gzip. The apply job reads the same bytes: what we cannot read it cannot either. */
export function decodePlanJson<T>(contents: string, schema: PlanSchema<T>): Result<T> {
  try {
    const json = gunzipSync(Buffer.from(contents, "base64"), { maxOutputLength: PLAN_LIMIT }).toString("utf8");
    const parsed = schema.safeParse(JSON.parse(json));
    return parsed.success ? ok(parsed.data) : fail(new RunnerError("protocol", "the saved plan has another form"));
  } catch (error) {
    return fail(new RunnerError("protocol", `the saved plan cannot be read: ${reasonOf(error)}`, { cause: error }));
  }
}

function terraformMeaning({ display }: StoredPlan): Result<Meaning> {
  const plan = display === null ? null : decodePlanDisplay(display);
  if (plan === null || !plan.ok) return ok({ diff: null, empty: false, drift: null });
  const drift = driftOf(plan.value, planLine(plan.value));
  return ok({ diff: renderTerraformDiff(plan.value), empty: isEmptyPlan(plan.value), drift });
}

/**
 * Nuon's rule is "no differences, no changes", and a Go runner also reports no differences when its comparison failed.
 * A first install or an uninstall always changes something, so only an upgrade can be empty.
 */
function helmMeaning({ op, helm_content_diff: diffs }: ReturnType<typeof helmPlan.parse>): Meaning {
  const list = diffs ?? [];
  return resourceMeaning(list, list.length === 0 && (op === "upgrade" || op === "uninstall"));
}

function manifestMeaning({ k8s_content_diff: diffs }: ReturnType<typeof kubernetesPlan.parse>): Meaning {
  const list = diffs ?? [];
  return resourceMeaning(list, !list.some(changesResource));
}

function resourceMeaning(diffs: readonly ResourceDiff[], empty: boolean): Meaning {
  const counts = countLine(diffs);
  const summary = empty ? "no drift" : `the cluster differs; ${counts}`;
  return { diff: renderResourceDiffs(diffs), empty, drift: { drifted: !empty, summary } };
}

function then<T, U>(result: Result<T>, next: (value: T) => U): Result<U> {
  return result.ok ? ok(next(result.value)) : result;
}
