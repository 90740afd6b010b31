import type { Clock } from "../../../kit/base/clock.ts";
import { nsToMs } from "../../../protocol/nuon/base.ts";
import type { RunnerJob } from "../../../protocol/nuon/jobs.ts";
import { RETRY } from "../../../protocol/retry.ts";
import type { Announcement, Session } from "../control-plane.ts";
import type { NuonClient } from "./client.ts";
import { type NuonFacts, ttlAt } from "./facts.ts";
import type { ReadJob } from "./read-job.ts";

type Held = Announcement["held"][number];
type Verdict = Session["held"][number];

/** What is known of a running execution. */
export interface Watched {
  readonly jobId: string;
  readonly facts: Pick<NuonFacts, "created_ms" | "timeout_ms">;
}

export type Sight = { readonly kind: "runs" | "cancelled" | "lost"; readonly why: string };

/** The server's limit is 1 s or slower. */
const LOOK_AGAIN_MS = 1_000;
const ONE_TRY = { tries: 1, base_ms: 0, cap_ms: 0, timeout_ms: 5_000 };

/** Watches jobs that run: a cancel, or the server having given up, is seen only by asking (nuon-runner-api.md 5.7). */
export function createMonitor(api: NuonClient, readJob: ReadJob, clock: Clock) {
  const seen = new Map<string, { readonly at: number; readonly sight: Sight }>();

  return {
    /** What the server says of a running job. When it says nothing, the work goes on. */
    async look(jobId: string, signal: AbortSignal): Promise<Sight> {
      const last = seen.get(jobId);
      if (last && clock.monotonic() - last.at < LOOK_AGAIN_MS) return last.sight;
      const answer = await readJob(jobId, { rule: ONE_TRY, tag: "job", signal });
      const sight: Sight = answer.ok ? sightOf(answer.value.value) : { kind: "runs", why: answer.error.message };
      seen.set(jobId, { at: clock.monotonic(), sight });
      return sight;
    },

    forget: (jobId: string) => void seen.delete(jobId),

    /** After a restart: does this execution still count? Waits while the server is away. */
    async verdict(held: Held, signal: AbortSignal): Promise<{ verdict: Verdict; watched: Watched | null }> {
      const { execution_id } = held;
      const decided = (verdict: Verdict["verdict"], reason: string, leaseTtlMs: number | null = null) => ({
        verdict: { execution_id, verdict, reason, leaseTtlMs },
        watched: null,
      });
      // The real server finds an execution by its own id alone; the job's place in the path is only looked at by others.
      const path = { runner_job_id: held.jobId ?? "-", runner_job_execution_id: execution_id };
      const patient = { rule: RETRY.connect, tag: "job", signal };
      const own = await api.call("GetRunnerJobExecution", { ...patient, path });
      if (!own.ok) return decided("stop", "the control plane does not know this execution");
      const job = await readJob(own.value.value.runner_job_id ?? held.jobId ?? "", patient);
      if (!job.ok) return decided("stop", "the control plane does not know this job");
      const latest = job.value.value.executions?.[0]?.id;
      const { status } = job.value.value;
      if (status === "cancelled") return { ...decided("cancel", "cancelled on the control plane") };
      if (status !== "in-progress" || (latest && latest !== execution_id))
        return decided("stop", `the control plane has the job as ${status ?? "unknown"}`);
      const serverNow = Date.parse(job.value.headers.get("date") ?? "") || clock.now();
      const age = Math.max(0, serverNow - (Date.parse(own.value.value.created_at ?? "") || serverNow));
      const facts = { created_ms: clock.now() - age, timeout_ms: nsToMs(job.value.value.execution_timeout) || 300_000 };
      const { verdict } = decided("continue", "", ttlAt(facts, clock.now()));
      return { verdict, watched: { jobId: job.value.value.id, facts } };
    },
  };
}

function sightOf(job: RunnerJob): Sight {
  const why = job.status_description || `the control plane has the job as ${job.status}`;
  if (job.status === "cancelled") return { kind: "cancelled", why: "cancelled on the control plane" };
  return { kind: job.status === "timed-out" || job.status === "failed" ? "lost" : "runs", why };
}
