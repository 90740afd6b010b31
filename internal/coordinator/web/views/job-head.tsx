import type { ComponentChildren, JSX } from "preact";
import { useState } from "preact/hooks";
import { hasEnded } from "../../../protocol/enums.ts";
import type { JobDoc, JobShow } from "../../../protocol/operator.ts";
import { durationWords } from "../format.ts";
import { Badge, Glyph } from "../parts/badge.tsx";
import { CopyButton } from "../parts/copy.tsx";
import { Ago, Elapsed } from "../parts/time.tsx";
import { Link, urls } from "../router.tsx";
import { jobLook, operationWords, reasonWords } from "../status.ts";
import { type Action, AskJob } from "./job-actions.tsx";

interface HeadProps {
  readonly job: JobShow;
  readonly onChanged: () => void;
}

export function JobHead({ job, onChanged }: HeadProps): JSX.Element {
  const [asked, setAsked] = useState<Action | null>(null);
  return (
    <header class="job-head">
      <div class="view-head">
        <div class="job-title">
          <h1 id="title">{job.name || job.id}</h1>
          <span role="status" aria-live="polite">
            <Badge {...jobLook(job.status)} />
          </span>
        </div>
        <Buttons job={job} onAsk={setAsked} />
      </div>
      {job.reason === "" ? null : (
        <p class={`job-reason tone-${hasEnded(job.status) ? jobLook(job.status).tone : "warn"}`}>
          {reasonWords(job.reason)}
        </p>
      )}
      <Facts job={job} />
      {job.kind === "change" ? <ChangeJobs job={job} /> : null}
      {job.approval && job.approval.state !== "automatic" ? <Decision approval={job.approval} /> : null}
      {asked ? <AskJob action={asked} job={job} onClose={() => setAsked(null)} onDone={onChanged} /> : null}
    </header>
  );
}

function Buttons({ job, onAsk }: { readonly job: JobShow; readonly onAsk: (action: Action) => void }): JSX.Element {
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
          Retry
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

function Facts({ job }: { readonly job: JobShow }): JSX.Element {
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
          <Link to={urls.runners} class="mono">
            {job.runner_id}
          </Link>
        </Fact>
      ) : null}
      {job.workspace ? (
        <Fact name="Workspace">
          <Link to={urls.workspaces}>{job.workspace}</Link>
        </Fact>
      ) : null}
      <Fact name="Id">
        <span class="mono id">{job.id}</span> <CopyButton text={job.id} what="id" />
      </Fact>
    </dl>
  );
}

function Fact(props: { readonly name: string; readonly children: ComponentChildren }): JSX.Element {
  return (
    <div>
      <dt>{props.name}</dt>
      <dd>{props.children}</dd>
    </div>
  );
}

/** plan → approval → apply, each with its own page. */
function ChangeJobs({ job }: { readonly job: JobShow }): JSX.Element {
  return (
    <ol class="stages" aria-label="Jobs of this change">
      {job.jobs.map((one) => (
        <li key={one.id}>
          <Stage job={one} />
        </li>
      ))}
    </ol>
  );
}

function Stage({ job }: { readonly job: JobDoc }): JSX.Element {
  const look = jobLook(job.status);
  return (
    <>
      <Glyph tone={look.tone} />
      <Link to={urls.job(job.id)}>{operationWords(job.operation)}</Link>
      <span class="faint">{look.label}</span>
      <Elapsed from={job.started_at} to={job.finished_at} />
    </>
  );
}

const DECISION = {
  awaiting: "Waits for a person: read the plan, then approve or reject it.",
  approved: "Approved",
  denied: "Rejected",
  expired: "Nobody decided in time.",
  automatic: "",
} as const;

function Decision({ approval }: { readonly approval: NonNullable<JobShow["approval"]> }): JSX.Element {
  const decided = approval.state === "approved" || approval.state === "denied";
  return (
    <p class={`decision decision-${approval.state}`}>
      <strong>{DECISION[approval.state]}</strong>
      {decided ? (
        <>
          {" "}
          by {approval.by}, <Ago at={approval.at} />
          {approval.why === "" ? "." : `: ${approval.why}`}
        </>
      ) : null}
    </p>
  );
}
