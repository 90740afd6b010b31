import { EXIT } from "../internal/protocol/errors.ts";
import { awaitJob } from "./lib/await-job.ts";
import { checkNamed } from "./lib/check-named.ts";
import type { Command } from "./lib/context.ts";
import { operatorFrom } from "./lib/operator-client.ts";
import { readJob, refuseMissing, submitJob } from "./lib/submit.ts";
import { exitOfJob, painter, summaryOf, summaryText } from "./lib/summary.ts";

export const jobSubmit: Command = async (context) => {
  const { values } = context;
  const file = refuseMissing(values.file);
  const input = await readJob(file, context.cwd);
  checkNamed(input, file, context.env);
  const client = operatorFrom(values);
  const id = await submitJob(client, input, { env: context.env, runner: values.target });
  if (!values.wait) {
    context.out(values.json ? JSON.stringify({ job: id }) : `${id}\n  runner job logs ${id} --follow`);
    return EXIT.done;
  }
  if (!values.json) context.say(`submitted ${id}`);
  const job = await awaitJob(context, client, id);
  context.out(values.json ? JSON.stringify(summaryOf(job)) : summaryText(job, painter(context.terminal.colour)));
  return exitOfJob(job);
};
