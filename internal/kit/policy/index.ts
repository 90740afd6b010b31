/** What the owner of a machine lets jobs do there: the file, the facts of a job, and the decision. */
export { type Decision, decide } from "./decide.ts";
export type { JobFacts } from "./facts.ts";
export { actionConfigOf, jobFacts } from "./job-facts.ts";
export { withPlan, withTerraformPlan } from "./planned-facts.ts";
export { openPolicy, type PolicyFile } from "./policy-file.ts";
export { readPolicy } from "./read-policy.ts";
export type { Policy } from "./schema.ts";
