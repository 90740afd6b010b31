import { createInterface } from "node:readline/promises";
import { EXIT, type ExitCode } from "../../internal/protocol/errors.ts";
import type { JobShow } from "../../internal/protocol/operator.ts";
import { awaitJob } from "./await-job.ts";
import type { Outputs } from "./clear-outputs.ts";
import type { Context } from "./context.ts";
import type { LocalPlane } from "./local-plane.ts";
import { onStop } from "./signals.ts";
import { type JobInput, submitJob } from "./submit.ts";
import { exitOfJob, painter, summaryOf, summaryText } from "./summary.ts";

export interface LocalDone {
  readonly code: ExitCode;
  /** In clear. */
  readonly outputs: Outputs;
  /** Left in a hurry: tools may still run, so their folders stay. */
  readonly abandoned: boolean;
}

/** Runs one job on a local plane and prints its end. Ctrl-C cancels it, again stops it, a third time leaves it. */
export async function runLocalJob(context: Context, plane: LocalPlane, job: JobInput): Promise<LocalDone> {
  const left = new AbortController();
  let id: string | null = null;
  let wanted: string | null = null;
  const cancel = (why: string) => {
    context.say("cancelling");
    wanted = why;
    if (id) void plane.client.send("POST", `/jobs/${id}/cancel`, { reason: why }).catch(() => plane.runner.cancel(why));
  };
  const leave = (why: string) => {
    plane.runner.abandon(why);
    left.abort();
  };
  const stop = onStop([cancel, plane.runner.cancel, leave], { hangup: true });
  try {
    id = await submitJob(plane.client, job, { env: context.env, runner: plane.runnerId });
    if (wanted !== null) cancel(wanted);
    const approve = approver(context, plane, id);
    const end = await awaitJob(context, plane.client, id, { onJob: approve, signal: left.signal });
    const { colour } = context.terminal;
    context.out(context.values.json ? JSON.stringify(summaryOf(end)) : summaryText(end, painter(colour)));
    const abandoned = left.signal.aborted;
    return { code: abandoned ? EXIT.cancelled : exitOfJob(end), outputs: clear(end, plane), abandoned };
  } finally {
    stop();
  }
}

/** Outputs in clear: of the job, or of the last job of a change that has some. */
function clear(end: JobShow, plane: LocalPlane): Outputs {
  const delivered = end.jobs.map((job) => plane.outputs.get(job.id)).filter((outputs) => outputs !== undefined);
  return delivered.at(-1) ?? {};
}

/** A change that waits for a person: asks on a terminal; without one there is nobody, so it is rejected. */
function approver(context: Context, plane: LocalPlane, id: string): (job: JobShow) => void {
  let asked = false;
  return (job) => {
    if (job.status !== "approval-awaiting" || asked) return;
    asked = true;
    void decide(context, job).then((verdict) => plane.client.send("POST", `/jobs/${id}/${verdict.verb}`, verdict.body));
  };
}

async function decide(context: Context, job: JobShow) {
  if (job.diff) context.say(job.diff);
  if (process.stdin.isTTY !== true || context.values.json) {
    context.say(
      "runner: the change needs approval and there is no terminal to ask on\n  → Use job submit and job approve.",
    );
    return { verb: "reject", body: { reason: "no terminal to ask on" } };
  }
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await lines.question("Apply this plan? Only yes is taken as yes: ");
  lines.close();
  return answer.trim() === "yes"
    ? { verb: "approve", body: { reason: "approved on the terminal" } }
    : { verb: "reject", body: { reason: "not approved on the terminal" } };
}
