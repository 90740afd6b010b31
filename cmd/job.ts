import { z } from "zod";
import { EXIT } from "../internal/protocol/errors.ts";
import { jobDoc, jobShow as jobShowSchema, submitted } from "../internal/protocol/operator.ts";
import { type Command, type Context, operand } from "./lib/context.ts";
import { operatorFrom } from "./lib/operator-client.ts";
import { seconds } from "./lib/summary.ts";
import { facts, table } from "./lib/table.ts";
import { terminalText } from "./lib/terminal-text.ts";

const pathOf = (context: Context) => `/jobs/${encodeURIComponent(operand(context))}`;

export const jobList: Command = async (context) => {
  const { status, limit, json } = context.values;
  const query = new URLSearchParams({ limit: String(limit), ...(status === null ? {} : { status }) });
  const jobs = await operatorFrom(context.values).get(`/jobs?${query}`, z.array(jobDoc));
  const rows = jobs.map((job) => [job.id, job.name, job.type, job.status, job.reason, job.created_at]);
  context.out(json ? JSON.stringify(jobs) : table(["id", "name", "type", "status", "reason", "created"], rows));
  return EXIT.done;
};

export const jobShow: Command = async (context) => {
  const job = await operatorFrom(context.values).get(pathOf(context), jobShowSchema);
  if (context.values.json) {
    context.out(JSON.stringify(job));
    return EXIT.done;
  }
  context.out(
    facts({
      id: job.id,
      name: job.name,
      type: `${job.type}${job.operation ? ` (${job.operation})` : ""}`,
      status: job.status,
      reason: job.reason,
      runner: job.runner_id,
      workspace: job.workspace,
      created: job.created_at,
      started: job.started_at,
      finished: job.finished_at,
      approval: job.approval
        ? [job.approval.state, job.approval.by, job.approval.why].filter(Boolean).join(", ")
        : null,
      "approve until": job.approval?.expires_at ?? null,
    }),
  );
  const part = (title: string, text: string) => text && context.out(`\n${title}\n${text}`);
  const steps = job.steps.map((step) => [
    step.name,
    step.status,
    seconds(step.duration_ms),
    String(step.exit_code ?? ""),
  ]);
  part("Steps", steps.length > 0 ? table(["name", "status", "took", "exit code"], steps) : "");
  part(
    "Outputs",
    facts(Object.fromEntries(Object.entries(job.outputs ?? {}).map(([key, value]) => [key, text(value)]))),
  );
  part("Plan", terminalText(job.diff ?? "", false));
  const events = job.events.map((event) => [event.at, event.what, event.by, event.why]);
  part("Events", events.length > 0 ? table(["at", "what", "by", "why"], events) : "");
  return EXIT.done;
};

const text = (value: unknown) => (typeof value === "string" ? value : JSON.stringify(value));

/** A wish about one job; what comes of it stands in its events. */
function wish(verb: string, done: string): Command {
  return async (context) => {
    const { json } = context.values;
    const reason = context.values.why ?? context.values.reason;
    const body = reason === null ? {} : { reason };
    // With a key a repeat after a lost answer is no second decision.
    await operatorFrom(context.values).make(`${pathOf(context)}/${verb}`, z.unknown(), body, crypto.randomUUID());
    context.out(json ? JSON.stringify({ job: operand(context) }) : `${operand(context)} ${done}`);
    return EXIT.done;
  };
}

export const jobCancel = wish("cancel", "is being cancelled");

/** A parked job goes on under its id; one that has ended is queued again under a new one. */
export const jobRetry: Command = async (context) => {
  const { job } = await operatorFrom(context.values).make(`${pathOf(context)}/retry`, submitted, {});
  context.out(context.values.json ? JSON.stringify({ job }) : `${operand(context)} is queued again as ${job}`);
  return EXIT.done;
};
export const jobApprove = wish("approve", "is approved");
export const jobReject = wish("reject", "is rejected");
