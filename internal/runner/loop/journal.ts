import type { Database, SQLQueryBindings } from "bun:sqlite";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type JobGroup, OUTCOME_STATUSES, type OutcomeStatus, type StepStatus } from "../../protocol/enums.ts";
import { reasonOf } from "../../protocol/errors.ts";
import { newId } from "../../protocol/ids.ts";
import type { RunnerJob } from "../../protocol/nuon/jobs.ts";
import { openExclusive, prepareFolder } from "./journal-file.ts";

/**
 * What must outlive a `kill -9`: ids, hashes, positions and ends. Never a plan, a variable or a secret (those lie in
 * the execution's own folder, mode 0600). One instance per state directory: the database is opened exclusively, and the
 * lock goes with the process.
 *
 * Durability is NORMAL: only `kill -9` threatens these rows, not a power cut (the lease and the server's record do that).
 */
const SCHEMA = `
create table if not exists meta (name text primary key, value text not null) without rowid;
create table if not exists executions (
  id text not null, epoch integer not null, job text not null, job_type text not null, grp text not null,
  log_stream text, deadline_ms integer not null, phase text not null default '', done text not null default '',
  ended integer not null default 0, created_ms integer not null,
  primary key (id, epoch)
) without rowid;
create table if not exists tools (
  execution text not null, epoch integer not null, name text not null, state text not null,
  pid integer, start_time text, boot_id text not null, started_ms integer not null,
  code integer, duration_ms real,
  primary key (execution, epoch, name)
) without rowid;
create table if not exists steps (
  execution text not null, epoch integer not null, name text not null, seq integer not null, status text not null,
  started_ms integer not null, duration_ms real, code integer,
  primary key (execution, epoch, name)
) without rowid;
`;

/** Freed when the disk is full, so that the last rows of a running job still fit. */
const BALLAST_BYTES = 256 * 1024;

export interface ExecutionRow {
  readonly id: string;
  readonly epoch: number;
  readonly job: RunnerJob;
  readonly jobType: string;
  readonly group: JobGroup;
  readonly logStreamId: string | null;
  /** Wall clock, ms since the epoch. */
  readonly deadlineMs: number;
  readonly phase: string;
  /** Lifecycle steps that are over. */
  readonly done: readonly string[];
  /** The outcome is decided and lies in the execution's folder. */
  readonly ended: boolean;
  /** How it ended, from when its folder is removed on; null before. */
  readonly outcome: OutcomeStatus | null;
  readonly createdMs: number;
}

export interface ToolRow {
  readonly name: string;
  readonly state: "intent" | "running" | "ended";
  readonly pid: number | null;
  readonly startTime: string | null;
  readonly bootId: string;
  readonly startedMs: number;
  readonly code: number | null;
  readonly durationMs: number | null;
}

export interface StepRow {
  readonly name: string;
  readonly status: StepStatus;
  readonly startedMs: number;
  readonly durationMs: number | null;
  readonly code: number | null;
}

export interface ExecutionKey {
  readonly id: string;
  readonly epoch: number;
}

export type Journal = ReturnType<typeof openJournal>;

