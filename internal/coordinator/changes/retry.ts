import { fail, ok, type Result } from "../../protocol/errors.ts";
import { submission as submissionSchema } from "../../protocol/operator.ts";
import { JOB_EXTRA } from "../compile/new-job.ts";
import { joinWhy, retryJob } from "../store/transitions/retry.ts";
import type { Refusal } from "../store/types.ts";
import { isOpen, readChange } from "./change-rows.ts";
import { type SubmitDeps, submitWork } from "./submit.ts";

/**
 * Tries a job or change again and answers the id to follow: a parked job goes on under its own id, an ended job runs
 * as a copy, an ended change is planned anew, because its saved plan fits a state that may be gone.
 */
export function retryWork(deps: SubmitDeps, id: string, by: string, why = ""): Result<string, Refusal> {
  const { store } = deps;
  const change = readChange(store, id);
  if (change === null) return retryOne(deps, id, by, why);
  if (!isOpen(change)) {
    const again = resubmit(deps, change.plan_job_id, by);
    if (again.ok) store.events.append({ what: "retried", by, why: joinWhy(again.value, why), changeId: id });
    return again;
  }
  const live = change.apply_job_id ?? change.plan_job_id;
  const job = live === null ? null : store.sql.job.get(live);
  if (job?.parked !== 1)
    return illegal(`the change is ${change.status}; only an ended or parked one can be tried again`);
  const retried = retryJob(store, { jobId: job.id, by, why });
  return retried.ok ? ok(id) : retried;
}

function retryOne(deps: SubmitDeps, id: string, by: string, why: string): Result<string, Refusal> {
  const job = deps.store.sql.job.get(id);
  if (job?.change_id && job.parked !== 1)
    return illegal(`the job belongs to change ${job.change_id}; try that one again`);
  const retried = retryJob(deps.store, { jobId: id, by, why });
  return retried.ok ? ok(retried.value.jobId) : retried;
}

function resubmit(deps: SubmitDeps, planJobId: string | null, by: string): Result<string, Refusal> {
  const documents = planJobId === null ? [] : deps.store.sql.documents.all(planJobId);
  const stored = documents.find((row) => row.kind === JOB_EXTRA.submission);
  const parsed = submissionSchema.safeParse(stored === undefined ? null : JSON.parse(stored.json));
  if (!parsed.success) return illegal("its submission is gone; submit the job file again");
  const again = submitWork(deps, parsed.data, by);
  return again.ok ? again : illegal(again.error.message);
}

const illegal = (message: string): Result<never, Refusal> => fail({ code: "illegal", message });
