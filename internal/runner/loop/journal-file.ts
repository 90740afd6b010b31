import { Database } from "bun:sqlite";
import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { RunnerError, reasonOf } from "../../protocol/errors.ts";

/** Pages; the default grows to megabytes on a disk that has none to give. */
const WAL_AUTOCHECKPOINT = 64;

/** Made when missing and writable. Throws RunnerError environment. */
export function prepareFolder(stateDir: string): void {
  try {
    mkdirSync(stateDir, { recursive: true, mode: 0o700 });
    chmodSync(stateDir, 0o700);
    const probe = join(stateDir, `.probe-${process.pid}`);
    try {
      writeFileSync(probe, "x", { mode: 0o600 });
    } finally {
      rmSync(probe, { force: true });
    }
  } catch (cause) {
    throw new RunnerError("environment", `the state directory ${stateDir} cannot be written: ${reasonOf(cause)}`, {
      remedy: "give --state-dir a folder that this user may write and that has free space",
      cause,
    });
  }
}

/** The journal's database, for this process alone. Throws RunnerError environment: in use, full, damaged. */
export function openExclusive(file: string, stateDir: string, schema: string): Database {
  let db: Database | null = null;
  try {
    db = new Database(file, { create: true });
    db.run("pragma locking_mode = exclusive");
    db.run("pragma busy_timeout = 0");
    db.run("pragma journal_mode = wal");
    db.run(`pragma wal_autocheckpoint = ${WAL_AUTOCHECKPOINT}`);
    db.run("pragma synchronous = normal");
    db.transaction(() => {}).exclusive();
    checkRows(db);
    db.run(schema);
    chmodSync(file, 0o600);
    return db;
  } catch (cause) {
    db?.close();
    const text = reasonOf(cause);
    if (/locked|busy/i.test(text)) {
      throw new RunnerError("environment", `the state directory ${stateDir} is in use by another runner`, {
        remedy: "stop that runner, or give this one its own --state-dir",
        cause,
      });
    }
    if (/full|no space/i.test(text)) {
      throw new RunnerError("environment", `the state directory ${stateDir} is on a full disk`, {
        remedy: "free some space, then start again",
        cause,
      });
    }
    throw new RunnerError("environment", `the journal ${file} cannot be read: ${text}`, {
      remedy: `move ${file} aside to start with an empty one; work that was running is then reported as lost`,
      cause,
    });
  }
}

/** Damage is said at the start, not by whichever statement meets it in mid-job. A journal is small: this takes about a millisecond. */
function checkRows(db: Database): void {
  const found = db.query<{ quick_check: string }, []>("pragma quick_check(1)").get()?.quick_check ?? "no answer";
  if (found !== "ok") throw new Error(`it is damaged (${found})`);
  const known = db.query("select 1 from sqlite_master where name = 'executions'").get();
  if (!known) return;
  for (const { job } of db.query<{ job: string }, []>("select job from executions").all()) JSON.parse(job);
}
