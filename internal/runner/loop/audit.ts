import { closeSync, existsSync, fstatSync, ftruncateSync, openSync, renameSync, writeSync } from "node:fs";
import { FIRST, sealed } from "../../kit/audit/chain.ts";
import { asideFile, auditFile, KEEP_ASIDE, lastLine } from "../../kit/audit/trail-file.ts";
import type { SystemLog } from "../../kit/base/system-log.ts";
import { reasonOf } from "../../protocol/errors.ts";

/**
 * The runner's own trail of what it was made to do (DESIGN section 8): JSON lines in the state directory, each with the
 * hash of the line before it, so that a line changed, added or taken out later shows. It holds names and hashes, never
 * a plan or a secret. A disk that takes no line stops no job: what is missing is counted, and the next line says so.
 */
export type AuditEvent =
  | {
      readonly event: "program";
      readonly execution: string;
      readonly job: string;
      readonly program: string;
      /** Redacted. */
      readonly args: readonly string[];
      /** Names of its environment, never values. */
      readonly env: readonly string[];
    }
  | {
      readonly event: "job";
      readonly execution: string;
      readonly epoch: number;
      readonly job: string;
      readonly type: string;
      readonly operation: string;
      readonly group: string;
      readonly runner: string;
      /** Hex; null: the plan never came. */
      readonly plan_sha256: string | null;
      /** Name of the key that signed the work; absent: none was asked for, or an earlier process checked it. */
      readonly signer?: string;
      /** Rule of the policy that decided last; absent: there was none, or an earlier process asked it. */
      readonly policy?: string;
      /** Programs that this process started for it; each has a line of its own. */
      readonly programs: number;
      /** Names of what its programs got in their environment, over all of them. */
      readonly env: readonly string[];
      /** An outcome of the protocol, or `lost`: the lease went, so nothing was reported. */
      readonly outcome: string;
      readonly reason: string;
      /** RFC 3339; the end is the line's own time. */
      readonly started_at: string;
    };

export interface AuditTrail {
  append(event: AuditEvent): void;
  /** Lines that could not be written since this process started. */
  missing(): number;
  close(): void;
}

export interface AuditOptions {
  readonly stateDir: string;
  readonly log: SystemLog;
  readonly now: () => number;
  /** A full file is put aside; default 16 MiB. */
  readonly maxBytes?: number;
}

const MAX_BYTES = 16 * 2 ** 20;

/** Goes on behind the last whole line of the file; what a crash left of a half line is cut off. Never throws. */
export function openAudit({ stateDir, log, now, maxBytes = MAX_BYTES }: AuditOptions): AuditTrail {
  const path = auditFile(stateDir);
  let fd: number | null = null;
  let size = 0;
  let last = FIRST;
  let missing = 0;
  let untold = 0;
  let saidMissing = false;

  const open = (): number => {
    if (fd !== null) return fd;
    const opened = openSync(path, existsSync(path) ? "r+" : "wx+", 0o600);
    fd = opened;
    const found = lastLine(opened);
    if (found.size < fstatSync(opened).size) ftruncateSync(opened, found.size);
    size = found.size;
    if (found.hash !== null) last = found.hash;
    else if (last === FIRST) last = hashBefore(stateDir);
    return opened;
  };
  const putAside = (): void => {
    if (fd === null || size < maxBytes) return;
    for (let n = KEEP_ASIDE - 1; n > 0; n--)
      if (existsSync(asideFile(stateDir, n))) renameSync(asideFile(stateDir, n), asideFile(stateDir, n + 1));
    renameSync(path, asideFile(stateDir, 1));
    closeSync(fd);
    fd = null;
  };
  const write = (event: AuditEvent): void => {
    putAside();
    const to = open();
    const at = new Date(now()).toISOString();
    const { line, hash } = sealed({ at, ...event, ...(untold > 0 ? { missing_before: untold } : {}) }, last);
    const bytes = Buffer.from(line);
    if (writeSync(to, bytes, 0, bytes.length, size) < bytes.length) {
      ftruncateSync(to, size);
      throw new Error("no space left for the whole line");
    }
    size += bytes.length;
    last = hash;
    untold = 0;
  };

  return {
    append(event) {
      try {
        write(event);
      } catch (cause) {
        missing += 1;
        untold += 1;
        if (!saidMissing)
          log.warn("the audit trail cannot be written; jobs go on", { file: path, reason: reasonOf(cause) });
        saidMissing = true;
      }
    },
    missing: () => missing,
    close() {
      if (fd !== null) closeSync(fd);
      fd = null;
    },
  };
}

/** The trail goes on over files: the first line of one builds on the last line of the one before. */
function hashBefore(stateDir: string): string {
  const aside = asideFile(stateDir, 1);
  if (!existsSync(aside)) return FIRST;
  const fd = openSync(aside, "r");
  try {
    return lastLine(fd).hash ?? FIRST;
  } finally {
    closeSync(fd);
  }
}
