import type { JSX } from "preact";
import type { JobShow } from "../../../protocol/operator.ts";
import { durationWords } from "../format.ts";
import { useStore } from "../hooks.ts";
import { Badge, Glyph } from "../parts/badge.tsx";
import { Elapsed } from "../parts/time.tsx";
import { Link, place, urls } from "../router.tsx";
import { jobLook, operationWords, stepLook } from "../status.ts";

type Step = JobShow["steps"][number];
type Execution = JobShow["executions"][number];

/** Steps of the job, or of one execution of it when that is chosen. A press on a step narrows the log to it. */
export function Steps({ job }: { readonly job: JobShow }): JSX.Element {
  const { query } = useStore(place);
  const chosen = job.executions.find((execution) => execution.id === query.get("execution"));
  const steps = chosen?.steps ?? job.steps;
  const linkTo = (step: string) => {
    const next = query.get("step") === step ? "" : step;
    return urls.jobLog(job.id, { execution: chosen?.id ?? "", step: next });
  };
  const running = job.executions.find((execution) => execution.finished_at === null);
  return (
    <section class="side-part" aria-labelledby="steps">
      <h2 id="steps">
        Steps {running && running.phase !== "" ? <span class="faint">now: {running.phase}</span> : null}
      </h2>
      {steps.length === 0 ? (
        <p class="quiet">No step yet.</p>
      ) : (
        <ol class="steps">
          {steps.map((step) => (
            <StepRow key={step.name} step={step} here={linkTo(step.name)} />
          ))}
        </ol>
      )}
    </section>
  );
}

interface StepProps {
  readonly step: Step;
  /** Address of the page with the log narrowed to this step. */
  readonly here: string;
}

function StepRow({ step, here }: StepProps): JSX.Element {
  const look = stepLook(step.status);
  return (
    <li class={`step tone-${look.tone}`}>
      <Glyph tone={look.tone} />
      <Link class="step-name" to={here}>
        {step.name}
      </Link>
      <span class="step-end">
        <span class="step-word">{look.label}</span>
        {step.exit_code === null ? "" : `, exit code ${step.exit_code}`}
      </span>
      <span class="step-time">
        <StepTime step={step} />
      </span>
    </li>
  );
}

function StepTime({ step }: { readonly step: Step }): JSX.Element {
  if (step.status === "pending") return <span class="faint">–</span>;
  if (step.status === "in-progress") return <Elapsed from={step.started_at} to={null} />;
  return <span class="number">{durationWords(step.duration_ms)}</span>;
}

/** Shown once there was more than one: the usual job has nothing to tell here. */
export function Attempts({ job }: { readonly job: JobShow }): JSX.Element | null {
  const { query } = useStore(place);
  const chosen = query.get("execution");
  if (job.executions.length < 2) return null;
  return (
    <section class="side-part" aria-labelledby="attempts">
      <h2 id="attempts">Executions</h2>
      <ol class="attempts">
        {job.executions.map((execution) => (
          <Attempt
            key={execution.id}
            execution={execution}
            operation={operationOf(job, execution)}
            here={urls.jobLog(job.id, { execution: execution.id === chosen ? "" : execution.id, step: "" })}
            chosen={execution.id === chosen}
          />
        ))}
      </ol>
    </section>
  );
}

/** Statuses that only an execution has; the others are those of a job. */
const PHASES = ["pending", "initializing", "cleaning-up"] as const;

/** A change has executions of two kinds; a job only of its own. */
function operationOf(job: JobShow, execution: Execution): string {
  const own = job.kind === "change" ? job.jobs.find((one) => one.id === execution.job_id) : undefined;
  return own ? `${operationWords(own.operation)}, ` : "";
}

interface AttemptProps {
  readonly execution: Execution;
  readonly operation: string;
  /** Address of the page with this execution alone, or with all again when it is chosen. */
  readonly here: string;
  readonly chosen: boolean;
}

function Attempt({ execution, operation, here, chosen }: AttemptProps): JSX.Element {
  return (
    <li class={chosen ? "chosen" : ""}>
      <ExecutionBadge status={execution.status} />
      {operation}
      <Elapsed from={execution.started_at} to={execution.finished_at} />
      <div class="sub mono">
        <Link to={here} current={chosen}>
          {execution.id}
        </Link>
      </div>
      {execution.reason === "" ? null : <div class="sub">{execution.reason}</div>}
    </li>
  );
}

function ExecutionBadge({ status }: { readonly status: string }): JSX.Element {
  const phase = PHASES.find((one) => one === status);
  if (phase) return <Badge tone="live" label={phase.replace("-", " ")} />;
  const known = (["in-progress", "finished", "failed", "timed-out", "not-attempted", "cancelled"] as const).find(
    (one) => one === status,
  );
  return known ? <Badge {...jobLook(known)} /> : <Badge tone="idle" label={status} />;
}
