import type { Clock } from "../../kit/base/clock.ts";
import type { SystemLog } from "../../kit/base/system-log.ts";
import { waitMs } from "../../kit/http/back-off.ts";
import type { Http } from "../../kit/http/http.ts";
import { ok, type Result } from "../../protocol/errors.ts";
import { type SessionRequest, type SessionResponse, sessionConflict, sessionResponse } from "../../protocol/native.ts";
import { RETRY } from "../../protocol/retry.ts";
import type { Announcement } from "./control-plane.ts";
import type { DialectOptions } from "./dialect-http.ts";

/** While another instance holds the runner: asked again at least this often, so that its end is noticed soon. */
const TAKE_OVER = { base_ms: 1_000, cap_ms: 10_000 };

interface Means {
  readonly http: Http;
  readonly runnerPath: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: SystemLog;
  readonly held: DialectOptions["held"];
}

/**
 * Open a session. Waits while the server is away or another instance holds the runner (said once, with who it is); a
 * refusal (401, 403, unknown runner) is an error at once.
 */
export async function openSession(
  { http, runnerPath, clock, random, log, held }: Means,
  announcement: Announcement,
  signal: AbortSignal,
): Promise<Result<{ readonly session: SessionResponse; readonly tookMs: number }>> {
  const json = requestOf(announcement);
  for (let refused = 1; ; refused++) {
    const call = { method: "POST", path: `${runnerPath}/sessions`, tag: "session" } as const;
    const answer = await http.request({ ...call, json, rule: RETRY.connect, decode: sessionResponse, signal });
    if (answer.ok && refused > 1) held?.(null);
    if (answer.ok) return ok({ session: answer.value.value, tookMs: answer.value.tookMs });
    const conflict = answer.error.status === 409 ? sessionConflict.safeParse(answer.error.body) : null;
    if (!conflict?.success) return answer;
    const { holder, retry_after_ms } = conflict.data;
    if (refused === 1) {
      held?.({ instanceId: holder.instance_id, hostname: holder.hostname });
      log.warn("another instance works under this runner's id; waiting until it is gone", {
        holder: holder.instance_id,
        hostname: holder.hostname,
        last_contact_at: holder.last_contact_at,
        remedy: "Two runners need two ids: `runner runners create NAME`. Or stop the other one.",
      });
    }
    await clock.sleep(waitMs(TAKE_OVER, refused, random, retry_after_ms), signal);
  }
}

function requestOf({ instanceId, mode, version, inventory, slots, jobTypes, held }: Announcement): SessionRequest {
  const leases = held.map(({ execution_id, epoch }) => ({ execution_id, epoch }));
  return { instance_id: instanceId, mode, version, inventory, slots, job_types: [...jobTypes], held: leases };
}
