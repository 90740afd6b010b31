import { failpoint } from "../../kit/base/failpoint.ts";
import { isTerminal } from "../../protocol/enums.ts";
import { fail, ok, type Result } from "../../protocol/errors.ts";
import type { JobRow } from "../store/statements.ts";
import type { Store } from "../store/store.ts";
import { cancelJob } from "../store/transitions/cancel.ts";
import { submitJob } from "../store/transitions/submit.ts";
import type { Refusal } from "../store/types.ts";
import { applyJob } from "./apply-job.ts";
import { planOutcome } from "./apply-plan.ts";
import { type ChangeRow, isOpen, readChange, updateChange } from "./change-rows.ts";
import { driftChecked } from "./drift.ts";
import type { PlanOutcome } from "./plan-outcome.ts";
import { changeSpec, recordedBase, staleNow } from "./stale.ts";

/** How long a change waits for a person when nothing else is said, in milliseconds. */
export const APPROVAL_MS = 24 * 3_600_000;

/**
 * Plan job → approval → apply job under one id. Every step is taken inside the transaction that causes it, so a crash
 * leaves either both or neither.
 */
export interface ChangeEngine {
  /** Hook for `store.jobEnded`: inside the transaction that ends a job. */
  jobEnded(jobId: string): void;
  /** Check for `store.startChecks`: why the apply job of a change must not start any more. null: it may. */
  startCheck(job: JobRow): string | null;
  approve(id: string, by: string, why: string): Result<void, Refusal>;
  reject(id: string, by: string, why: string): Result<void, Refusal>;
  /** Cancels the live job of the change, or the change itself while it waits. */
  cancel(id: string, by: string, why: string): Result<void, Refusal>;
  /** Ends changes that waited too long; for the coordinator's ticker. Cheap when there is none. */
  expire(): void;
}

export function changeEngine(deps: {
  readonly store: Store;
  /** How long a change waits for a person unless its job file says so, in milliseconds. */
  readonly approvalMs?: number;
}): ChangeEngine {
  const { store, approvalMs = APPROVAL_MS } = deps;
  const within = <T>(body: () => T): T => store.db.transaction(body, "full");
  return {
    jobEnded: (jobId) => {
      const job = store.sql.job.get(jobId);
      if (job !== null && job.change_id === null) driftChecked(store, job);
      const change = job?.change_id ? readChange(store, job.change_id) : null;
      if (job === null || change === null || !isOpen(change)) return;
      if (job.id === change.apply_job_id) endWith(store, change, job);
      else if (job.id === change.plan_job_id) planEnded(store, change, job, approvalMs);
    },
    startCheck: (job) => {
      if (job.change_id === null || job.operation !== "apply-plan") return null;
      const change = readChange(store, job.change_id);
      return change === null || change.apply_job_id !== job.id ? null : staleNow(store, change);
    },
    approve: (id, by, why) =>
      within(() => {
        const change = awaiting(store, id, "approve", by);
        if (!change.ok) return change;
        const planJob = store.sql.job.get(change.value.plan_job_id ?? "");
        const plan = planJob === null ? null : planOutcome(store, planJob);
        if (planJob === null || plan === null || !plan.ok) return illegal("the saved plan of this change is gone");
        const stale = staleNow(store, change.value);
        if (stale !== null) {
          refusedEvent(store, id, "approve", by, stale);
          endStale(store, change.value, stale);
          return illegal(stale);
        }
        startApply(store, change.value, planJob, plan.value, { state: "approved", by, why });
        failpoint("coordinator.approve.before");
        return ok(undefined);
      }),
    reject: (id, by, why) =>
      within(() => {
        const change = awaiting(store, id, "reject", by);
        if (!change.ok) return change;
        const verdict = approval("denied", by, why, store.clock.now());
        const reason = why === "" ? `rejected by ${by}` : why;
        updateChange(store, change.value, { ...verdict, status: "approval-denied", reason }, { by, why });
        return ok(undefined);
      }),
    cancel: (id, by, why) =>
      within(() => {
        const change = readChange(store, id);
        if (change === null) return missing(id);
        if (!isOpen(change)) return illegal(`the change has ended already (${change.status})`);
        const live = change.apply_job_id ?? change.plan_job_id;
        const job = live === null ? null : store.sql.job.get(live);
        if (job !== null && !isTerminal(job.status)) {
          const cancelled = cancelJob(store, { jobId: job.id, by, reason: why });
          return cancelled.ok ? ok(undefined) : cancelled;
        }
        const reason = why === "" ? `cancelled by ${by}` : why;
        updateChange(
          store,
          change,
          { status: "cancelled", reason, approval_state: null, expires_at: null },
          { by, why },
        );
        return ok(undefined);
      }),
    expire: () => {
      const due = store.db
        .prepare<{ id: string }, [number]>(
          "SELECT id FROM changes WHERE status = 'approval-awaiting' AND expires_at <= ?",
        )
        .all(store.clock.now());
      for (const { id } of due) within(() => void expireOne(store, id));
    },
  };
}

