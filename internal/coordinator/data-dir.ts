import { Database } from "bun:sqlite";
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { RunnerError, reasonOf } from "../protocol/errors.ts";
import { newSecret } from "../protocol/ids.ts";
import { type Db, openDb } from "./store/db.ts";

/** Larger databases are not checked page by page at start: that would take seconds. */
const CHECK_UP_TO = 32 * 1024 * 1024;

/** The coordinator's folder, opened: throws a RunnerError of kind environment whose one sentence names the folder. */
export interface DataDir {
  readonly db: Db;
  /** Execution passwords are derived from it. */
  readonly secret: string;
  close(): void;
}

/** Locks the folder first (when `exclusive`), so that a second process touches nothing. */
export function openDataDir(dataDir: string, exclusive: boolean): DataDir {
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw unusable(dataDir, cause);
  }
  const unlock = exclusive ? lockFolder(dataDir) : () => {};
  try {
    const db = openDatabase(join(dataDir, "coordinator.db"), dataDir);
    const secret = keyFile(join(dataDir, "secret.key"));
    const close = () => {
      db.close();
      unlock();
    };
    return { db, secret, close };
  } catch (cause) {
    unlock();
    throw cause;
  }
}

/** One line, the key; made with mode 0600 when the file is missing. */
export function keyFile(path: string): string {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const fd = openSync(path, "wx", 0o600);
    const key = newSecret();
    writeSync(fd, `${key}\n`);
    closeSync(fd);
    return key;
  } catch (cause) {
    if (codeOf(cause) !== "EEXIST") throw unusable(dirname(path), cause);
  }
  const key = read(path);
  if (key.length < 16 || /\s/.test(key)) {
    throw new RunnerError("usage", `${path} is not a key: it must hold one line of at least 16 characters`, {
      remedy: "Write a longer key into it, or delete it and start again to have one made.",
    });
  }
  return key;
}

/** A file that somebody mounted for us (a Secret of Kubernetes) cannot be changed, and need not be. */
function closeToOthers(path: string): void {
  try {
    chmodSync(path, 0o600);
  } catch (cause) {
    if (!["EROFS", "EPERM"].includes(codeOf(cause) ?? "")) throw cause;
  }
}

function read(path: string): string {
  try {
    if ((statSync(path).mode & 0o077) !== 0) closeToOthers(path);
    return readFileSync(path, "utf8").trim();
  } catch (cause) {
    throw unusable(path, cause);
  }
}

/** An open exclusive transaction on a file of its own: the kernel frees it when the process dies, however it dies. */
function lockFolder(dataDir: string): () => void {
  const path = join(dataDir, "coordinator.lock");
  const known = existsSync(path);
  let lock: Database | null = null;
  try {
    lock = new Database(path, { create: true, readwrite: true });
    lock.exec("PRAGMA busy_timeout = 0; PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE");
    const held = lock;
    return () => held.close();
  } catch (cause) {
    lock?.close();
    if (!codeOf(cause).startsWith("SQLITE_BUSY")) {
      // On a full disk the file is made, but not what is in it.
      if (!known && existsSync(path)) rmSync(path);
      throw unusable(dataDir, cause);
    }
    throw new RunnerError("environment", `another coordinator uses the data folder ${dataDir}`, {
      remedy: "Stop it, or give this one a folder of its own with --data-dir.",
      cause,
    });
  }
}

function openDatabase(path: string, dataDir: string): Db {
  let db: Db | null = null;
  try {
    db = openDb(path);
    if (statSync(path).size <= CHECK_UP_TO) {
      const found = db.prepare<{ quick_check: string }, []>("PRAGMA quick_check(1)").get();
      if (found?.quick_check !== "ok") throw corrupt(path, found?.quick_check ?? "no answer");
    }
    return db;
  } catch (cause) {
    db?.close();
    if (cause instanceof RunnerError) throw cause;
    if (/^SQLITE_(NOTADB|CORRUPT)/.test(codeOf(cause))) throw corrupt(path, reasonOf(cause));
    throw unusable(dataDir, cause);
  }
}

const corrupt = (path: string, reason: string) =>
  new RunnerError("environment", `the database ${path} is damaged (${reason.replace(/\s+/g, " ")})`, {
    remedy: "Restore it from a backup, or move it away to begin with an empty one.",
  });

/** Codes of the disk and of its rights; anything else is a defect and is thrown as it is. */
const DISK = /^(E[A-Z]+|SQLITE_(CANTOPEN|READONLY|PERM|IOERR|AUTH|FULL|BUSY|LOCKED))/;

function unusable(path: string, cause: unknown): unknown {
  const code = codeOf(cause);
  if (/ENOSPC|EDQUOT|SQLITE_FULL/.test(code)) {
    return new RunnerError("environment", `no space is left in ${path}`, { remedy: "Free some space there.", cause });
  }
  if (!DISK.test(code)) return cause;
  return new RunnerError("environment", `the folder ${path} cannot be used: ${reasonOf(cause)}`, {
    remedy: "Check that it is a folder this user may write to, or name another with --data-dir.",
    cause,
  });
}

function codeOf(error: unknown): string {
  return error !== null && typeof error === "object" && "code" in error ? String(error.code) : "";
}