export function openJournal(stateDir: string) {
  prepareFolder(stateDir);
  const db = openExclusive(join(stateDir, "journal.db"), stateDir, SCHEMA);
  const ballast = join(stateDir, "ballast");
  if (!existsSync(ballast))
    tryWrite(() => writeFileSync(ballast, new Uint8Array(BALLAST_BYTES).fill(1), { mode: 0o600 }));

  /** Rows that did not fit on a full disk; told once, the work goes on from memory. */
  let lostWrites = 0;
  let closed = false;
  /** In the transaction that runs. */
  const forgotten = new Set<string>();
  let queue: { work: () => void; done: () => void }[] = [];

  const commit = (work: () => void): boolean => {
    if (closed) return false; // the process goes; what ends in this moment is found out at the next start
    for (let attempt = 0; attempt < 2; attempt++) {
      forgotten.clear();
      try {
        db.transaction(work).immediate();
        for (const name of forgotten) detailed.delete(name);
        return true;
      } catch (error) {
        if (!/full|no space|disk I\/O/i.test(reasonOf(error))) throw error;
        rmSync(ballast, { force: true });
      }
    }
    lostWrites++;
    return false;
  };
  const flush = () => {
    const batch = queue;
    queue = [];
    if (batch.length > 0) commit(() => batch.forEach((entry) => void entry.work()));
    for (const entry of batch) entry.done();
  };
  const statements = new Map<string, ReturnType<Database["query"]>>();
  const run = (sql: string, ...args: SQLQueryBindings[]) => prepared(sql).run(...args);
  const prepared = (sql: string) => {
    const known = statements.get(sql);
    if (known) return known;
    const made = db.query(sql);
    statements.set(sql, made);
    return made;
  };
  const all = <T>(sql: string, ...args: SQLQueryBindings[]) => prepared(sql).all(...args) as T[];

  /** Executions with tools or steps. A job that has none, like most short ones, is not asked for any, five times over. */
  const detailed = new Set(
    all<{ name: string }>(
      "select execution || '.' || epoch as name from tools union select execution || '.' || epoch from steps",
    ).map(({ name }) => name),
  );
  const nameOf = ({ id, epoch }: ExecutionKey) => `${id}.${epoch}`;
  const detail = (key: ExecutionKey) => {
    detailed.add(nameOf(key));
    forgotten.delete(nameOf(key));
  };

  return {
    get lostWrites() {
      return lostWrites;
    },
    /** Together with everything else of this turn of the event loop; resolves after the commit. */
    write(work: () => void): Promise<void> {
      return new Promise((resolve) => {
        queue.push({ work, done: resolve });
        if (queue.length === 1) setImmediate(flush);
      });
    },
    /** Committed when this returns: intents, before the deed. Takes what is queued with it. */
    writeNow(work: () => void): void {
      flush();
      commit(work);
    },
    /** Restore the ballast after a full disk got room again. */
    refill(): void {
      if (!existsSync(ballast))
        tryWrite(() => writeFileSync(ballast, new Uint8Array(BALLAST_BYTES).fill(1), { mode: 0o600 }));
    },
    close(): void {
      flush();
      closed = true;
      db.close();
    },

    instanceId(): string {
      const known = all<{ value: string }>("select value from meta where name = 'instance_id'")[0]?.value;
      if (known) return known;
      const made = newId("instance");
      run("insert into meta values ('instance_id', ?)", made);
      return made;
    },
    pendingClaim(): string | null {
      return all<{ value: string }>("select value from meta where name = 'claim_key'")[0]?.value ?? null;
    },
    setPendingClaim(key: string | null): void {
      if (key === null) run("delete from meta where name = 'claim_key'");
      else run("insert or replace into meta values ('claim_key', ?)", key);
    },

    addExecution(
      row: Pick<ExecutionRow, "id" | "epoch" | "job" | "group" | "logStreamId" | "deadlineMs" | "createdMs">,
    ) {
      run(
        "insert or replace into executions (id, epoch, job, job_type, grp, log_stream, deadline_ms, created_ms) values (?,?,?,?,?,?,?,?)",
        row.id,
        row.epoch,
        JSON.stringify(row.job),
        row.job.type,
        row.group,
        row.logStreamId,
        row.deadlineMs,
        row.createdMs,
      );
    },
    setPhase(key: ExecutionKey, phase: string, done: readonly string[]): void {
      run(
        "update executions set phase = ?, done = ? where id = ? and epoch = ?",
        phase,
        done.join(","),
        key.id,
        key.epoch,
      );
    },
    setEnded(key: ExecutionKey): void {
      run("update executions set ended = 1 where id = ? and epoch = ?", key.id, key.epoch);
    },
    /** The folder with the outcome goes now, but the control plane may not have heard all of it yet. */
    setOutcome(key: ExecutionKey, status: OutcomeStatus): void {
      run("update executions set ended = 1, phase = ? where id = ? and epoch = ?", OVER + status, key.id, key.epoch);
    },
    forget(key: ExecutionKey): void {
      run("delete from executions where id = ? and epoch = ?", key.id, key.epoch);
      if (!detailed.has(nameOf(key))) return;
      forgotten.add(nameOf(key));
      run("delete from tools where execution = ? and epoch = ?", key.id, key.epoch);
      run("delete from steps where execution = ? and epoch = ?", key.id, key.epoch);
    },
    executions(): ExecutionRow[] {
      return all<RawExecution>("select * from executions order by created_ms").map(toExecution);
    },

    tool(key: ExecutionKey, name: string): ToolRow | null {
      const row = all<RawTool>(
        "select * from tools where execution = ? and epoch = ? and name = ?",
        key.id,
        key.epoch,
        name,
      )[0];
      return row ? toTool(row) : null;
    },
    tools(key: ExecutionKey): ToolRow[] {
      if (!detailed.has(nameOf(key))) return [];
      return all<RawTool>("select * from tools where execution = ? and epoch = ?", key.id, key.epoch).map(toTool);
    },
    toolIntent(key: ExecutionKey, name: string, bootId: string, startedMs: number): void {
      detail(key);
      run(
        "insert or replace into tools (execution, epoch, name, state, boot_id, started_ms) values (?,?,?,'intent',?,?)",
        key.id,
        key.epoch,
        name,
        bootId,
        startedMs,
      );
    },
    toolRunning(key: ExecutionKey, name: string, pid: number, startTime: string, bootId: string): void {
      run(
        "update tools set state = 'running', pid = ?, start_time = ?, boot_id = ? where execution = ? and epoch = ? and name = ?",
        pid,
        startTime,
        bootId,
        key.id,
        key.epoch,
        name,
      );
    },
    toolEnded(key: ExecutionKey, name: string, code: number | null, durationMs: number): void {
      run(
        "update tools set state = 'ended', code = ?, duration_ms = ? where execution = ? and epoch = ? and name = ?",
        code,
        durationMs,
        key.id,
        key.epoch,
        name,
      );
    },

    setStep(key: ExecutionKey, seq: number, step: StepRow): void {
      detail(key);
      run(
        "insert or replace into steps values (?,?,?,?,?,?,?,?)",
        key.id,
        key.epoch,
        step.name,
        seq,
        step.status,
        step.startedMs,
        step.durationMs,
        step.code,
      );
    },
    steps(key: ExecutionKey): StepRow[] {
      if (!detailed.has(nameOf(key))) return [];
      return all<RawStep>("select * from steps where execution = ? and epoch = ? order by seq", key.id, key.epoch).map(
        (row) => ({
          name: row.name,
          status: row.status,
          startedMs: row.started_ms,
          durationMs: row.duration_ms,
          code: row.code,
        }),
      );
    },
  };
}

