import type { Http, HttpAnswer } from "../../../kit/http/http.ts";
import { fail, ok, type Result } from "../../../protocol/errors.ts";
import { unreadablePlan } from "../../parse-plan.ts";
import { createNuonClient, isNoRoute, type NuonClient } from "./client.ts";

/**
 * The plan's exact text; null for a type that has none. With a `runnerId` it is looked for under the runner where the
 * server knows no other route. A server that has no text gives the document it keeps in its place, if it does.
 */
export async function loadPlan(
  http: Http,
  jobId: string,
  signal: AbortSignal,
  runnerId?: string,
): Promise<Result<string | null>> {
  const api = createNuonClient(http);
  const read = await readText(api, jobId, signal, runnerId);
  if (!read.ok) {
    if (read.error.status === 404) return ok(null);
    return read.error.kind === "protocol" ? fail(unreadablePlan(read.error.message)) : read;
  }
  const text = planText(read.value);
  return ok(text.trim() === "" ? ((await compositeText(api, jobId, signal)) ?? text) : text);
}

async function readText(api: NuonClient, jobId: string, signal: AbortSignal, runnerId: string | undefined) {
  const options = { tag: "plan", signal };
  const answer = await api.call("GetRunnerJobPlan", { ...options, path: { runner_job_id: jobId } });
  if (answer.ok || runnerId === undefined || !isNoRoute(answer.error)) return answer;
  return api.call("GetRunnerJobPlanV2", { ...options, path: { runner_id: runnerId, job_id: jobId } });
}

/** The one plan in a composite document; null where there is none. Only some engines have the route. */
async function compositeText(api: NuonClient, jobId: string, signal: AbortSignal): Promise<string | null> {
  const answer = await api.call("GetRunnerJobCompositePlan", { path: { runner_job_id: jobId }, tag: "plan", signal });
  const plan = answer.ok ? Object.values(answer.value.value).find((one) => one !== null && one !== undefined) : null;
  return plan ? JSON.stringify(plan) : null;
}

/** Some servers send the text as a JSON string (nuon-runner-api.md 2.6). */
function planText({ value: body, headers }: HttpAnswer<string>): string {
  const type = headers.get("content-type") ?? "";
  if (!type.includes("json") || !body.trimStart().startsWith('"')) return body;
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === "string" ? value : body;
  } catch {
    return body;
  }
}
