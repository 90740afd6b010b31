import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { findTool, readCode } from "../../kit/exec/index.ts";
import type { Completion } from "../../protocol/native.ts";
import type { ControlPlane, ExecutionRef, Work } from "../controlplane/control-plane.ts";
import type { Handlers } from "../handler.ts";
import type { Begin } from "./execution.ts";
import { executionFolder } from "./execution-folder.ts";
import { handlerFor } from "./handler-for.ts";
import type { ExecutionRow, Journal } from "./journal.ts";

/** What a start finds of the executions that were running, or were over but not yet reported, when the last one ended. */
export interface Found {
  readonly row: ExecutionRow;
  readonly begin: Begin;
  /** Decided before the restart; only reporting and cleanup are left. */
  readonly completion: Completion | null;
  /** Start of a tool that still lives, ms since the epoch. */
  readonly toolSince: number | null;
}

export async function findExecutions(
  stateDir: string,
  journal: Journal,
  handlers: Handlers,
  controlPlane: ControlPlane,
): Promise<Found[]> {
  const rows = journal.executions();
  dropStrangers(stateDir, rows);
  return Promise.all(rows.map((row) => remember(stateDir, journal, row, handlers, controlPlane)));
}

async function remember(
  stateDir: string,
  journal: Journal,
  row: ExecutionRow,
  handlers: Handlers,
  controlPlane: ControlPlane,
): Promise<Found> {
  const folder = executionFolder(stateDir, row);
  const sealed = folder.unseal();
  const facts = sealed?.facts ?? {};
  const execution: ExecutionRef = {
    id: row.id,
    jobId: row.job.id,
    epoch: row.epoch,
    logStreamId: row.logStreamId,
    group: row.group,
    jobType: row.jobType,
    sealed: facts,
  };
  const { plan } = controlPlane;
  const work: Work = {
    job: row.job,
    execution,
    leaseTtlMs: 0,
    plan: sealed?.plan ?? null,
    loadPlan: sealed === null && plan ? (signal) => plan(execution, signal) : null,
    options: sealed?.options ?? { verify: false, cancelGraceMs: null, sensitiveVars: [] },
    sealed: facts,
  };
  const handler = handlerFor(handlers, row.jobType);
  const begin: Begin = {
    work,
    group: row.group,
    handler,
    deadlineMs: row.deadlineMs,
    done: row.done,
    nonce: sealed?.nonce ?? null,
    // Without the file nothing secret was written either, as long as no tool had been started.
    redactable: sealed !== null || handler.plan === null || journal.tools(row).length === 0,
    secrets: sealed?.secrets ?? [],
  };
  return {
    row,
    begin,
    completion: row.ended ? (folder.loadReport() ?? bareCompletion(row)) : null,
    toolSince: await livingSince(stateDir, journal, row),
  };
}

/** The end of an execution whose folder is gone: what was in its report the control plane has had before. */
function bareCompletion({ id, epoch, outcome }: ExecutionRow): Completion | null {
  if (outcome === null) return null;
  const nothing = { reason: "", code: "", result: null, outputs: null, sensitive_outputs: [], steps: [] };
  return { execution_id: id, epoch, status: outcome, ...nothing };
}

async function livingSince(stateDir: string, journal: Journal, row: ExecutionRow): Promise<number | null> {
  const folder = executionFolder(stateDir, row);
  for (const tool of journal.tools(row)) {
    if (tool.state === "ended" || readCode(folder.codeFile(tool.name)) !== null) continue;
    if (await findTool(row.id, folder.codeFile(tool.name))) return tool.startedMs;
  }
  return null;
}

/** Folders of executions that no row knows: made by a version or a crash that did not get to write the row; never used again. */
function dropStrangers(stateDir: string, rows: readonly ExecutionRow[]): void {
  const root = join(stateDir, "executions");
  if (!existsSync(root)) return;
  const known = new Set(rows.map((row) => `${row.id}.${row.epoch}`));
  for (const name of readdirSync(root)) {
    // A kept workspace (an unsaved state) has no secrets left, but its work: it stays until a person removes it.
    if (!known.has(name) && existsSync(join(root, name, "sealed.json")))
      rmSync(join(root, name), { recursive: true, force: true });
  }
}
