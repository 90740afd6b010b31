import type { JSX } from "preact";
import { useId, useState } from "preact/hooks";
import { hasEnded } from "../../../protocol/enums.ts";
import type { EventDoc, JobDoc } from "../../../protocol/operator.ts";
import { JOBS_PAGE, lists, paths } from "../api/operations.ts";
import { useSession } from "../context.ts";
import { useQuery, useStore } from "../hooks.ts";
import { Badge } from "../parts/badge.tsx";
import { Command, Empty, Loaded } from "../parts/states.tsx";
import { Ago, Elapsed } from "../parts/time.tsx";
import { Link, navigate, place, urls } from "../router.tsx";
import { FILTERS, jobLook, operationWords, reasonWords } from "../status.ts";
import { useTitle } from "../title.ts";

export function JobsView(): JSX.Element {
  useTitle("Jobs");
  const { query: search } = useStore(place);
  const status = search.get("status") ?? "";
  const text = search.get("q") ?? "";
  // A status that is no filter of ours is asked for as it is, so that links can be made by hand.
  const statuses = FILTERS.find((one) => one.id === status)?.statuses ?? [status];
  return (
    <section aria-labelledby="title">
      <div class="view-head">
        <h1 id="title">Jobs</h1>
        <SearchField text={text} status={status} />
      </div>
      <Filters status={status} text={text} />
      <JobList key={status} statuses={statuses} text={text} />
    </section>
  );
}

const aboutJobs = (event: EventDoc) => event.job_id !== null || event.change_id !== null;

interface ListProps {
  readonly statuses: readonly string[];
  readonly text: string;
}

function JobList({ statuses, text }: ListProps): JSX.Element {
  const query = useQuery(paths.jobs(statuses), lists.jobs, { refreshOn: aboutJobs, everyMs: 15_000 });
  const { api, announce } = useSession();
  const [older, setOlder] = useState<readonly JobDoc[]>([]);
  const [more, setMore] = useState(true);
  const readOlder = async (last: JobDoc) => {
    const answer = await api.get(paths.jobs(statuses, last.id), lists.jobs);
    if (!answer.ok) return announce(answer.error.message);
    setMore(answer.value.length === JOBS_PAGE);
    setOlder([...older, ...answer.value]);
  };
  return (
    <Loaded query={query} what="jobs">
      {(newest) => {
        const all = merge(newest, older);
        const last = all.at(-1);
        if (last === undefined) return statuses.length === 0 ? <NoJobs /> : <NoMatch />;
        const shown = all.filter((job) => haystack(job).includes(text.trim().toLowerCase()));
        return (
          <>
            {shown.length === 0 ? <NoMatch /> : <JobTable jobs={shown} />}
            {newest.length === JOBS_PAGE && more ? (
              <button type="button" class="button more" onClick={() => readOlder(last)}>
                Show older jobs
              </button>
            ) : null}
          </>
        );
      }}
    </Loaded>
  );
}

/** Pages were read at different times: what is in both is shown once, as it was read last. */
function merge(newest: readonly JobDoc[], older: readonly JobDoc[]): readonly JobDoc[] {
  if (older.length === 0) return newest;
  const known = new Set(newest.map((job) => job.id));
  return [...newest, ...older.filter((job) => !known.has(job.id))];
}

const FIRST_JOB = `# job.yaml
type: actions-workflow
name: hello
spec:
  steps:
    - name: greet
      run: echo "hello from $(hostname)"`;

function NoJobs(): JSX.Element {
  return (
    <Empty title="No job yet">
      <p>Describe the work in a job file:</p>
      <Command>{FIRST_JOB}</Command>
      <p>and submit it:</p>
      <Command>runner job submit -f job.yaml --wait</Command>
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

function Filters({ status, text }: { readonly status: string; readonly text: string }): JSX.Element {
  return (
    <nav class="chips" aria-label="Filter by status">
      {FILTERS.map((one) => (
        <Link key={one.id} to={target(one.id, text)} current={one.id === status}>
          {one.label}
        </Link>
      ))}
    </nav>
  );
}

function NoMatch(): JSX.Element {
  return (
    <Empty title="No job matches">
      <p>
        <Link to={urls.jobs()}>Show all jobs</Link>
      </p>
    </Empty>
  );
}

function haystack(job: JobDoc): string {
  return `${job.name} ${job.type} ${job.id} ${job.operation} ${job.workspace ?? ""}`.toLowerCase();
}

function JobTable({ jobs }: { readonly jobs: readonly JobDoc[] }): JSX.Element {
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
