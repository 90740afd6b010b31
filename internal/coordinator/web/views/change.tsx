import type { ComponentChildren, JSX } from "preact";
import { useState } from "preact/hooks";
import { hasEnded } from "../../../protocol/enums.ts";
import type { JobDoc, JobShow } from "../../../protocol/operator.ts";
import { durationWords } from "../format.ts";
import { useNow } from "../hooks.ts";
import { Glyph } from "../parts/badge.tsx";
import { Ago, Elapsed } from "../parts/time.tsx";
import { Words } from "../parts/words.tsx";
import { Link, urls } from "../router.tsx";
import { useShortcuts } from "../shortcuts.ts";
import { jobLook, reasonWords, type Tone } from "../status.ts";
import { type Action, AskJob } from "./job-actions.tsx";
import { Buttons, Facts, Title } from "./job-head.tsx";

interface ChangeHeadProps {
  readonly job: JobShow;
  readonly onChanged: () => void;
}

/** plan → decision → apply: where a change stands, who decided what and why, and what can be done now. */
export function ChangeHead({ job, onChanged }: ChangeHeadProps): JSX.Element {
  const [asked, setAsked] = useState<Action | null>(null);
  const open = job.status === "approval-awaiting";
  useShortcuts("Change", [
    ...(open
      ? [
          { key: "a", does: "Approve the plan", run: () => setAsked("approve") },
          { key: "r", does: "Reject the plan", run: () => setAsked("reject") },
        ]
      : []),
  ]);
  const stale = isStale(job);
  return (
    <header class="job-head">
      <div class="view-head">
        <Title job={job} />
        <Buttons job={job} onAsk={setAsked} retryLabel={stale ? "Plan again" : "Retry"} />
      </div>
      {stale ? <Stale reason={job.reason} /> : <Reason job={job} />}
      <Facts job={job} />
      <ol class="stages" aria-label="Stages of this change">
        <PlanStage job={job} />
        <DecisionStage job={job} />
        <ApplyStage job={job} />
      </ol>
      {asked ? <AskJob action={asked} job={job} onClose={() => setAsked(null)} onDone={onChanged} /> : null}
    </header>
  );
}

const isStale = (job: JobShow) => job.reason.startsWith("stale_plan");

/** The state moved after the plan was made: nothing was executed, and the way on is a new plan. */
function Stale({ reason }: { readonly reason: string }): JSX.Element {
  return (
    <div class="notice warn stale-plan" role="status">
      <p>
        <strong>The plan no longer fits the state.</strong> Nothing was applied.
      </p>
      <p>
        <Words text={reason.replace(/^stale_plan[a-z_]*:?\s*/, "")} />
      </p>
      <p>Press “Plan again”: the same work is planned on the state as it is now, and asks for a decision anew.</p>
    </div>
  );
}

function Reason({ job }: { readonly job: JobShow }): JSX.Element | null {
  const text = job.waiting_for || reasonWords(job.reason);
  // The stages below tell of a decision with who and when.
  if (text === "" || job.status === "approval-denied" || job.status === "approval-expired") return null;
  return (
    <p class={`job-reason tone-${hasEnded(job.status) ? jobLook(job.status).tone : "warn"}`}>
      <Words text={text} />
    </p>
  );
}

interface StageProps {
  readonly tone: Tone;
  readonly name: string;
  readonly children: ComponentChildren;
}

function Stage({ tone, name, children }: StageProps): JSX.Element {
  return (
    <li class={`stage tone-${tone}`}>
      <h2>
        <Glyph tone={tone} />
        {name}
      </h2>
      <div class="stage-text">{children}</div>
    </li>
  );
}

function PlanStage({ job }: { readonly job: JobShow }): JSX.Element {
  const plan = job.jobs.find((one) => one.operation.startsWith("create-"));
  const by = job.events[0]?.by ?? "";
  return (
    <Stage tone={plan ? jobLook(plan.status).tone : "idle"} name="Plan">
      {plan ? <StageJob job={plan} /> : "not started"}
      <div class="sub">
        asked for by {by || "nobody known"}, <Ago at={job.created_at} />
      </div>
    </Stage>
  );
}

function StageJob({ job }: { readonly job: JobDoc }): JSX.Element {
  return (
    <>
      <Link to={urls.job(job.id)}>{jobLook(job.status).label}</Link>{" "}
      <Elapsed from={job.started_at} to={job.finished_at} />
    </>
  );
}

const DECIDED = {
  approved: { tone: "ok", label: "Approved" },
  denied: { tone: "bad", label: "Rejected" },
} as const;

function DecisionStage({ job }: { readonly job: JobShow }): JSX.Element {
  const { approval } = job;
  if (approval === null) {
    const ended = job.status === "finished" ? "not needed" : "no plan to decide on";
    const words = hasEnded(job.status) ? ended : "follows the plan";
    return (
      <Stage tone="idle" name="Decision">
        {words}
      </Stage>
    );
  }
  if (approval.state === "automatic") {
    return (
      <Stage tone="ok" name="Decision">
        automatic
        <div class="sub">the job file asks for no approval</div>
      </Stage>
    );
  }
  if (approval.state === "awaiting") {
    const waits = job.status === "approval-awaiting";
    return (
      <Stage tone={waits ? "warn" : "idle"} name="Decision">
        {waits ? "waits for a person" : "nobody decided"}
        {waits && approval.expires_at !== null ? <Countdown until={approval.expires_at} /> : null}
      </Stage>
    );
  }
  if (approval.state === "expired") {
    return (
      <Stage tone="bad" name="Decision">
        nobody decided in time
        <div class="sub">
          ended <Ago at={approval.at} />
        </div>
      </Stage>
    );
  }
  const { tone, label } = DECIDED[approval.state];
  return (
    <Stage tone={tone} name="Decision">
      {label} by {approval.by}, <Ago at={approval.at} />
      {approval.why === "" ? null : <div class="sub decision-why">“{approval.why}”</div>}
    </Stage>
  );
}

function Countdown({ until }: { readonly until: string }): JSX.Element {
  const left = Date.parse(until) - useNow();
  return (
    <div class="sub">
      {left > 0 ? (
        <time dateTime={until} title={new Date(until).toLocaleString()}>
          expires in {durationWords(left)}
        </time>
      ) : (
        "expires now"
      )}
    </div>
  );
}

function ApplyStage({ job }: { readonly job: JobShow }): JSX.Element {
  const apply = job.jobs.find((one) => one.operation === "apply-plan");
  if (apply) {
    return (
      <Stage tone={jobLook(apply.status).tone} name="Apply">
        <StageJob job={apply} />
        {apply.waiting_for === "" ? null : (
          <div class="sub">
            <Words text={apply.waiting_for} />
          </div>
        )}
      </Stage>
    );
  }
  const words = !hasEnded(job.status)
    ? "after the decision"
    : job.status === "finished"
      ? "nothing to change"
      : "not run";
  return (
    <Stage tone="idle" name="Apply">
      {words}
    </Stage>
  );
}
