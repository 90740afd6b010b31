import type { JobDoc, WorkCounts } from "../../../protocol/operator.ts";
import { type ChangeRow, readChange } from "../../changes/change-rows.ts";
import type { JobRow } from "../../store/statements.ts";
import type { Store } from "../../store/store.ts";
import { conditionsOf, type WorkFilter } from "./job-filter.ts";
import { changeView, jobView } from "./job-views.ts";
import { notFound, problem } from "./problem.ts";
import { fleetOnce } from "./waiting.ts";

/** Columns a list can be sorted by: they never change, so a page begins where the one before ended. */
export const SORTS = ["created", "name", "type"] as const;
type Column = (typeof SORTS)[number];

export interface ListQuery extends WorkFilter {
  /** A column of SORTS, `-` before it: the other way round. */
  readonly sort: string;
  readonly limit: number;
  /** Id of the last row of a page: goes on behind it. */
  readonly before?: string | undefined;
  /** Id of the first row of a page: the page that ends where that one begins. */
  readonly back?: string | undefined;
}

interface Key {
  readonly created_at: number;
  readonly id: string;
  readonly name: string;
  readonly type: string;
}

const COLUMN = { created: "created_at", name: "name", type: "type" } as const satisfies Record<Column, keyof Key>;

/** Changes, and jobs that belong to none. Throws problems for a query that makes no sense. */
export function listWork(store: Store, query: ListQuery): JobDoc[] {
  if (query.before !== undefined && query.back !== undefined)
    throw problem(400, "usage", "query: found `before` and `back`; expected one of them");
  const anchor = query.before ?? query.back;
  const order: Order = {
    column: COLUMN[SORTS.find((one) => one === query.sort.replace(/^-/, "")) ?? "created"],
    // A page that ends at a row is read from there backwards.
    down: query.sort.startsWith("-") !== (query.back !== undefined),
    from: anchor === undefined ? null : placeOf(store, anchor),
  };
  const jobs = page<JobRow>(store, "jobs", query, order);
  const changes = page<ChangeRow>(store, "changes", query, order);
  const isChange = new Set(changes.map((change) => change.id));
  const rows = [...jobs, ...changes].sort(comparing(order)).slice(0, query.limit);
  if (query.back !== undefined) rows.reverse();
  const fleet = fleetOnce(store);
  return rows.map((row) =>
    isChange.has(row.id) ? changeView(store, row as ChangeRow, fleet) : jobView(store, row as JobRow, fleet),
  );
}

interface Order {
  readonly column: (typeof COLUMN)[Column];
  readonly down: boolean;
  readonly from: Key | null;
}

function page<Row extends Key>(store: Store, table: "jobs" | "changes", query: ListQuery, order: Order): Row[] {
  const { column, down, from } = order;
  const { sql, values } = conditionsOf(table, query);
  const behind = from === null ? "" : ` AND (${column}, id) ${down ? "<" : ">"} (?, ?)`;
  const direction = down ? "DESC" : "ASC";
  const text = `SELECT * FROM ${table} WHERE ${sql}${behind} ORDER BY ${column} ${direction}, id ${direction} LIMIT ?`;
  const place = from === null ? [] : [from[column], from.id];
  return store.db.prepare<Row, (string | number)[]>(text).all(...values, ...place, query.limit);
}

/** As SQLite compares: numbers by value, texts by their code units. */
function comparing({ column, down }: Order): (a: Key, b: Key) => number {
  const sign = down ? -1 : 1;
  return (a, b) => {
    if (a[column] !== b[column]) return a[column] < b[column] ? -sign : sign;
    return a.id < b.id ? -sign : sign;
  };
}

function placeOf(store: Store, id: string): Key {
  const row = readChange(store, id) ?? store.sql.job.get(id);
  if (row === null) throw notFound(`job or change ${id} to go on from`);
  return row;
}

/** How many there are of each status; a status that nothing has is left out. */
export function countWork(store: Store, filter: Omit<WorkFilter, "status">): WorkCounts {
  const counts = new Map<string, number>();
  for (const table of ["jobs", "changes"] as const) {
    const { sql, values } = conditionsOf(table, filter);
    const rows = store.db
      .prepare<{ status: string; n: number }, string[]>(
        `SELECT status, count(*) AS n FROM ${table} WHERE ${sql} GROUP BY status`,
      )
      .all(...values);
    for (const { status, n } of rows) counts.set(status, (counts.get(status) ?? 0) + n);
  }
  const statuses = Object.fromEntries(counts);
  return { total: [...counts.values()].reduce((sum, n) => sum + n, 0), statuses };
}
