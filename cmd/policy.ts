import { resolve } from "node:path";
import { compileSubmission } from "../internal/coordinator/compile/compile.ts";
import {
  type Decision,
  decide,
  type JobFacts,
  jobFacts,
  readPolicy,
  withTerraformPlan,
} from "../internal/kit/policy/index.ts";
import { EXIT, RunnerError } from "../internal/protocol/errors.ts";
import type { Submission } from "../internal/protocol/operator.ts";
import type { Command, Context } from "./lib/context.ts";
import { readFile } from "./lib/read-file.ts";
import { resolveSecrets } from "./lib/resolve-secrets.ts";
import { filesOf, type JobInput, readJob, sourcesOf } from "./lib/submit.ts";
import { table } from "./lib/table.ts";

/** `runner policy test FILE JOB`: what a runner with this policy would say to the job, and why. */
export const policyTest: Command = async (context) => {
  const [file = "", jobFile = ""] = context.operands;
  const policy = readPolicy(readFile(file, "policy"), file);
  if (!policy.ok) throw policy.error;
  const now = momentOf(context.values.at);
  const plan = context.values.plan === null ? null : readFile(context.values.plan, "plan");
  const stages = stagesOf(context, await readJob(jobFile, context.cwd)).map((facts) => {
    const known = plan === null ? facts : withPlanOf(facts, plan, context.values.plan ?? "");
    const decision = decide(policy.value, known, now, plan !== null);
    return { operation: facts.operation, ...decision };
  });
  const refused = stages.find((one) => one.verdict === "deny");
  const verdict = refused ? "deny" : stages.some((one) => one.verdict === "later") ? "later" : "allow";
  if (context.values.json) context.out(JSON.stringify({ job: jobFile, verdict, stages }));
  else for (const stage of stages) context.out(stageText(stage));
  return refused ? EXIT.policy : EXIT.done;
};

/** The facts of each wire job that the file becomes: of a change its plan, then its apply. */
function stagesOf(context: Context, { parsed, folder }: JobInput): JobFacts[] {
  // Secrets decide nothing here: one that is not set on this machine has some text all the same.
  const env = new Proxy(context.env, {
    get: (all, name) => (typeof name === "string" ? (all[name] ?? "unset") : undefined),
  });
  const { document, sensitive } = resolveSecrets(parsed.document, { folder, env });
  const varsFiles = filesOf(parsed);
  const submission: Submission = {
    job: document,
    sources: Object.fromEntries(
      sourcesOf(parsed).map(([place]) => [place, { digest: `sha256:${"0".repeat(64)}`, path: "" }]),
    ),
    sensitive: [...sensitive],
    ...(varsFiles ? { vars_files: varsFiles.map((name) => readFile(resolve(folder, name), "values file")) } : {}),
  };
  const compiled = compileSubmission(parsed, submission, {
    now: Date.now(),
    workspaceId: () => "workspace",
    exactWorkspace: (id) => id,
    https: true,
  });
  if (!compiled.ok) throw compiled.error;
  const { job, change } = compiled.value;
  const plan: unknown = job.plan === null ? null : JSON.parse(job.plan);
  const at = (operation: string) =>
    jobFacts({
      type: job.type,
      operation,
      plan,
      actionConfig: job.documents.action_config,
      controlPlane: ["{runner-coordinator}"],
    });
  if (change === null) return [at(job.operation)];
  const apply = at("apply-plan");
  // There is no saved plan yet that would say what it removes and changes.
  const kubernetes = apply.kubernetes && { ...apply.kubernetes, open: "later" as const };
  const operation = change.operation === "destroy" ? "destroy" : apply.operation;
  return [at(job.operation), { ...apply, operation, kubernetes }];
}

function withPlanOf(facts: JobFacts, json: string, file: string): JobFacts {
  const known = withTerraformPlan(facts, json);
  if (facts.terraform !== null && known !== facts) return known;
  const why =
    facts.terraform === null ? "only terraform jobs have one" : "it is not the output of `terraform show -json`";
  throw new RunnerError("usage", `--plan ${file}: ${why}`);
}

function momentOf(text: string | null): number {
  if (text === null) return Date.now();
  const at = Date.parse(text);
  if (!Number.isNaN(at)) return at;
  throw new RunnerError("usage", `--at: found ${JSON.stringify(text)}; expected a moment such as 2026-12-24T20:00:00Z`);
}

const WORDS = { allow: "allowed", deny: "refused", later: "decided when the plan is made" } as const;
const APPLIES = { decides: "decides", no: "-", later: "waits" } as const;

function stageText({ operation, verdict, rule, reason, rules }: Decision & { readonly operation: string }): string {
  const rows = rules.map((one) => [one.rule, one.effect, APPLIES[one.applies], one.why]);
  const lines = rows.length === 0 ? [] : [table(["rule", "effect", "is about it", "because"], rows)];
  const why = reason === "" ? "" : `: ${reason}`;
  return [
    ...lines,
    `${operation}: ${WORDS[verdict]} by ${rule === "default" ? "the default" : `rule ${rule}`}${why}`,
  ].join("\n");
}
