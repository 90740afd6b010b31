import type { Http } from "../../kit/http/http.ts";
import { ok, type Result } from "../../protocol/errors.ts";
import { type RunnerSettings, runnerSettings } from "../../protocol/nuon/settings.ts";
import { RETRY } from "../../protocol/retry.ts";

/** The settings as they are now (nuon-runner-api.md 4.2; our coordinator has the same route). */
export async function readSettings(
  http: Http,
  runnerPath: string,
  signal: AbortSignal,
): Promise<Result<RunnerSettings>> {
  const path = `${runnerPath}/settings`;
  const call = { method: "GET", path, tag: "settings", rule: RETRY.fetch, decode: runnerSettings, signal } as const;
  const read = await http.request(call);
  return read.ok ? ok(read.value.value) : read;
}
