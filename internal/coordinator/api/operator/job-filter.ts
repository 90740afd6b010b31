import { CHANGE_STATUSES, JOB_STATUSES } from "../../../protocol/enums.ts";
import { unknownWord } from "../../../protocol/suggest.ts";
import { problem } from "./problem.ts";

/** What the list of jobs may be narrowed to; every part that is given must hold. */
export interface WorkFilter {
  /** Status words, comma between them. */
  readonly status?: string | undefined;
  readonly type?: string | undefined;
  readonly group?: string | undefined;
  /** Id of the runner that works or worked on it, or that alone may. */
  readonly runner?: string | undefined;
  readonly workspace?: string | undefined;
  /** Part of a name, id, type, operation or workspace; upper and lower case alike. */
  readonly q?: string | undefined;
}

type Table = "jobs" | "changes";

/** SQL of a filter for one of the two tables, without `WHERE`; true for changes and for jobs that belong to none. */
export interface Conditions {
  readonly sql: string;
  readonly values: readonly string[];
}

/** Jobs of the outer row: the job itself, or those of the change. */
const OWN_JOBS = {
  jobs: "j.id = jobs.id",
  changes: "j.id IN (changes.plan_job_id, changes.apply_job_id)",
} as const satisfies Record<Table, string>;

/** Throws a problem for a word that is no status. */
export function conditionsOf(table: Table, filter: WorkFilter): Conditions {
  const sql: string[] = [table === "jobs" ? "change_id IS NULL" : "1"];
  const values: string[] = [];
  const add = (text: string, ...more: readonly string[]) => {
    sql.push(text);
    values.push(...more);
  };
  const statuses = statusWords(filter.status);
  if (statuses.length > 0) add(`status IN (${statuses.map(() => "?").join(", ")})`, ...statuses);
  if (filter.type) add("type = ?", filter.type);
  if (filter.group) add(`EXISTS (SELECT 1 FROM jobs j WHERE ${OWN_JOBS[table]} AND j.job_group = ?)`, filter.group);
  if (filter.workspace) add("workspace_id IN (SELECT id FROM workspaces WHERE name = ?)", filter.workspace);
  if (filter.runner) {
    const ran = "j.runner_id = ? OR EXISTS (SELECT 1 FROM executions e WHERE e.job_id = j.id AND e.runner_id = ?)";
    add(`EXISTS (SELECT 1 FROM jobs j WHERE ${OWN_JOBS[table]} AND (${ran}))`, filter.runner, filter.runner);
  }
  const text = filter.q?.trim() ?? "";
  if (text !== "") {
    const like = "LIKE ? ESCAPE '\\'";
    const workspace = `workspace_id IN (SELECT id FROM workspaces WHERE name ${like})`;
    add(
      `(name ${like} OR id ${like} OR type ${like} OR operation ${like} OR ${workspace})`,
      ...Array.from({ length: 5 }, () => `%${text.replace(/[\\%_]/g, "\\$&")}%`),
    );
  }
  return { sql: sql.join(" AND "), values };
}

const WORDS: readonly string[] = [...new Set<string>([...JOB_STATUSES, ...CHANGE_STATUSES])];

function statusWords(text: string | undefined): string[] {
  const words = (text ?? "").split(",").filter((word) => word !== "");
  for (const word of words) {
    if (!WORDS.includes(word)) throw problem(400, "usage", `query: status: ${unknownWord("status", word, WORDS)}`);
  }
  return words;
}