function planEnded(store: Store, ended: ChangeRow, job: JobRow, approvalMs: number): void {
  if (job.status !== "finished") {
    endWith(store, ended, job);
    return;
  }
  let change = ended;
  const move = (values: Parameters<typeof updateChange>[2], why: string) =>
    updateChange(store, change, values, { by: "system", why });
  const plan = planOutcome(store, job);
  if (!plan.ok) {
    move({ status: "failed", reason: plan.error.message }, plan.error.message);
    return;
  }
  const { diff, empty } = plan.value;
  const base = recordedBase(store, change, plan.value.contents);
  change = { ...change, spec: JSON.stringify({ ...changeSpec(change), base }) };
  const stale = staleNow(store, change);
  if (stale !== null) {
    endStale(store, { ...change, diff }, stale);
  } else if (empty) {
    move({ status: "finished", reason: "no changes", diff }, "no changes");
  } else if (change.approval === "required") {
    const expires = store.clock.now() + (changeSpec(change).approval_ms ?? approvalMs);
    const waiting = { approval_state: "awaiting", expires_at: expires, diff, spec: change.spec } as const;
    move({ ...waiting, status: "approval-awaiting" }, "the plan waits for approval");
  } else {
    startApply(store, change, job, plan.value, { state: "automatic", by: "system", why: "" });
  }
}

function startApply(
  store: Store,
  change: ChangeRow,
  planJob: JobRow,
  plan: PlanOutcome,
  verdict: { readonly state: "approved" | "automatic"; readonly by: string; readonly why: string },
): void {
  const job = applyJob(store, planJob, plan.contents);
  const values = approval(verdict.state, verdict.by, verdict.why, store.clock.now());
  updateChange(
    store,
    change,
    { ...values, status: "applying", apply_job_id: job.id, diff: plan.diff, spec: change.spec },
    { by: verdict.by, why: verdict.state === "automatic" ? "approved automatically" : verdict.why },
  );
  submitJob(store, job);
}

/** A plan that fits no more: nothing runs, and nobody can approve it any more. */
function endStale(store: Store, change: ChangeRow, reason: string): void {
  const values = { approval_state: null, expires_at: null, spec: change.spec, diff: change.diff };
  updateChange(store, change, { ...values, status: "failed", reason }, { by: "system", why: reason });
}

/** The change ends as its job did. */
function endWith(store: Store, change: ChangeRow, job: JobRow): void {
  if (!isTerminal(job.status)) return;
  updateChange(store, change, { status: job.status, reason: job.reason }, { by: "system", why: job.reason });
}

function approval(state: "approved" | "automatic" | "denied" | "expired", by: string, why: string, at: number) {
  return { approval_state: state, approval_by: by, approval_why: why, approval_at: at, expires_at: null };
}

/** The change when it waits for approval; refusals are in the timeline. */
function awaiting(store: Store, id: string, what: string, by: string): Result<ChangeRow, Refusal> {
  const change = expireOne(store, id);
  if (change === null) return missing(id);
  if (change.status === "approval-awaiting") return ok(change);
  const message = `the change does not wait for approval; it is ${change.status}${verdictOf(change)}`;
  refusedEvent(store, id, what, by, message);
  return illegal(message);
}

function refusedEvent(store: Store, changeId: string, what: string, by: string, why: string): void {
  store.events.append({ what: `refused:${what}`, by, why, changeId });
}

/** Who decided, for the one who came second; else why it ended. */
function verdictOf({ approval_state: state, approval_by: by, approval_at: at, reason }: ChangeRow): string {
  if (at !== null && (state === "approved" || state === "denied")) {
    return `, ${state} by ${by} at ${new Date(at).toISOString()}`;
  }
  return reason === "" ? "" : ` (${reason})`;
}

/** Ends the change when its time to be approved is over. Answers its row as it is afterwards. */
function expireOne(store: Store, id: string): ChangeRow | null {
  const change = readChange(store, id);
  const now = store.clock.now();
  if (change?.status !== "approval-awaiting" || change.expires_at === null || change.expires_at > now) return change;
  const reason = "nobody approved it in time";
  const verdict = approval("expired", "system", reason, now);
  updateChange(store, change, { ...verdict, status: "approval-expired", reason }, { by: "system", why: reason });
  return readChange(store, id);
}

const missing = (id: string): Result<never, Refusal> =>
  fail({ code: "not_found", message: `there is no change ${id}` });
const illegal = (message: string): Result<never, Refusal> => fail({ code: "illegal", message });
