import type { JSX } from "preact";
import { hasEnded } from "../../../protocol/enums.ts";
import type { JobDoc } from "../../../protocol/operator.ts";
import { Badge } from "../parts/badge.tsx";
import { Ago, Elapsed } from "../parts/time.tsx";
import { Words } from "../parts/words.tsx";
import { Link, urls } from "../router.tsx";
import { jobLook, operationWords, reasonWords } from "../status.ts";
import { type JobQuery, jobsUrl } from "./job-query.ts";

interface TableProps {
  readonly jobs: readonly JobDoc[];
  readonly query: JobQuery;
  readonly runnerName: (id: string) => string;
}

export function JobTable({ jobs, query, runnerName }: TableProps): JSX.Element {
  return (
    <table class="list jobs">
      <thead>
        <tr>
          <th scope="col">Status</th>
          <Sortable query={query} column="name" label="Name" first="name" />
          <Sortable query={query} column="type" label="Type" first="type" />
          <th scope="col">Runner</th>
          <Sortable query={query} column="created" label="Created" first="-created" right />
          <th scope="col" class="right">
            Duration
          </th>
        </tr>
      </thead>
      <tbody>
        {jobs.map((job) => (
          <JobRow key={job.id} job={job} runnerName={runnerName} />
        ))}
      </tbody>
    </table>
  );
}

interface SortableProps {
  readonly query: JobQuery;
  readonly column: string;
  readonly label: string;
  /** The order of the first click. */
  readonly first: string;
  readonly right?: boolean;
}

function Sortable({ query, column, label, first, right }: SortableProps): JSX.Element {
  const now = query.sort === "" ? "-created" : query.sort;
  const sorted = now.replace(/^-/, "") === column;
  const down = now.startsWith("-");
  const next = !sorted ? first : down ? column : `-${column}`;
  const order = !sorted ? undefined : down ? "descending" : "ascending";
  return (
    <th scope="col" class={right ? "right" : ""} aria-sort={order}>
      <Link class="sort" to={jobsUrl(query, { sort: next === "-created" ? "" : next })}>
        {label}
        <span aria-hidden="true">{!sorted ? "" : down ? " ↓" : " ↑"}</span>
      </Link>
    </th>
  );
}

interface RowProps {
  readonly job: JobDoc;
  readonly runnerName: (id: string) => string;
}

function JobRow({ job, runnerName }: RowProps): JSX.Element {
  return (
    <tr>
      <td class="c-status">
        <Badge {...jobLook(job.status)} />
      </td>
      <td class="c-name">
        <Link to={urls.job(job.id)} class="name">
          {job.name || job.id}
        </Link>
        <Why job={job} />
      </td>
      <td class="c-type">
        {job.type}
        <div class="sub">
          {job.kind === "change" ? "change" : operationWords(job.operation)}
          {job.workspace === null ? "" : `, ${job.workspace}`}
        </div>
      </td>
      <td class="c-runner" data-label="Runner">
        {job.runner_id === null ? (
          <span class="faint">–</span>
        ) : (
          <Link to={urls.runner(job.runner_id)}>{runnerName(job.runner_id)}</Link>
        )}
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

/** What it waits for and what to do about it, or why it ended as it did, or else its id. */
function Why({ job }: { readonly job: JobDoc }): JSX.Element {
  if (job.status === "approval-awaiting") {
    return <div class="sub reason waiting">Its plan waits for a decision: open it to approve or reject.</div>;
  }
  if (job.waiting_for !== "") {
    return (
      <div class="sub reason waiting">
        <Words text={job.waiting_for} />
      </div>
    );
  }
  if (job.reason === "") return <div class="sub mono">{job.id}</div>;
  return (
    <div class={hasEnded(job.status) ? "sub reason" : "sub reason waiting"}>
      <Words text={reasonWords(job.reason)} />
    </div>
  );
}
