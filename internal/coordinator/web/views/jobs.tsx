import type { JSX } from "preact";
import { useId } from "preact/hooks";
import type { JobDoc } from "../../../protocol/operator.ts";
import { lists, paths } from "../api/operations.ts";
import { useQuery, useStore } from "../hooks.ts";
import { Badge } from "../parts/badge.tsx";
import { Command, Empty, Loaded } from "../parts/states.tsx";
import { Ago, Elapsed } from "../parts/time.tsx";
import { Link, navigate, place, urls } from "../router.tsx";
import { FILTERS, hasEnded, jobLook, reasonWords } from "../status.ts";
import { useTitle } from "../title.ts";

export function JobsView(): JSX.Element {
  useTitle("Jobs");
  const query = useQuery(paths.jobs, lists.jobs, { refreshOn: (event) => event.job_id !== null, everyMs: 15_000 });
  const { query: search } = useStore(place);
  const status = search.get("status") ?? "";
  const text = search.get("q") ?? "";
  return (
    <section aria-labelledby="title">
      <div class="view-head">
        <h1 id="title">Jobs</h1>
        <SearchField text={text} status={status} />
      </div>
      <Loaded query={query} what="jobs">
        {(all) => {
          // The jobs of a change are shown inside it.
          const jobs = all.filter((job) => job.kind === "change" || job.change_id === null);
          return jobs.length === 0 ? <NoJobs /> : <FilteredJobs jobs={jobs} status={status} text={text} />;
        }}
      </Loaded>
    </section>
  );
}

function NoJobs(): JSX.Element {
  return (
    <Empty title="No job yet">
      <p>Describe the work in a job file and submit it:</p>
      <Command>
        {"runner explain actions-workflow     # what a job file looks like\nrunner job submit -f job.yaml --wait"}
      </Command>
    </Empty>
  );
}

function target(status: string, text: string): string {
  const query = new URLSearchParams();
  if (status !== "") query.set("status", status);
  if (text !== "") query.set("q", text);
  const tail = query.toString();
  return urls.jobs() + (tail === "" ? "" : `?${tail}`);
}

function SearchField({ text, status }: { readonly text: string; readonly status: string }): JSX.Element {
  const field = useId();
  return (
    <div class="search">
      <label for={field} class="hidden">
        Search by name, type or id
      </label>
      <input
        id={field}
        type="search"
        placeholder="Name, type or id"
        value={text}
        onInput={(event) => navigate(target(status, event.currentTarget.value), { replace: true })}
      />
    </div>
  );
}

interface FilteredProps {
  readonly jobs: readonly JobDoc[];
  readonly status: string;
  readonly text: string;
}

function FilteredJobs({ jobs, status, text }: FilteredProps): JSX.Element {
  const wanted = text.trim().toLowerCase();
  const found = wanted === "" ? jobs : jobs.filter((job) => haystack(job).includes(wanted));
  // A status in the URL that is no group is taken as the exact status, so that links can be made by hand.
  const filter = FILTERS.find((one) => one.id === status);
  const shown = found.filter((job) => (filter ? filter.holds(job.status) : job.status === status));
  return (
    <>
      <nav class="chips" aria-label="Filter by status">
        {FILTERS.map((one) => (
          <Link key={one.id} to={target(one.id, text)} current={one.id === status}>
            {one.label} <span class="chip-count">{found.filter((job) => one.holds(job.status)).length}</span>
          </Link>
        ))}
      </nav>
      {shown.length === 0 ? (
        <Empty title="No job matches">
          <p>
            <Link to={urls.jobs()}>Show all jobs</Link>
          </p>
        </Empty>
      ) : (
        <JobTable jobs={shown} />
      )}
    </>
  );
}

function haystack(job: JobDoc): string {
  return `${job.name} ${job.type} ${job.id} ${job.operation} ${job.workspace ?? ""}`.toLowerCase();
}

export function JobTable({ jobs }: { readonly jobs: readonly JobDoc[] }): JSX.Element {
  return (
    <table class="list jobs">
      <thead>
        <tr>
          <th scope="col">Status</th>
          <th scope="col">Name</th>
          <th scope="col">Type</th>
          <th scope="col" class="right">
            Created
          </th>
          <th scope="col" class="right">
            Duration
          </th>
        </tr>
      </thead>
      <tbody>
        {jobs.map((job) => (
          <JobRow key={job.id} job={job} />
        ))}
      </tbody>
    </table>
  );
}

function JobRow({ job }: { readonly job: JobDoc }): JSX.Element {
  return (
    <tr>
      <td class="c-status">
        <Badge {...jobLook(job.status)} />
      </td>
      <td class="c-name">
        <Link to={urls.job(job.id)} class="name">
          {job.name || job.id}
        </Link>
        {job.reason === "" ? (
          <div class="sub mono">{job.id}</div>
        ) : (
          <div class={hasEnded(job.status) ? "sub reason" : "sub reason waiting"}>{reasonWords(job.reason)}</div>
        )}
      </td>
      <td class="c-type">
        {job.type}
        <div class="sub">{job.kind === "change" ? "change" : operationWords(job.operation)}</div>
      </td>
      <td class="c-age right" data-label="Created">
        <Ago at={job.created_at} />
      </td>
      <td class="c-took right" data-label="Took">
        <Elapsed from={job.started_at} to={job.finished_at} />
      </td>
    </tr>
  );
}

const OPERATION: Readonly<Record<string, string>> = {
  exec: "run",
  build: "build",
  "create-apply-plan": "plan",
  "create-teardown-plan": "plan to destroy",
  "apply-plan": "apply",
};
export const operationWords = (operation: string): string => OPERATION[operation] ?? operation;
