import { z } from "zod";
import type { Clock } from "../base/clock.ts";
import type { SystemLog } from "../base/system-log.ts";

/**
 * Scale-in protection of a task of Amazon ECS: while a job runs, a deployment or a scale-in waits instead of stopping the
 * task, which Fargate kills 120 s after the order at the latest. The agent listens at ECS_AGENT_URI inside the task; the
 * task role needs ecs:UpdateTaskProtection (Amazon ECS Developer Guide, "task scale-in protection endpoint").
 */
export interface TaskProtection {
  /** A first job has begun, or the last one is over. */
  occupied(busy: boolean): void;
  /** Takes the protection back, if there is one. Never rejects. */
  end(): Promise<void>;
}

/** A task whose runner hangs is not kept for longer than this. */
const EXPIRES_MINUTES = 60;
const RENEW_MS = (EXPIRES_MINUTES / 2) * 60_000;
/** The next job of a queue comes at once: no two requests for each. */
const IDLE_MS = 10_000;
const AGAIN_MS = 30_000;
const ANSWER_MS = 5_000;

const answer = z.looseObject({
  failure: z.looseObject({ Reason: z.string() }).optional(),
  error: z.looseObject({ Code: z.string(), Message: z.string().optional() }).optional(),
});

export interface TaskProtectionDeps {
  readonly agentUri: string;
  readonly clock: Clock;
  readonly log: SystemLog;
}

export function ecsTaskProtection({ agentUri, clock, log }: TaskProtectionDeps): TaskProtection {
  let busy = false;
  let granted = false;
  let ended = false;
  let told = false;
  let changed = new AbortController();

  const put = async (on: boolean): Promise<boolean> => {
    const refused = await request(agentUri, on).catch((error: unknown) => String(error));
    if (refused === null) granted = on;
    else if (!told) {
      log.warn("ECS does not protect this task: a deployment may stop it while a job runs", {
        reason: refused,
        remedy:
          "the task role needs ecs:UpdateTaskProtection; RUNNER_ECS_TASK_PROTECTION=false says that it is not wanted",
      });
    }
    told = refused !== null;
    return refused === null;
  };

  /** One request at a time: what is wanted by then decides the next one. */
  const main = async () => {
    while (!ended) {
      const { signal } = changed;
      if (busy) await clock.sleep((await put(true)) ? RENEW_MS : AGAIN_MS, signal);
      else if (granted) {
        await clock.sleep(IDLE_MS, signal);
        if (!busy && !ended) await put(false);
      } else await clock.sleep(2 ** 31 - 1, signal);
    }
  };
  const running = main();
  const wake = () => {
    changed.abort();
    changed = new AbortController();
  };

  return {
    occupied(now) {
      if (now === busy) return;
      busy = now;
      wake();
    },
    async end() {
      ended = true;
      wake();
      await running;
      if (granted) await put(false);
    },
  };
}

/** null: done; otherwise why not. */
async function request(agentUri: string, on: boolean): Promise<string | null> {
  const response = await fetch(`${agentUri}/task-protection/v1/state`, {
    method: "PUT",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(
      on ? { ProtectionEnabled: true, ExpiresInMinutes: EXPIRES_MINUTES } : { ProtectionEnabled: false },
    ),
    signal: AbortSignal.timeout(ANSWER_MS),
  });
  const body = answer.safeParse(await response.json().catch(() => ({})));
  if (body.data?.error) return `${body.data.error.Code}: ${body.data.error.Message ?? ""}`.trim();
  if (body.data?.failure) return body.data.failure.Reason;
  return response.ok ? null : `status ${response.status}`;
}
