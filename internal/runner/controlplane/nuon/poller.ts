import type { SystemLog } from "../../../kit/base/system-log.ts";
import type { HttpFailure } from "../../../kit/http/failure.ts";
import type { JobGroup } from "../../../protocol/enums.ts";
import { ok, type Result } from "../../../protocol/errors.ts";
import { type RunnerJob, runnerJob } from "../../../protocol/nuon/jobs.ts";
import type { NuonClient } from "./client.ts";

/** What a server lists when nobody says how much. A full list may hide the oldest job. */
const LIST_CAP = 10;
const MOST = 100;
/** Of the rounds that ask for `any`, one in so many asks per group. */
const CHECK_EVERY = 12;

export interface Poller {
  /** Available jobs of these groups, oldest first. */
  round(groups: readonly JobGroup[], signal: AbortSignal): Promise<Result<RunnerJob[], HttpFailure>>;
}

/**
 * Polls per group, as the Go runner does. One request for `any` group serves as well once it has been seen to list a
 * job that the poll of its group lists too; it is checked again every twelfth round.
 */
export function createPoller(api: NuonClient, runnerId: string, log: SystemLog): Poller {
  let anyWorks = false;
  let rounds = 0;
  const readable = oneByOne(log);

  async function list(group: string, signal: AbortSignal): Promise<Result<RunnerJob[], HttpFailure>> {
    const ask = (limit?: number) =>
      api.call("GetRunnerJobs", { path: { runner_id: runnerId }, query: { group, limit }, tag: "jobs", signal });
    let answer = await ask();
    if (answer.ok && (answer.value.value?.length ?? 0) >= LIST_CAP) answer = await ask(MOST);
    return answer.ok ? ok((answer.value.value ?? []).flatMap(readable)) : answer;
  }

  async function perGroup(groups: readonly JobGroup[], signal: AbortSignal): Promise<Result<RunnerJob[], HttpFailure>> {
    const lists = await Promise.all(groups.map((group) => list(group, signal)));
    const failed = lists.find((one) => !one.ok);
    if (failed) return failed;
    const jobs = lists.flatMap((one) => (one.ok ? one.value : []));
    if (groups.length > 1 && jobs.length > 0) await compare(jobs, signal);
    return ok(jobs);
  }

  async function compare(jobs: readonly RunnerJob[], signal: AbortSignal): Promise<void> {
    const any = await list("any", signal);
    if (any.ok) anyWorks = any.value.some((one) => jobs.some((job) => job.id === one.id));
  }

  return {
    async round(groups, signal) {
      rounds += 1;
      if (groups.length === 0) return ok([]);
      const asked = await (async () => {
        if (!anyWorks || groups.length === 1 || rounds % CHECK_EVERY === 0) return perGroup(groups, signal);
        const any = await list("any", signal);
        // A list this long may be cut off: what is oldest in a group is known only to the group's own list.
        return any.ok && any.value.length >= LIST_CAP ? perGroup(groups, signal) : any;
      })();
      if (!asked.ok) return asked;
      const wanted: ReadonlySet<string> = new Set(groups);
      return ok(oldestFirst(asked.value.filter((job) => job.status === "available" && wanted.has(job.group ?? ""))));
    },
  };
}

/** Lists come newest first; the creation time decides, and the position where it is missing. */
function oldestFirst(jobs: readonly RunnerJob[]): RunnerJob[] {
  const age = (job: RunnerJob) => Date.parse(job.created_at ?? "") || 0;
  return [...jobs].reverse().sort((a, b) => age(a) - age(b));
}

/** One job that cannot be read must not hide the others. It is said once, though every poll shows it again. */
function oneByOne(log: SystemLog) {
  let told = "";
  return (value: unknown): RunnerJob[] => {
    const parsed = runnerJob.safeParse(value);
    if (parsed.success) return [parsed.data];
    const [issue] = parsed.error.issues;
    const why = `${issue?.path.join(".") || "it"}: ${issue?.message}`;
    if (told !== why) log.warn("a job in the list cannot be read and is left alone", { why });
    told = why;
    return [];
  };
}
