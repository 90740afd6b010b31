import { FIRST, readLine, sealed } from "../kit/audit/chain.ts";
import type { AuditDoc } from "../protocol/operator.ts";
import type { Store } from "./store/store.ts";

/** One changing call of an operator. Values that a caller sent are not in it, but for the reason given. */
export interface AuditEntry {
  /** Who: `admin`. */
  readonly actor: string;
  readonly method: string;
  readonly path: string;
  /** HTTP status of the answer. */
  readonly status: number;
  readonly outcome: "done" | "refused" | "failed";
  readonly reason: string;
  /** Id of what the call made; empty: it made nothing. */
  readonly made: string;
}

/** The coordinator's trail (DESIGN section 7): append-only rows, each with the hash of the one before it. */
export interface AuditLog {
  append(entry: AuditEntry): Promise<void>;
  list(after: number, limit: number): AuditDoc[];
}

export function createAuditLog({ db, clock }: Pick<Store, "db" | "clock">): AuditLog {
  const newest = db.prepare<AuditDoc, []>("SELECT seq, line FROM audit ORDER BY seq DESC LIMIT 1");
  const insert = db.prepare<unknown, [number, string]>("INSERT INTO audit (seq, line) VALUES (?, ?)");
  const page = db.prepare<AuditDoc, [number, number]>("SELECT seq, line FROM audit WHERE seq > ? ORDER BY seq LIMIT ?");
  return {
    append: (entry) =>
      db.group(() => {
        // Read each time: another process may share the folder (run-local).
        const before = newest.get();
        const seq = (before?.seq ?? 0) + 1;
        const prev = (before && readLine(before.line)?.hash) ?? FIRST;
        const at = new Date(clock.now()).toISOString();
        insert.run(seq, sealed({ seq, at, ...entry }, prev).line.trimEnd());
      }),
    list: (after, limit) => page.all(after, limit),
  };
}