interface RawExecution {
  id: string;
  epoch: number;
  job: string;
  job_type: string;
  grp: JobGroup;
  log_stream: string | null;
  deadline_ms: number;
  phase: string;
  done: string;
  ended: number;
  created_ms: number;
}
interface RawTool {
  name: string;
  state: ToolRow["state"];
  pid: number | null;
  start_time: string | null;
  boot_id: string;
  started_ms: number;
  code: number | null;
  duration_ms: number | null;
}
interface RawStep {
  name: string;
  status: StepStatus;
  started_ms: number;
  duration_ms: number | null;
  code: number | null;
}

/** Begins the phase of an execution whose folder is gone. */
const OVER = "over:";

const toExecution = (row: RawExecution): ExecutionRow => ({
  id: row.id,
  epoch: row.epoch,
  job: JSON.parse(row.job) as RunnerJob,
  jobType: row.job_type,
  group: row.grp,
  logStreamId: row.log_stream,
  deadlineMs: row.deadline_ms,
  phase: row.phase,
  done: row.done.split(",").filter(Boolean),
  ended: row.ended === 1,
  outcome: OUTCOME_STATUSES.find((status) => row.phase === OVER + status) ?? null,
  createdMs: row.created_ms,
});
const toTool = (row: RawTool): ToolRow => ({
  name: row.name,
  state: row.state,
  pid: row.pid,
  startTime: row.start_time,
  bootId: row.boot_id,
  startedMs: row.started_ms,
  code: row.code,
  durationMs: row.duration_ms,
});

function tryWrite(write: () => void): void {
  try {
    write();
  } catch {
    // The ballast is a precaution; a disk that has no room for it is noticed by --min-free.
  }
}
