import { gunzipSync } from "node:zlib";
import { z } from "zod";
import { fail, ok, type Result, RunnerError, reasonOf } from "../../protocol/errors.ts";

/** What we read of `terraform show -json` of a saved plan. Unknown keys are kept: Terraform adds some with each release. */
const change = z.looseObject({
  actions: z.array(z.string()),
  before: z.unknown().optional(),
  after: z.unknown().optional(),
  after_unknown: z.unknown().optional(),
  before_sensitive: z.unknown().optional(),
  after_sensitive: z.unknown().optional(),
  replace_paths: z.array(z.array(z.union([z.string(), z.number()]))).nullish(),
  importing: z.unknown().optional(),
});
export type PlanChange = z.infer<typeof change>;

const resourceChange = z.looseObject({
  address: z.string(),
  previous_address: z.string().optional(),
  mode: z.string().optional(),
  type: z.string(),
  name: z.string(),
  deposed: z.string().optional(),
  action_reason: z.string().optional(),
  change,
});
export type ResourceChange = z.infer<typeof resourceChange>;

export const terraformPlan = z.looseObject({
  resource_changes: z.array(resourceChange).nullish(),
  /** What the refresh found changed since the last apply. */
  resource_drift: z.array(resourceChange).nullish(),
  output_changes: z.record(z.string(), change).nullish(),
  deferred_changes: z.array(z.unknown()).nullish(),
});
export type TerraformPlan = z.infer<typeof terraformPlan>;

/** Largest plan JSON that is unpacked, in bytes: a bound against a small body that unpacks into all memory. */
const DISPLAY_LIMIT = 256 * 1024 * 1024;

/** Plan JSON out of a result's `contents_display_compressed`: base64 (either alphabet) of gzip of JSON. */
export function decodePlanDisplay(display: string): Result<TerraformPlan> {
  try {
    const json = gunzipSync(Buffer.from(display, "base64"), { maxOutputLength: DISPLAY_LIMIT }).toString("utf8");
    const parsed = terraformPlan.safeParse(JSON.parse(json));
    if (parsed.success) return ok(parsed.data);
    return fail(new RunnerError("protocol", "the plan's display is not the JSON of `terraform show`"));
  } catch (error) {
    return fail(new RunnerError("protocol", `the plan's display cannot be read: ${reasonOf(error)}`, { cause: error }));
  }
}

/** Nothing to apply: no resource or output changes, no import, no move, nothing deferred. Reads are not changes. */
export function isEmptyPlan(plan: TerraformPlan): boolean {
  const still = (one: PlanChange) => one.actions.every((action) => action === "no-op" || action === "read");
  const resources = plan.resource_changes ?? [];
  return (
    resources.every((r) => still(r.change) && r.previous_address === undefined && r.change.importing == null) &&
    Object.values(plan.output_changes ?? {}).every(still) &&
    (plan.deferred_changes ?? []).length === 0
  );
}
