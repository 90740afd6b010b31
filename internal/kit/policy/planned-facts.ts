import type { JobFacts } from "./facts.ts";
import { known } from "./facts.ts";
import { readDiffs, terraformFacts, unpacked } from "./plan-facts.ts";

/** The facts of a job with what the result of its plan tells; unchanged when it tells nothing. */
export function withPlan(facts: JobFacts, result: { readonly contents: string; readonly display: string }): JobFacts {
  if (facts.terraform !== null) return withTerraformPlan(facts, unpacked(result.display) ?? "");
  const saved = facts.kubernetes === null ? null : readDiffs(result.contents || result.display);
  return saved === null ? facts : { ...facts, kubernetes: known(...saved.objects) };
}

/** The same from the JSON of a terraform plan. */
export function withTerraformPlan(facts: JobFacts, json: string): JobFacts {
  const found = terraformFacts(json);
  return found === null ? facts : { ...facts, terraform: known(...found) };
}
