import { EXIT, type ExitCode } from "../../internal/protocol/errors.ts";
import type { JobShow, RunSummary } from "../../internal/protocol/operator.ts";

/** The exit code that a job's status stands for. A denied approval is a cancel by a person, an expired one a timeout. */
export function exitOf(status: JobShow["status"]): ExitCode {
  switch (status) {
    case "finished":
      return EXIT.done;
    case "cancelled":
    case "approval-denied":
      return EXIT.cancelled;
    case "timed-out":
    case "approval-expired":
      return EXIT.timedOut;
    default:
      return EXIT.failed;
  }
}

/** The same for a job or change that has ended: one that a policy or a signature refused has a code of its own. */
export function exitOfJob({ status, executions }: Pick<JobShow, "status" | "executions">): ExitCode {
  return status === "failed" && executions.at(-1)?.code === "policy" ? EXIT.policy : exitOf(status);
}

/** The line of `run-local --json` and `job submit --wait --json`. */
export function summaryOf(job: JobShow): RunSummary {
  return {
    job: job.id,
    status: job.status,
    reason: job.reason,
    outputs: job.outputs ?? {},
    steps: job.steps.map(({ name, status, duration_ms, exit_code }) => ({ name, status, duration_ms, exit_code })),
    exit_code: exitOfJob(job),
  };
}

/** The same for a person. */
export function summaryText(job: JobShow, paint: Paint): string {
  const done = job.status === "finished";
  const mark = done ? paint("✓", "green") : paint("✗", "red");
  const took = job.started_at && job.finished_at ? Date.parse(job.finished_at) - Date.parse(job.started_at) : null;
  const lines = [
    `${mark} ${paint(job.name || job.id, "bold")} ${job.status}${took === null ? "" : ` in ${seconds(took)}`}`,
  ];
  if (job.reason) lines.push(`  ${job.reason}`);
  for (const [name, value] of Object.entries(job.outputs ?? {})) {
    // An action gives its outputs twice: together, and under `steps` by the step they came from.
    if (name === "steps" && job.type === "actions-workflow") continue;
    lines.push(`  ${name} = ${typeof value === "string" ? value : JSON.stringify(value)}`);
  }
  return lines.join("\n");
}

/** `40 ms`, `0.4 s`, `12 s`, `3 min 5 s`. */
export function seconds(ms: number): string {
  if (ms < 100) return `${Math.round(ms)} ms`;
  if (ms < 9_950) return `${(ms / 1000).toFixed(1)} s`;
  const whole = Math.round(ms / 1000);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

const CODES = { bold: "1", dim: "2", red: "31", green: "32", yellow: "33", cyan: "36" } as const;
export type Paint = (text: string, colour: keyof typeof CODES) => string;

export function painter(colour: boolean): Paint {
  return colour ? (text, name) => `\x1b[${CODES[name]}m${text}\x1b[0m` : (text) => text;
}
