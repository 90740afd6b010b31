import type { Clock } from "../../../kit/base/clock.ts";
import type { SystemLog } from "../../../kit/base/system-log.ts";
import type { HttpFailure } from "../../../kit/http/failure.ts";
import { FOLDER_NAME } from "../../../protocol/ids.ts";
import { type RunnerJob, runnerJob } from "../../../protocol/nuon/jobs.ts";
import { RETRY } from "../../../protocol/retry.ts";
import type { NuonClient } from "./client.ts";
import type { ReadJob } from "./read-job.ts";

/** A reservation that is ours. `createdMs`: our wall clock, not later than the server's creation of it. */
export interface Reserved {
  readonly job: RunnerJob;
  readonly executionId: string;
  readonly createdMs: number;
}

/** A job whose reservation may or may not have reached the server. It is asked about, never POSTed again. */
interface Doubt {
  readonly job: RunnerJob;
  readonly nonce: string;
  readonly sentMs: number;
}

export interface Reservations {
  /** POST executions once. null: not ours (now); a lost answer goes into the doubts. */
  reserve(job: RunnerJob, nonce: string): Promise<Reserved | null>;
  /** Ask again about every doubt; answers those that turned out to be ours. */
  settle(): Promise<Reserved[]>;
  isDoubtful(jobId: string): boolean;
  /** Reservations under this nonce that an earlier process made and never began. */
  lost(nonce: string, known: (executionId: string) => boolean, signal: AbortSignal): Promise<Reserved[]>;
}

interface Means {
  readonly api: NuonClient;
  readonly readJob: ReadJob;
  readonly runnerId: string;
  readonly version: string;
  readonly clock: Clock;
  readonly log: SystemLog;
}

/**
 * Reservations against a server without compare-and-set (nuon-runner-api.md 2.7). Each carries a nonce in
 * X-Nuon-Client-Version, which the server keeps with the execution: that is how ours is recognised when its answer was
 * lost, also after a restart.
 */
export function createReservations({ api, readJob, runnerId, version, clock, log }: Means): Reservations {
  const doubts = new Map<string, Doubt>();
  /** Jobs whose execution got an id that cannot be a name: asking again would give the next one. */
  const unfit = new Set<string>();

  /** Executions of a job that carry our nonce and that nobody has begun. */
  async function ownOf(jobId: string, nonce: string, signal?: AbortSignal) {
    const options = { rule: RETRY.connect, tag: "executions", ...(signal === undefined ? {} : { signal }) };
    const answer = await api.call("GetRunnerJobExecutions", { ...options, path: { runner_job_id: jobId } });
    if (!answer.ok) return answer;
    const serverNow = Date.parse(answer.value.headers.get("date") ?? "") || clock.now();
    const own = (answer.value.value ?? []).find(
      (one) => one.status === "pending" && one.metadata?.["client.version"]?.endsWith(`/${nonce}`),
    );
    const age = own ? Math.max(0, serverNow - (Date.parse(own.created_at ?? "") || serverNow)) : 0;
    return {
      ok: true as const,
      value: own?.id && FOLDER_NAME.test(own.id) ? { id: own.id, createdMs: clock.now() - age } : null,
    };
  }

  /** After any answer but a reservation: what does the server say about it now? */
  async function ask(doubt: Doubt): Promise<"available" | "gone" | Reserved> {
    const { job, nonce, sentMs } = doubt;
    const now = await readJob(job.id, { rule: RETRY.connect, tag: "job" });
    if (!now.ok) return "gone";
    const own = await ownOf(job.id, nonce);
    if (!own.ok) return "gone";
    if (own.value) return { job: now.value.value, executionId: own.value.id, createdMs: sentMs };
    return now.value.value.status === "available" ? "available" : "gone";
  }

  async function reserve(job: RunnerJob, nonce: string): Promise<Reserved | null> {
    const sentMs = clock.now();
    const answer = await api.call("CreateRunnerJobExecution", {
      path: { runner_job_id: job.id },
      tag: "reserve",
      headers: { "X-Nuon-Client-Version": `runner:${version}/${nonce}` },
      // The Go runner's body, which servers ignore.
      json: null,
      fresh: true,
    });
    const executionId = answer.ok ? answer.value.value.id : null;
    if (executionId && FOLDER_NAME.test(executionId)) return { job, executionId, createdMs: sentMs };
    if (executionId) {
      unfit.add(job.id);
      log.error("the id of an execution is no plain name; its job is left alone", { job: job.id, id: executionId });
      return null;
    }
    if (!answer.ok && !answer.error.sent) return null;
    const doubt = { job, nonce, sentMs };
    const found = await ask(doubt);
    if (typeof found === "object") return found;
    if (found === "gone") log.info("a job was taken or withdrawn before we had it", { job: job.id });
    else if (answer.ok || !isDefinite(answer.error)) doubts.set(job.id, doubt);
    else log.warn("a reservation was refused", { job: job.id, why: answer.error.message });
    return null;
  }

  return {
    reserve,
    isDoubtful: (jobId) => doubts.has(jobId) || unfit.has(jobId),

    async settle() {
      const found = await Promise.all([...doubts.values()].map(async (doubt) => ({ doubt, now: await ask(doubt) })));
      for (const { doubt, now } of found) if (now !== "available") doubts.delete(doubt.job.id);
      return found.flatMap(({ now }) => (typeof now === "object" ? [now] : []));
    },

    async lost(nonce, known, signal) {
      const jobs = await api.call("GetRunnerJobs", {
        path: { runner_id: runnerId },
        query: { group: "any", status: "in-progress", limit: 100 },
        tag: "jobs",
        rule: RETRY.connect,
        signal,
      });
      if (!jobs.ok) return [];
      const found = await Promise.all(
        readable(jobs.value.value ?? []).map(async (job) => {
          const own = await ownOf(job.id, nonce, signal);
          if (!own.ok || own.value === null || known(own.value.id)) return [];
          log.info("a reservation from before the restart is taken up", { job: job.id });
          return [{ job, executionId: own.value.id, createdMs: own.value.createdMs }];
        }),
      );
      return found.flat();
    },
  };
}

/** The server itself said no. A gateway's word (502 to 504), a cut or an unreadable answer proves nothing. */
function isDefinite(error: HttpFailure): boolean {
  const { status } = error;
  return status !== null && status >= 400 && ![408, 502, 503, 504].includes(status);
}

/** What cannot be read was not reserved by us. */
function readable(jobs: readonly unknown[]): RunnerJob[] {
  return jobs.flatMap((one) => runnerJob.safeParse(one).data ?? []);
}
