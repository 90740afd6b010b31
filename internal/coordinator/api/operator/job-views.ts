import type { z } from "zod";
import { type StepReport, stepReport } from "../../../protocol/native.ts";
import { executionResultRequest } from "../../../protocol/nuon/jobs.ts";
import type { executionDoc, JobDoc, JobShow } from "../../../protocol/operator.ts";
import { jobDoc } from "../../../protocol/operator.ts";
import { planOutcome } from "../../changes/apply-plan.ts";
import { type ChangeRow, isOpen, readChange } from "../../changes/change-rows.ts";
import type { ExecutionRow, JobRow } from "../../store/statements.ts";
import type { Store } from "../../store/store.ts";
import { type Fleet, fleetOnce, waitingFor } from "./waiting.ts";

/** Events shown with one job; a job has a few dozen. */
const EVENT_LIMIT = 5_000;

export const at = (ms: number): string => new Date(ms).toISOString();
export const atOrNull = (ms: number | null): string | null => (ms === null ? null : at(ms));

/** Jobs of a change, oldest first. */
export function jobsOfChange(store: Store, change: ChangeRow): JobRow[] {
  return [change.plan_job_id, change.apply_job_id].flatMap((id) => {
    const row = id === null ? null : store.sql.job.get(id);
    return row === null ? [] : [row];
  });
}

export function jobView(store: Store, row: JobRow, fleet: () => Fleet = fleetOnce(store)): JobDoc {
  const last = store.sql.executionsOfJob.all(row.id).at(-1);
  const final = row.final_execution_id === null ? null : store.sql.execution.get(row.final_execution_id);
  return {
    id: row.id,
    kind: "job",
    change_id: row.change_id,
    name: row.name,
    type: row.type,
    operation: row.operation,
    group: row.job_group,
    status: row.status,
    reason: row.reason,
    waiting_for: waitingFor(row, fleet),
    runner_id: last?.runner_id ?? row.runner_id,
    created_at: at(row.created_at),
    started_at: atOrNull(row.started_at ?? last?.started_at ?? null),
    finished_at: atOrNull(row.finished_at),
    execution_timeout_ms: row.execution_timeout_ms,
    outputs: outputsOf(final ?? last),
    workspace: workspaceName(store, row.workspace_id),
  };
}

export function changeView(store: Store, change: ChangeRow, fleet: () => Fleet = fleetOnce(store)): JobDoc {
  const jobs = jobsOfChange(store, change).map((row) => jobView(store, row, fleet));
  const [first] = jobs;
  const last = jobs.at(-1);
  return {
    id: change.id,
    kind: "change",
    change_id: change.id,
    name: change.name,
    type: change.type,
    operation: change.operation,
    group: first?.group ?? "",
    status: jobDoc.shape.status.parse(change.status),
    // While a job of it waits in the queue, the change waits for the same reason.
    reason: isOpen(change) && change.status !== "approval-awaiting" ? (last?.reason ?? "") : change.reason,
    waiting_for: isOpen(change) && change.status !== "approval-awaiting" ? (last?.waiting_for ?? "") : "",
    runner_id: last?.runner_id ?? null,
    created_at: at(change.created_at),
    started_at: first?.started_at ?? null,
    finished_at: atOrNull(change.finished_at),
    execution_timeout_ms: last?.execution_timeout_ms ?? 0,
    // Without anything to change there is no apply job: the plan job read the outputs from the state.
    outputs: change.apply_job_id === null && change.status !== "finished" ? null : (last?.outputs ?? null),
    workspace: workspaceName(store, change.workspace_id),
  };
}

/** Everything about a job or change; null when there is neither. */
export function showWork(store: Store, id: string): JobShow | null {
  const change = readChange(store, id);
  const single = change === null ? store.sql.job.get(id) : null;
  if (change === null && single === null) return null;
  const rows = change !== null ? jobsOfChange(store, change) : single !== null ? [single] : [];
  const doc = change !== null ? changeView(store, change) : single !== null ? jobView(store, single) : null;
  if (doc === null) return null;
  const executions = rows.map((row) => store.sql.executionsOfJob.all(row.id));
  const about = change === null ? { jobId: id } : { changeId: id };
  return {
    ...doc,
    jobs: rows.map((row) => jobView(store, row)),
    executions: executions.flat().map(executionView),
    events: store.events.list({ after: 0, limit: EVENT_LIMIT, ...about }),
    steps: mergeSteps(executions.map((list) => stepsOf(list.at(-1)))),
    diff: change?.diff ?? planDiff(store, rows[0]),
    approval: approvalOf(change),
    log_streams: executions.flat().map((execution) => execution.log_stream_id),
  };
}

