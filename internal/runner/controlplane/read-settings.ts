import type { Http } from "../../kit/http/http.ts";
import { ok, type Result } from "../../protocol/errors.ts";
import type { RunnerSettings } from "../../protocol/nuon/settings.ts";
import { RETRY, type RetryRule } from "../../protocol/retry.ts";
import { createNuonClient } from "./nuon/client.ts";

/** The settings as they are now (nuon-runner-api.md 4.2; our coordinator has the same route). */
export async function readSettings(
  http: Http,
  runnerId: string,
  signal: AbortSignal,
  rule: RetryRule = RETRY.fetch,
): Promise<Result<RunnerSettings>> {
  const read = await createNuonClient(http).call("GetRunnerSettings", {
    path: { runner_id: runnerId },
    tag: "settings",
    rule,
    signal,
  });
  return read.ok ? ok(read.value.value) : read;
}
