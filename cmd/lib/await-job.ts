import type { JobShow } from "../../internal/protocol/operator.ts";
import type { Context } from "./context.ts";
import { followJob } from "./follow.ts";
import type { OperatorClient } from "./operator-client.ts";
import { createProgress } from "./progress.ts";

/** Follows a job to its end, shown on this terminal: the log on stdout, with `json` on stderr. Throws RunnerError. */
export async function awaitJob(
  context: Context,
  client: OperatorClient,
  id: string,
  watch: { readonly onJob?: (job: JobShow) => void; readonly signal?: AbortSignal } = {},
): Promise<JobShow> {
  const { terminal } = context;
  const progress = createProgress({
    print: context.values.json ? context.say : context.out,
    draw: terminal.live ? (text) => void process.stderr.write(text) : null,
    colour: terminal.colour,
    columns: terminal.columns,
  });
  try {
    const watcher = {
      line: progress.line,
      job: (job: JobShow) => {
        progress.job(job);
        watch.onJob?.(job);
      },
    };
    return await followJob(client, id, watcher, watch.signal ? { signal: watch.signal } : {});
  } finally {
    progress.end();
  }
}