/** Steps of all jobs in order, each name once: a later one takes the place of an earlier one unless it merely repeats it. */
function mergeSteps(lists: readonly (readonly StepReport[])[]): StepReport[] {
  const merged = new Map<string, StepReport>();
  for (const step of lists.flat()) {
    if (!merged.has(step.name) || step.status !== "finished") merged.set(step.name, step);
  }
  return [...merged.values()];
}

const stepList = stepReport.array();
const stepsOf = (execution: ExecutionRow | undefined) =>
  execution === undefined ? [] : stepList.parse(JSON.parse(execution.steps));

/** Diff of a plan that stands alone (`operation: plan`). */
function planDiff(store: Store, row: JobRow | undefined): string | null {
  if (row === undefined || !row.operation.startsWith("create-") || row.final_execution_id === null) return null;
  const outcome = planOutcome(store, row);
  return outcome.ok ? outcome.value.diff : null;
}

function approvalOf(change: ChangeRow | null): JobShow["approval"] {
  if (change === null || change.approval_state === null) return null;
  const state = APPROVALS.find((one) => one === change.approval_state);
  if (state === undefined) return null;
  const when = at(change.approval_at ?? change.updated_at);
  return { state, by: change.approval_by, why: change.approval_why, at: when, expires_at: atOrNull(change.expires_at) };
}
const APPROVALS = ["awaiting", "approved", "denied", "expired", "automatic"] as const;

function executionView(row: ExecutionRow): z.infer<typeof executionDoc> {
  return {
    id: row.id,
    job_id: row.job_id,
    status: row.status,
    reason: row.reason,
    code: row.code,
    epoch: row.epoch,
    runner_id: row.runner_id,
    phase: row.phase,
    created_at: at(row.created_at),
    started_at: atOrNull(row.started_at),
    finished_at: atOrNull(row.finished_at),
    steps: stepsOf(row),
    result: resultOf(row),
  };
}

/** A saved plan is no reading matter, and may hold secrets: only its size is shown. */
function resultOf(row: ExecutionRow): Record<string, unknown> | null {
  if (row.result === null) return null;
  const parsed = executionResultRequest.safeParse(JSON.parse(row.result));
  if (!parsed.success) return null;
  const { success, error_code, error_metadata, contents_compressed } = parsed.data;
  const bytes = contents_compressed ? Buffer.byteLength(contents_compressed, "base64") : 0;
  return {
    success: success ?? false,
    error_code: error_code ?? 0,
    error_metadata: error_metadata ?? {},
    contents_bytes: bytes,
  };
}

const REDACTED = "[redacted]";

/** Outputs for people: sensitive names at the top, and the copies that an action keeps per step. */
function outputsOf(execution: ExecutionRow | undefined): Record<string, unknown> | null {
  if (execution === undefined || execution.outputs === null) return null;
  const outputs: unknown = JSON.parse(execution.outputs);
  if (!isMap(outputs)) return null;
  const listed: unknown = JSON.parse(execution.sensitive_outputs);
  const names = new Set(Array.isArray(listed) ? listed.filter((name) => typeof name === "string") : []);
  if (names.size === 0) return outputs;
  const hide = (map: Record<string, unknown>) =>
    Object.fromEntries(Object.entries(map).map(([name, value]) => [name, names.has(name) ? REDACTED : value]));
  const shown = hide(outputs);
  if (!isMap(shown.steps)) return shown;
  return { ...shown, steps: mapValues(shown.steps, (step) => (isMap(step) ? hide(step) : step)) };
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === "object" && !Array.isArray(value);
const mapValues = (map: Record<string, unknown>, change: (value: unknown) => unknown) =>
  Object.fromEntries(Object.entries(map).map(([key, value]) => [key, change(value)]));

function workspaceName(store: Store, id: string | null): string | null {
  return id === null ? null : (store.sql.workspace.get(id)?.name ?? null);
}
