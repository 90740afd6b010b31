import type { Http } from "../../../kit/http/http.ts";
import { fail, ok, type Result } from "../../../protocol/errors.ts";
import { RETRY } from "../../../protocol/retry.ts";
import { unreadablePlan } from "../../parse-plan.ts";

/** The plan's exact text; null for a type that has none. */
export async function loadPlan(http: Http, jobId: string, signal: AbortSignal): Promise<Result<string | null>> {
  const path = `/v1/runner-jobs/${encodeURIComponent(jobId)}/plan`;
  const answer = await http.request({ method: "GET", path, rule: RETRY.fetch, decode: "text", signal });
  if (!answer.ok) {
    if (answer.error.status === 404) return ok(null);
    return answer.error.kind === "protocol" ? fail(unreadablePlan(answer.error.message)) : answer;
  }
  return ok(planText(answer.value.value, answer.value.headers.get("content-type") ?? ""));
}

/** Some servers send the text as a JSON string (nuon-runner-api.md 2.6). */
function planText(body: string, type: string): string {
  if (!type.includes("json") || !body.trimStart().startsWith('"')) return body;
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === "string" ? value : body;
  } catch {
    return body;
  }
}
