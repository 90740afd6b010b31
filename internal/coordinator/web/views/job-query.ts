import { JOBS_PAGE } from "../api/operations.ts";
import { urls, withQuery } from "../router.tsx";
import { FILTERS } from "../status.ts";

/** What the address of the job list asks for; empty text: nothing. */
export interface JobQuery {
  readonly status: string;
  readonly q: string;
  readonly type: string;
  readonly group: string;
  readonly runner: string;
  readonly workspace: string;
  /** `-created` (newest first) when empty. */
  readonly sort: string;
  /** Id of the last job of the page before. */
  readonly before: string;
  /** Id of the first job of the page behind. */
  readonly back: string;
}

const EMPTY: JobQuery = {
  status: "",
  q: "",
  type: "",
  group: "",
  runner: "",
  workspace: "",
  sort: "",
  before: "",
  back: "",
};

export function readJobQuery(search: URLSearchParams): JobQuery {
  const entries = Object.keys(EMPTY).map((key) => [key, search.get(key) ?? ""]);
  return { ...EMPTY, ...Object.fromEntries(entries) };
}

/** The address with something changed. A change of what is listed begins at the first page. */
export function jobsUrl(query: JobQuery, change: Partial<JobQuery>): string {
  return withQuery(urls.jobs(), { ...query, before: "", back: "", ...change });
}

export const isNarrowed = ({ status, q, type, group, runner, workspace }: JobQuery): boolean =>
  [status, q, type, group, runner, workspace].some((value) => value !== "");

export const isFirstPage = ({ before, back }: JobQuery): boolean => before === "" && back === "";

/** Statuses of the filter; a status that is no filter of ours is asked for as it is, so that links can be made by hand. */
export function statusesOf(status: string): readonly string[] {
  return FILTERS.find((one) => one.id === status)?.statuses ?? [status];
}

/** Path of the list in the API. One more than a page is read: it says whether there is another page. */
export function jobsPath(query: JobQuery): string {
  const { status, sort, before, back } = query;
  const page = { sort, before, back, limit: String(JOBS_PAGE + 1) };
  return withQuery("/jobs", { status: statusesOf(status).join(","), ...narrowing(query), ...page });
}

export const countsPath = (query: JobQuery): string => withQuery("/jobs/counts", narrowing(query));

const narrowing = ({ q, type, group, runner, workspace }: JobQuery) => ({
  q: q.trim(),
  type,
  group,
  runner,
  workspace,
});

/** The page out of what was read, and whether there is something on either side of it. */
export function cutPage<T>(
  read: readonly T[],
  query: JobQuery,
): { rows: readonly T[]; newer: boolean; older: boolean } {
  const more = read.length > JOBS_PAGE;
  if (query.back !== "") return { rows: more ? read.slice(1) : read, newer: more, older: true };
  return { rows: read.slice(0, JOBS_PAGE), newer: query.before !== "", older: more };
}
