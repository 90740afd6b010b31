import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { hasEnded } from "../../../protocol/enums.ts";
import type { JobShow } from "../../../protocol/operator.ts";
import { durationWords } from "../format.ts";
import { Badge } from "../parts/badge.tsx";
import { CopyButton } from "../parts/copy.tsx";
import { Fact } from "../parts/fact.tsx";
import { Ago, Elapsed } from "../parts/time.tsx";
import { Words } from "../parts/words.tsx";
import { Link, urls } from "../router.tsx";
import { jobLook, operationWords, reasonWords } from "../status.ts";
import { type Action, AskJob } from "./job-actions.tsx";

interface HeadProps {
  readonly job: JobShow;
  readonly onChanged: () => void;
}

export function JobHead({ job, onChanged }: HeadProps): JSX.Element {
  const [asked, setAsked] = useState<Action | null>(null);
  const why = job.waiting_for || reasonWords(job.reason);
  return (
    <header class="job-head">
      <div class="view-head">
        <Title job={job} />
        <Buttons job={job} onAsk={setAsked} retryLabel="Retry" />
      </div>
      {why === "" ? null : (
        <p class={`job-reason tone-${hasEnded(job.status) ? jobLook(job.status).tone : "warn"}`}>
          <Words text={why} />
        </p>
      )}
      <Facts job={job} />
      {asked ? <AskJob action={asked} job={job} onClose={() => setAsked(null)} onDone={onChanged} /> : null}
    </header>
  );
}

export function Title({ job }: { readonly job: JobShow }): JSX.Element {
  return (
    <div class="job-title">
      <h1 id="title">{job.name || job.id}</h1>
      <span role="status" aria-live="polite">
        <Badge {...jobLook(job.status)} />
      </span>
    </div>
  );
}

interface ButtonsProps {
  readonly job: JobShow;
  readonly onAsk: (action: Action) => void;
  readonly retryLabel: string;
}

export function Buttons({ job, onAsk, retryLabel }: ButtonsProps): JSX.Element {
  const ended = hasEnded(job.status);
  const canRetry = (ended && job.status !== "finished") || job.reason === "parked";
  return (
    <div class="actions">
      {job.status === "approval-awaiting" ? (
        <>
          <button type="button" class="button primary" onClick={() => onAsk("approve")}>
            Approve
          </button>
          <button type="button" class="button danger-quiet" onClick={() => onAsk("reject")}>
            Reject
          </button>
        </>
      ) : null}
      {canRetry ? (
        <button type="button" class="button" onClick={() => onAsk("retry")}>
          {retryLabel}
        </button>
      ) : null}
      {ended ? null : (
        <button type="button" class="button danger-quiet" onClick={() => onAsk("cancel")}>
          Cancel
        </button>
      )}
    </div>
  );
}

export function Facts({ job }: { readonly job: JobShow }): JSX.Element {
  return (
    <dl class="fact-line">
      <Fact name="Type">
        {job.type} <span class="faint">{job.kind === "change" ? "change" : operationWords(job.operation)}</span>
      </Fact>
      <Fact name="Created">
        <Ago at={job.created_at} />
      </Fact>
      <Fact name="Duration">
        <Elapsed from={job.started_at} to={job.finished_at} />
        {job.kind === "change" || hasEnded(job.status) ? null : (
          <span class="faint"> of at most {durationWords(job.execution_timeout_ms)}</span>
        )}
      </Fact>
      {job.runner_id ? (
        <Fact name="Runner">
          <Link to={urls.runner(job.runner_id)} class="mono">
            {job.runner_id}
          </Link>
        </Fact>
      ) : null}
      {job.workspace ? (
        <Fact name="Workspace">
          <Link to={urls.workspace(job.workspace)}>{job.workspace}</Link>
        </Fact>
      ) : null}
      <Fact name="Id">
        <span class="mono id">{job.id}</span> <CopyButton text={job.id} what="id" />
      </Fact>
    </dl>
  );
}
