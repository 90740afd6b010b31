import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../../kit/base/clock.ts";
import {
  actionConfigOf,
  type Decision,
  decide,
  type JobFacts,
  jobFacts,
  withPlan,
  withTerraformPlan,
} from "../../kit/policy/index.ts";
import { RunnerError } from "../../protocol/errors.ts";
import type { ExecutionResultRequest } from "../../protocol/nuon/jobs.ts";
import type { Work } from "../controlplane/control-plane.ts";
import type { JobContext, PlanGate } from "../handler.ts";
import type { JobPolicy } from "../runner.ts";
import type { ExecutionFolder } from "./execution-folder.ts";

/** Where the policy is asked: before anything is fetched, when a plan is made, and before one is applied. */
export interface PolicyGate extends PlanGate {
  /** Before the first step; `begun`: an earlier process got further, so it was admitted. Throws RunnerError policy. */
  admit(ctx: JobContext<unknown>, begun: boolean): void;
  /** After `execute` of a plan job, before its result is anybody's. Throws RunnerError policy. */
  planned(result: ExecutionResultRequest | null): void;
}

export interface GateDeps {
  /** null: every job is allowed. */
  readonly policy: JobPolicy | null;
  readonly work: Work;
  readonly folder: ExecutionFolder;
  readonly clock: Clock;
  /** Name of the rule that decided, for the audit trail. */
  readonly judged: (rule: string) => void;
}

const OPEN: PolicyGate = { admit: () => {}, planned: () => {}, wanted: () => false, terraformPlan: () => {} };

/** The only type whose handler shows what it will apply. Every other one is decided without. */
const SHOWS_ITS_APPLY = "terraform-deploy";

export function createPolicyGate({ policy, work, folder, clock, judged }: GateDeps): PolicyGate {
  if (policy === null) return OPEN;
  const { job } = work;
  const operation = job.operation ?? "exec";
  const plans = operation.startsWith("create-");
  let facts: JobFacts | null = null;
  const judge = (known: JobFacts, last: boolean): Decision => {
    const decision = decide(policy.current(), known, clock.now(), last);
    if (decision.verdict !== "later") judged(decision.rule);
    if (decision.verdict === "deny") throw refused(decision);
    return decision;
  };
  /** There until the plan has passed: after that it is never judged again, also not by a later process. */
  const waiting = join(folder.root, "policy-waits");

  return {
    admit(ctx, begun) {
      facts = jobFacts({
        type: job.type,
        operation,
        plan: ctx.plan,
        actionConfig: actionConfigOf(work.sealed.documents),
        controlPlane: [policy.controlPlane],
      });
      if (begun) return;
      const { verdict, rule } = judge(facts, !plans && job.type !== SHOWS_ITS_APPLY);
      ctx.log.debug(`policy: ${verdict === "later" ? `rule ${rule} waits for the plan` : `${rule} allows the job`}`);
      if (verdict !== "later" || plans) return;
      folder.make();
      writeFileSync(waiting, "", { mode: 0o600 });
    },
    planned(result) {
      if (!plans || facts === null) return;
      const contents = result?.contents_compressed ?? "";
      const display = result?.contents_display_compressed ?? "";
      judge(withPlan(facts, { contents, display }), true);
    },
    wanted: () => existsSync(waiting),
    terraformPlan(json) {
      if (facts !== null) judge(withTerraformPlan(facts, json), true);
      rmSync(waiting, { force: true });
    },
  };
}

function refused({ rule, reason }: Decision): RunnerError {
  const which = rule === "default" ? reason : `rule ${rule}: ${reason}`;
  return new RunnerError("policy", `refused by the policy of this runner: ${which}`);
}
