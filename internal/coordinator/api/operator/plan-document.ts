import { executionResultRequest } from "../../../protocol/nuon/jobs.ts";
import { helmPlan, kubernetesPlan, type ResourceDiff } from "../../../protocol/nuon/resource-diffs.ts";
import { readChange } from "../../changes/change-rows.ts";
import { displayRedactor, redactedDocument } from "../../changes/display-secrets.ts";
import { decodePlanJson } from "../../changes/plan-outcome.ts";
import { maskedDiffs } from "../../changes/resource-diff-text.ts";
import { decodePlanDisplay, type PlanChange } from "../../compile/terraform-plan.ts";
import { collectSecrets } from "../../compile/terraform-value.ts";
import type { Store } from "../../store/store.ts";
import { notFound, unwrap } from "./problem.ts";

const REDACTED = "[redacted]";

/**
 * The plan of a change or of a plan job as a machine reads it. Terraform: what `terraform show -json` says about
 * changes, with everything that the plan marks sensitive redacted; configuration, variables and whole states are left
 * out, because there Terraform marks nothing. Helm and manifests: the differences by resource, without values of
 * Secrets. What the job was given as secret is left out of all of them. Throws a problem when there is no such plan.
 */
export function planDocument(store: Store, id: string): Record<string, unknown> {
  const change = readChange(store, id);
  const job = store.sql.job.get(change === null ? id : (change.plan_job_id ?? ""));
  if (job === null) throw notFound(`job or change ${id}`, "`runner job list` shows the ids.");
  const execution = job.final_execution_id === null ? null : store.sql.execution.get(job.final_execution_id);
  const result = executionResultRequest.safeParse(execution?.result ? JSON.parse(execution.result) : null);
  const display = result.success ? result.data.contents_display_compressed : null;
  const shown = (document: Record<string, unknown>) => redactedDocument(document, displayRedactor(store, job));
  if (!display) throw notFound(`plan in machine form for ${id}`, "Only a plan job that has finished leaves one.");
  if (job.type === "helm-chart-deploy") {
    const { op, helm_content_diff: diffs } = unwrap(decodePlanJson(display, helmPlan));
    return shown({ op, helm_content_diff: shownDiffs(diffs) });
  }
  if (job.type === "kubernetes-manifest-deploy") {
    const { op, k8s_content_diff: diffs } = unwrap(decodePlanJson(display, kubernetesPlan));
    return shown({ op, k8s_content_diff: shownDiffs(diffs) });
  }
  return shown(terraformDocument(display));
}

/** The readable forms beside the list (`plan`) are left out: a Go runner's hold the same values unmasked. */
const shownDiffs = (diffs: readonly ResourceDiff[] | null | undefined) => maskedDiffs(diffs ?? []);

function terraformDocument(display: string): Record<string, unknown> {
  const plan = unwrap(decodePlanDisplay(display));
  const { format_version, terraform_version, resource_changes, output_changes } = plan;
  const drift = Array.isArray(plan.resource_drift) ? plan.resource_drift : [];
  const secrets = new Set<string>();
  for (const one of [...(resource_changes ?? []), ...drift].map(changeOf)) collect(one, secrets);
  for (const one of Object.values(output_changes ?? {})) collect(one, secrets);
  return {
    format_version,
    terraform_version,
    resource_changes: (resource_changes ?? []).map((one) => ({ ...one, change: masked(one.change, secrets) })),
    resource_drift: drift.map((one) => (isMap(one) ? { ...one, change: masked(changeOf(one), secrets) } : null)),
    output_changes: Object.fromEntries(
      Object.entries(output_changes ?? {}).map(([name, one]) => [name, masked(one, secrets)]),
    ),
  };
}

const changeOf = (resource: unknown): Partial<PlanChange> =>
  isMap(resource) && isMap(resource.change) ? resource.change : {};

function collect(change: Partial<PlanChange>, into: Set<string>): void {
  collectSecrets(change.before, change.before_sensitive, into);
  collectSecrets(change.after, change.after_sensitive, into);
}

function masked(change: Partial<PlanChange>, secrets: ReadonlySet<string>): Partial<PlanChange> {
  const before = mask(change.before, change.before_sensitive, secrets);
  return { ...change, before, after: mask(change.after, change.after_sensitive, secrets) };
}

/** Marks have the shape of the value; `true` covers everything below it. */
function mask(value: unknown, marks: unknown, secrets: ReadonlySet<string>): unknown {
  if (value === null || value === undefined) return value;
  if (marks === true || (typeof value === "string" && secrets.has(value))) return REDACTED;
  if (Array.isArray(value))
    return value.map((one, index) => mask(one, Array.isArray(marks) ? marks[index] : undefined, secrets));
  if (!isMap(value)) return value;
  const below = isMap(marks) ? marks : {};
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, mask(one, below[key], secrets)]));
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === "object" && !Array.isArray(value);
