import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { hasEnded } from "../../../protocol/enums.ts";
import type { JobShow } from "../../../protocol/operator.ts";
import { lists, paths } from "../api/operations.ts";
import { useQuery, useStore } from "../hooks.ts";
import { type LogFilter, LogView } from "../log/log-view.tsx";
import { useLog } from "../log/use-log.ts";
import { Loaded } from "../parts/states.tsx";
import { Link, navigate, place, urls } from "../router.tsx";
import { useShortcuts } from "../shortcuts.ts";
import { jobLook } from "../status.ts";
import { useTitle } from "../title.ts";
import { ChangeHead } from "./change.tsx";
import { JobHead } from "./job-head.tsx";
import { Outputs } from "./outputs.tsx";
import { Plan } from "./plan.tsx";
import { Attempts, Steps } from "./steps.tsx";
import { Timeline } from "./timeline.tsx";

/** Everything about one job or change: what it is, what it does now, what it printed, what it left. */
export function JobPage({ id }: { readonly id: string }): JSX.Element {
  const query = useQuery(paths.job(id), lists.job, {
    refreshOn: (event) => event.job_id === id || event.change_id === id,
    everyMs: 4_000,
  });
  useTitle(query.data ? `${jobLook(query.data.status).label}: ${query.data.name || id}` : "Job");
  return (
    <article class="job" aria-labelledby="title">
      <p class="crumbs">
        <Link to={urls.jobs()}>Jobs</Link>
        {query.data?.kind === "job" && query.data.change_id ? (
          <>
            {" / "}
            <Link to={urls.job(query.data.change_id)}>Change</Link>
          </>
        ) : null}
      </p>
      <Loaded query={query} what="job">
        {(job) => (
          <>
            {job.kind === "change" ? (
              <ChangeHead job={job} onChanged={query.reload} />
            ) : (
              <JobHead job={job} onChanged={query.reload} />
            )}
            <JobBody job={job} />
          </>
        )}
      </Loaded>
    </article>
  );
}

function JobBody({ job }: { readonly job: JobShow }): JSX.Element {
  // A plan that nothing was done about is what the person came to read; once it is applied, the log is.
  const [chosen, setChosen] = useState<"log" | "diff" | null>(null);
  const decides = job.kind === "change" && job.jobs.every((one) => one.operation !== "apply-plan");
  const shown = job.diff === null ? "log" : (chosen ?? (decides ? "diff" : "log"));
  useShortcuts("Job", [
    ...(job.diff === null
      ? []
      : [{ key: "p", does: "Plan or log", run: () => setChosen(shown === "log" ? "diff" : "log") }]),
  ]);
  return (
    <div class="job-grid">
      <div class="job-main">
        {job.diff === null ? null : (
          <div class="tabs" role="tablist" aria-label="Log or plan">
            <Tab name="Log" selected={shown === "log"} onSelect={() => setChosen("log")} />
            <Tab name="Plan" selected={shown === "diff"} onSelect={() => setChosen("diff")} />
          </div>
        )}
        {shown === "diff" && job.diff !== null ? <Plan id={job.id} text={job.diff} /> : null}
        <div hidden={shown !== "log"}>
          <JobLog job={job} />
        </div>
      </div>
      <aside class="job-side" aria-label="Details">
        <Steps job={job} />
        <Outputs outputs={job.outputs} />
        <Attempts job={job} />
        <Timeline events={job.events} />
      </aside>
    </div>
  );
}

interface TabProps {
  readonly name: string;
  readonly selected: boolean;
  readonly onSelect: () => void;
}

function Tab({ name, selected, onSelect }: TabProps): JSX.Element {
  return (
    <button type="button" role="tab" aria-selected={selected} onClick={onSelect}>
      {name}
    </button>
  );
}

/** The log with its choices in the address, so that a link shows the same lines to everybody. */
export function JobLog({ job }: { readonly job: JobShow }): JSX.Element {
  const { query } = useStore(place);
  const ended = hasEnded(job.status);
  const log = useLog(job.id, ended);
  const waiting = job.waiting_for === "" ? "It has not started yet." : job.waiting_for;
  const emptyText = ended ? "It printed nothing." : job.started_at === null ? waiting : "No output yet.";
  const filter = { execution: query.get("execution") ?? "", step: query.get("step") ?? "" };
  const choose = (next: LogFilter) => navigate(urls.jobLog(job.id, next) + location.hash, { replace: true });
  return <LogView id={job.id} log={log} emptyText={emptyText} filter={filter} onFilter={choose} />;
}
