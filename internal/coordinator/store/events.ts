import type { Clock } from "../../kit/base/clock.ts";
import { ID_PREFIX } from "../../protocol/ids.ts";
import type { EventDoc } from "../../protocol/operator.ts";
import type { Db } from "./db.ts";

/** What an event is about; absent ids are null. */
export interface NewEvent {
  /** The new status, `step:NAME`, `refused:TRANSITION`, `cleanup`, … */
  readonly what: string;
  /** Who: `system`, `admin`, `runner:<id>`. */
  readonly by: string;
  readonly why?: string;
  readonly jobId?: string | null;
  readonly changeId?: string | null;
  readonly runnerId?: string | null;
  readonly executionId?: string | null;
  readonly epoch?: number | null;
}

export interface EventFilter {
  /** Only events behind this seq. */
  readonly after: number;
  /** Only events ahead of this seq. */
  readonly before?: number;
  /** Oldest first unless told otherwise: `newest` answers the last ones, newest first. */
  readonly order?: "oldest" | "newest";
  readonly limit: number;
  readonly jobId?: string;
  readonly changeId?: string;
  /** Id of a job, change, runner or execution. */
  readonly subject?: string;
  /** What happened; with a colon at its end everything that begins so, e.g. `step:`. */
  readonly what?: string;
  /** Who did it; with a colon at its end everyone who begins so, e.g. `runner:`. */
  readonly by?: string;
}

/** The append-only timeline. */
export interface Events {
  /** Inside a transaction. Answers the seq. */
  append(event: NewEvent): number;
  list(filter: EventFilter): EventDoc[];
  latest(): number;
  /** Told of each event once it is committed; for counting. */
  observe(observer: (event: NewEvent) => void): void;
  /** Called after each commit that appended events; returns the unsubscribe function. */
  subscribe(listener: () => void): () => void;
}

interface EventRow {
  readonly seq: number;
  readonly at: number;
  readonly what: string;
  readonly by: string;
  readonly why: string;
  readonly job_id: string | null;
  readonly change_id: string | null;
  readonly runner_id: string | null;
  readonly execution_id: string | null;
  readonly epoch: number | null;
}

export function createEvents(db: Db, clock: Clock): Events {
  const listeners = new Set<() => void>();
  const observers: ((event: NewEvent) => void)[] = [];
  let announcing = false;
  const last = db.prepare<{ seq: number | null }, []>("SELECT max(seq) AS seq FROM events");
  const insert = db.prepare<
    { seq: number },
    [number, string, string, string, string | null, string | null, string | null, string | null, number | null]
  >(
    `INSERT INTO events (at, what, by, why, job_id, change_id, runner_id, execution_id, epoch)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING seq`,
  );
  const announce = () => {
    if (announcing) return;
    announcing = true;
    queueMicrotask(() => {
      announcing = false;
      for (const listener of listeners) listener();
    });
  };
  return {
    append: (event) => {
      const row = insert.get(
        clock.now(),
        event.what,
        event.by,
        event.why ?? "",
        event.jobId ?? null,
        event.changeId ?? null,
        event.runnerId ?? null,
        event.executionId ?? null,
        event.epoch ?? null,
      );
      if (listeners.size > 0) db.afterCommit(announce);
      for (const observer of observers) db.afterCommit(() => observer(event));
      return row?.seq ?? 0;
    },
    list: (filter) => {
      const { before, subject, what, by } = filter;
      let query = db.kysely
        .selectFrom("events")
        .selectAll()
        .where("seq", ">", filter.after)
        .orderBy("seq", filter.order === "newest" ? "desc" : "asc")
        .limit(filter.limit);
      if (before !== undefined) query = query.where("seq", "<", before);
      if (filter.jobId !== undefined) query = query.where("job_id", "=", filter.jobId);
      if (filter.changeId !== undefined) query = query.where("change_id", "=", filter.changeId);
      if (what !== undefined) {
        query = query.where("what", ">=", what).where("what", what.endsWith(":") ? "<" : "<=", endOf(what));
      }
      if (by !== undefined) query = query.where("by", ">=", by).where("by", by.endsWith(":") ? "<" : "<=", endOf(by));
      if (subject !== undefined) {
        const columns = subjectColumns(subject);
        query = query.where((is) => is.or(columns.map((column) => is(column, "=", subject))));
      }
      return db.all(query).map(toDoc);
    },
    latest: () => last.get()?.seq ?? 0,
    observe: (observer) => void observers.push(observer),
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** Where the values end that a filter takes: at itself or, for a beginning, ahead of the character behind its colon. */
const endOf = (value: string): string => (value.endsWith(":") ? `${value.slice(0, -1)};` : value);

/** Where an id can stand, told by its prefix: the columns of jobs and changes have an index, so they are asked alone. */
function subjectColumns(id: string): readonly ("job_id" | "change_id" | "runner_id" | "execution_id")[] {
  if (id.startsWith(ID_PREFIX.job)) return ["job_id"];
  if (id.startsWith(ID_PREFIX.change)) return ["change_id"];
  return ["runner_id", "execution_id"];
}

function toDoc(row: EventRow): EventDoc {
  return { ...row, at: new Date(row.at).toISOString() };
}
