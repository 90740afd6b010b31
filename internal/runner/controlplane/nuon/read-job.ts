import { type CallOptions, isNoRoute, type NuonAnswer, type NuonClient } from "./client.ts";

export type ReadJob = (jobId: string, options: CallOptions) => Promise<NuonAnswer<"GetRunnerJob">>;

/** A job as the server has it, also from one that knows jobs only under their runner (nuon-runner-api.md 2, row 32). */
export function createReadJob(api: NuonClient, runnerId: string): ReadJob {
  let underRunner = false;
  return async (jobId, options) => {
    const plain = () => api.call("GetRunnerJob", { ...options, path: { runner_job_id: jobId } });
    const scoped = () => api.call("GetRunnerJobV2", { ...options, path: { runner_id: runnerId, job_id: jobId } });
    if (underRunner) return scoped();
    const answer = await plain();
    if (answer.ok || !isNoRoute(answer.error)) return answer;
    const other = await scoped();
    underRunner = other.ok;
    return other.ok || !isNoRoute(other.error) ? other : answer;
  };
}
