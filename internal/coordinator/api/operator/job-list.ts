import { CHANGE_STATUSES, JOB_STATUSES } from "../../../protocol/enums.ts";
import type { JobDoc } from "../../../protocol/operator.ts";
import { unknownWord } from "../../../protocol/suggest.ts";
import { type ChangeRow, readChange } from "../../changes/change-rows.ts";
import type { JobRow } from "../../store/statements.ts";
import type { Store } from "../../store/store.ts";
import { changeView, jobView } from "./job-views.ts";
import { notFound, problem } from "./problem.ts";

export interface ListQuery {
  /** Status words, comma between them. */
  readonly status?: string | undefined;
  readonly limit: number;
  /** Id of the last job of the page before. */
  readonly before?: string | undefined;
}

interface Place {
  readonly created_at: number;
  readonly id: string;
}

/** Changes, and jobs that belong to none; newest first. Throws problems for a query that makes no sense. */
export function listWork(store: Store, query: ListQuery): JobDoc[] {
  const statuses = statusWords(query.status);
  const before = query.before === undefined ? null : placeOf(store, query.before);
  const jobs = page<JobRow>(store, "jobs", "change_id IS NULL", statuses, before, query.limit);
  const changes = page<ChangeRow>(store, "changes", "1", statuses, before, query.limit);
  const newest = (a: Place, b: Place) => b.created_at - a.created_at || (a.id < b.id ? 1 : -1);
  const isChange = new Set(changes.map((change) => change.id));
  return [...jobs, ...changes]
    .sort(newest)
    .slice(0, query.limit)
    .map((row) => (isChange.has(row.id) ? changeView(store, row as ChangeRow) : jobView(store, row as JobRow)));
}

function page<Row extends Place>(
  store: Store,
  table: "jobs" | "changes",
  where: string,
  statuses: readonly string[],
  before: Place | null,
  limit: number,
): Row[] {
  const conditions = [where];
  const values: (string | number)[] = [];
  if (statuses.length > 0) {
    conditions.push(`status IN (${statuses.map(() => "?").join(", ")})`);
    values.push(...statuses);
  }
  if (before !== null) {
    conditions.push("(created_at, id) < (?, ?)");
    values.push(before.created_at, before.id);
  }
  const sql = `SELECT * FROM ${table} WHERE ${conditions.join(" AND ")} ORDER BY created_at DESC, id DESC LIMIT ?`;
  return store.db.prepare<Row, (string | number)[]>(sql).all(...values, limit);
}

function placeOf(store: Store, id: string): Place {
  const row = readChange(store, id) ?? store.sql.job.get(id);
  if (row === null) throw notFound(`job or change ${id} to list before`);
  return row;
}

const WORDS: readonly string[] = [...new Set<string>([...JOB_STATUSES, ...CHANGE_STATUSES])];

function statusWords(text: string | undefined): string[] {
  const words = (text ?? "").split(",").filter((word) => word !== "");
  for (const word of words) {
    if (!WORDS.includes(word)) throw problem(400, "usage", `query: status: ${unknownWord("status", word, WORDS)}`);
  }
  return words;
}
