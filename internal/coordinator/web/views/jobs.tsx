import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import type { EventDoc } from "../../../protocol/operator.ts";
import { JOBS_PAGE, lists, paths } from "../api/operations.ts";
import { count } from "../format.ts";
import { useLater, useQuery, useStore } from "../hooks.ts";
import { Command, Empty, Loaded } from "../parts/states.tsx";
import { Link, navigate, place, urls } from "../router.tsx";
import { useShortcuts } from "../shortcuts.ts";
import { useTitle } from "../title.ts";
import { countOf, Narrowing, SEARCH_FIELD, SearchField, StatusChips } from "./job-filters.tsx";
import {
  countsPath,
  cutPage,
  isFirstPage,
  isNarrowed,
  type JobQuery,
  jobsPath,
  jobsUrl,
  readJobQuery,
} from "./job-query.ts";
import { JobTable } from "./job-table.tsx";

const aboutJobs = (event: EventDoc) => event.job_id !== null || event.change_id !== null;
const aboutRunners = (event: EventDoc) => event.runner_id !== null && event.job_id === null;
/** While a person types, the list is asked for once they pause. */
const TYPING_MS = 150;

/** The queue and what was in it: filtered, sorted and paged by the coordinator, live, a page at a time in the browser. */
export function JobsView(): JSX.Element {
  useTitle("Jobs");
  const { query: search } = useStore(place);
  const query = readJobQuery(search);
  const asked = { ...query, q: useLater(query.q, TYPING_MS) };
  const counts = useQuery(countsPath(asked), lists.counts, {
    refreshOn: aboutJobs,
    everyMs: 15_000,
    burstMs: 1_000,
    keep: true,
  });
  const runners = useQuery(paths.runners, lists.runners, { refreshOn: aboutRunners, everyMs: 30_000, burstMs: 1_000 });
  const names = new Map((runners.data ?? []).map(({ id, name }) => [id, name]));
  useRowKeys(query);
  return (
    <section aria-labelledby="title">
      <div class="view-head">
        <h1 id="title">Jobs</h1>
        <SearchField query={query} />
      </div>
      <div class="filter-line">
        <StatusChips query={query} counts={counts.data} />
        <Narrowing query={query} runners={runners.data ?? []} />
      </div>
      <JobList
        query={asked}
        total={counts.data === null ? null : countOf(counts.data, query.status)}
        runnerName={(id) => names.get(id) ?? "deleted runner"}
      />
    </section>
  );
}

interface ListProps {
  readonly query: JobQuery;
  /** All there are with these filters; null while that is not known. */
  readonly total: number | null;
  readonly runnerName: (id: string) => string;
}

function JobList({ query, total, runnerName }: ListProps): JSX.Element {
  const answer = useQuery(jobsPath(query), lists.jobs, {
    // Runners come and go: what a job waits for changes with them.
    refreshOn: () => true,
    everyMs: 5_000,
    burstMs: 250,
    keep: true,
  });
  const top = answer.fresh && answer.data !== null && query.back !== "" && answer.data.length <= JOBS_PAGE;
  useEffect(() => {
    // The page before the second one is the first: it goes on growing at its top.
    if (top) navigate(jobsUrl(query, {}), { replace: true });
  }, [top]);
  return (
    <Loaded query={answer} what="jobs">
      {(read) => {
        const { rows, newer, older } = cutPage(read, query);
        if (rows.length === 0) return isNarrowed(query) || !isFirstPage(query) ? <NoMatch query={query} /> : <NoJobs />;
        return (
          <div class={answer.fresh ? "page" : "page stale"} aria-busy={!answer.fresh}>
            <JobTable jobs={rows} query={query} runnerName={runnerName} />
            {newer || older ? (
              <nav class="pages" aria-label="Pages">
                {newer ? (
                  <Link class="button" to={jobsUrl(query, { back: rows[0]?.id ?? "" })}>
                    ← Previous
                  </Link>
                ) : null}
                {older ? (
                  <Link class="button" to={jobsUrl(query, { before: rows.at(-1)?.id ?? "" })}>
                    Next →
                  </Link>
                ) : null}
                {isFirstPage(query) ? null : <Link to={jobsUrl(query, {})}>First page</Link>}
                <span class="quiet">
                  {rows.length} of {total === null ? "…" : count(total, "job")}
                </span>
              </nav>
            ) : null}
          </div>
        );
      }}
    </Loaded>
  );
}

/** Rows are chosen by the focus: what has it is opened by Enter, announced by screen readers and seen by all. */
function useRowKeys(query: JobQuery): void {
  const move = (by: 1 | -1) => {
    const rows = [...document.querySelectorAll<HTMLElement>(".jobs a.name")];
    const at = rows.findIndex((row) => row.matches(":focus"));
    const next = rows[at < 0 ? (by === 1 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, at + by))];
    next?.focus();
    next?.closest("tr")?.scrollIntoView({ block: "nearest" });
  };
  useShortcuts("Jobs", [
    { key: "j", does: "Next job", run: () => move(1) },
    { key: "k", does: "Previous job", run: () => move(-1) },
    { key: "Enter", does: "Open the job", run: openFocused },
    { key: "/", does: "Search", run: () => document.getElementById(SEARCH_FIELD)?.focus() },
    {
      key: "Escape",
      does: "Show all jobs again",
      run: () => isNarrowed(query) && navigate(urls.jobs()),
    },
  ]);
}

function openFocused(): void {
  if (document.activeElement instanceof HTMLElement) document.activeElement.click();
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
      <p>and submit it from a terminal, with the address of this page and your operator key:</p>
      <Command>{`export RUNNER_COORDINATOR_URL=${location.origin} RUNNER_ADMIN_KEY=…
runner job submit -f job.yaml --wait`}</Command>
      <p>
        It runs as soon as a runner is online: the <Link to={urls.runners}>runners</Link> say how to start one.
      </p>
    </Empty>
  );
}

function NoMatch({ query }: { readonly query: JobQuery }): JSX.Element {
  return (
    <Empty title="No job matches">
      <p>
        {query.status === "" && isFirstPage(query) ? null : (
          <>
            <Link to={jobsUrl(query, { status: "" })}>Any status</Link>
            {" · "}
          </>
        )}
        <Link to={urls.jobs()}>Show all jobs</Link>
      </p>
    </Empty>
  );
}
