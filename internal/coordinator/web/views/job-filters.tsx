import type { JSX } from "preact";
import { useId } from "preact/hooks";
import { JOB_GROUPS, JOB_TYPES } from "../../../protocol/enums.ts";
import type { RunnerDoc, WorkCounts } from "../../../protocol/operator.ts";
import { Link, navigate } from "../router.tsx";
import { FILTERS } from "../status.ts";
import { type JobQuery, jobsUrl, statusesOf } from "./job-query.ts";

interface ChipsProps {
  readonly query: JobQuery;
  readonly counts: WorkCounts | null;
}

/** Statuses with how many there are of each. */
export function StatusChips({ query, counts }: ChipsProps): JSX.Element {
  return (
    <nav class="chips" aria-label="Filter by status">
      {FILTERS.filter((one) => !one.hidden || one.id === query.status).map((one) => (
        <Link key={one.id} to={jobsUrl(query, { status: one.id })} current={one.id === query.status}>
          {one.label}
          {counts === null ? null : <span class="chip-count">{countOf(counts, one.id).toLocaleString("en")}</span>}
        </Link>
      ))}
    </nav>
  );
}

export function countOf(counts: WorkCounts, status: string): number {
  if (status === "") return counts.total;
  return statusesOf(status).reduce((sum, one) => sum + (counts.statuses[one] ?? 0), 0);
}

interface ChoicesProps {
  readonly query: JobQuery;
  readonly runners: readonly RunnerDoc[];
}

/** Narrowing by what a job is and who works on it. */
export function Narrowing({ query, runners }: ChoicesProps): JSX.Element {
  const names: readonly (readonly [string, string])[] = runners.map(({ id, name }) => [id, name]);
  const plain = (values: readonly string[]) => values.map((value) => [value, value] as const);
  return (
    <div class="narrowing">
      <Choice name="type" all="Any type" query={query} options={plain([...JOB_TYPES].sort())} />
      <Choice name="group" all="Any group" query={query} options={plain([...JOB_GROUPS].sort())} />
      <Choice name="runner" all="Any runner" query={query} options={names} />
      {query.workspace === "" ? null : (
        <Link class="narrowed" to={jobsUrl(query, { workspace: "" })}>
          workspace {query.workspace} <span aria-hidden="true">✕</span>
          <span class="hidden">: show all workspaces</span>
        </Link>
      )}
    </div>
  );
}

interface ChoiceProps {
  readonly name: "type" | "group" | "runner";
  readonly all: string;
  readonly query: JobQuery;
  readonly options: readonly (readonly [string, string])[];
}

function Choice({ name, all, query, options }: ChoiceProps): JSX.Element {
  const value = query[name];
  // A value from an address that is not in the list is still what is asked for.
  const known = value === "" || options.some(([one]) => one === value);
  const shown = known ? options : [...options, [value, value] as const];
  return (
    <select
      aria-label={`Filter by ${name}`}
      class={value === "" ? "" : "chosen"}
      value={value}
      onChange={(event) => navigate(jobsUrl(query, { [name]: event.currentTarget.value }))}
    >
      <option value="">{all}</option>
      {shown.map(([one, words]) => (
        <option key={one} value={one}>
          {words}
        </option>
      ))}
    </select>
  );
}

export const SEARCH_FIELD = "job-search";

export function SearchField({ query }: { readonly query: JobQuery }): JSX.Element {
  const help = useId();
  return (
    <search class="search">
      <label for={SEARCH_FIELD} class="hidden">
        Search by name, type or id
      </label>
      <input
        id={SEARCH_FIELD}
        type="search"
        placeholder="Name, type, id or workspace"
        aria-describedby={help}
        value={query.q}
        onInput={(event) => navigate(jobsUrl(query, { q: event.currentTarget.value }), { replace: true })}
        onKeyDown={(event) => {
          if (event.key !== "Escape") return;
          event.preventDefault();
          if (query.q === "") event.currentTarget.blur();
          else navigate(jobsUrl(query, { q: "" }), { replace: true });
        }}
      />
      <span id={help} class="hidden">
        Searches all jobs, not only those on this page
      </span>
    </search>
  );
}
