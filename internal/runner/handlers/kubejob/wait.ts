import { systemClock } from "../../../kit/base/clock.ts";
import { RunnerError, reasonOf } from "../../../protocol/errors.ts";
import { nsToMs } from "../../../protocol/nuon/base.ts";
import type { DeployPlan, KubernetesJobBlock } from "../../../protocol/nuon/plans.ts";
import { type JobContext, StopError, type StopReason, ToolError } from "../../handler.ts";
import { positionFile } from "./log-position.ts";
import { observe } from "./observe.ts";
import { type Place, removeJob, untilGone } from "./place.ts";
import { createPodLogs } from "./pod-logs.ts";
import type { Look, Pod } from "./shapes.ts";
import { podEnd, type Trouble, type Verdict, verdictOf } from "./verdict.ts";

/** How long a Job may fail to start, when its job file does not say. */
const START_MS = 5 * 60_000;
/** The rest of the logs, once everything has ended. */
const LOGS_MS = 15_000;
/** Pods are given this long to end before the stop is reported; cleanup waits on. */
const STOP_MS = 20_000;

/** How a Job ended that did what it should. */
export interface JobEnd {
  readonly code: number;
  /** What the first container wrote into RUNNER_OUTPUT; null: it has no such variable. */
  readonly message: string | null;
}

type Context = JobContext<DeployPlan>;

/** Streams the logs until the Job is over. Throws ToolError with the container's exit code, RunnerError, StopError. */
export async function waitForJob(ctx: Context, place: Place, block: KubernetesJobBlock): Promise<JobEnd> {
  const { client, namespace, identity } = place;
  const say = (text: string) => ctx.log.info(text);
  const logs = createPodLogs({
    client,
    namespace,
    positions: positionFile(ctx.workspace.path("positions.json")),
    write: ctx.output,
    say,
    warn: (text) => ctx.log.warn(text),
  });
  const news = createNews(ctx);
  const patience = createPatience(nsToMs(block.start_timeout) || START_MS);
  const seen = async (look: Look) => {
    logs.show(look.pods);
    const verdict = verdictOf(look);
    news(look, verdict);
    if (verdict.state !== "going") return { verdict, look };
    const hopeless = patience(verdict);
    if (hopeless !== null) throw new RunnerError("job", hopeless.reason, { remedy: hopeless.remedy });
    return null;
  };
  try {
    const over = await observe({ client, namespace, name: identity.name, say }, seen, ctx.signal);
    if (over === null) return await stopped(ctx, place, logs);
    await logs.finish(LOGS_MS);
    return endOf(over.verdict, over.look);
  } finally {
    logs.end();
  }
}

/** The Job is told to end with its pods; what they still say is shown. */
async function stopped(ctx: Context, place: Place, logs: ReturnType<typeof createPodLogs>): Promise<never> {
  const stop = ctx.signal.reason as StopReason;
  if (stop.kind === "abandoned") throw new StopError(stop);
  ctx.log.info(`stopping: ${stop.why}; the Kubernetes Job is removed with its pods`);
  try {
    await removeJob(place, place.identity.name);
    await untilGone(place, place.identity.name, STOP_MS);
    await logs.finish(1_000);
  } catch (error) {
    ctx.log.warn(`the Kubernetes Job could not be stopped: ${reasonOf(error)}; cleanup tries again`);
  }
  throw new StopError(stop);
}

function endOf(verdict: Exclude<Verdict, { state: "going" }>, { pods }: Look): JobEnd {
  if (verdict.state === "succeeded") return { code: verdict.code, message: messageOf(pods.at(-1)) };
  const { code, reason, remedy } = verdict;
  if (code !== null) throw new ToolError("job", { code, duration_ms: 0, tail: "" }, reason, remedy);
  throw new RunnerError("job", reason, remedy === undefined ? {} : { remedy });
}

function messageOf(pod: Pod | undefined): string | null {
  const first = pod?.spec.containers[0];
  if (!pod || !first?.env?.some(({ name }) => name === "RUNNER_OUTPUT")) return null;
  const status = pod.status?.containerStatuses?.find((one) => one.name === first.name);
  return status?.state?.terminated?.message ?? "";
}

/** Says once what is in the way of a start; null as long as waiting may help. */
function createPatience(ms: number) {
  let since: number | null = null;
  return (verdict: Extract<Verdict, { state: "going" }>): Trouble | null => {
    const { trouble } = verdict;
    if (trouble === null) since = null;
    if (trouble === null) return null;
    since ??= systemClock.monotonic();
    return trouble.hopeless || systemClock.monotonic() - since >= ms ? trouble : null;
  };
}

/** What a person who watches wants to know: where it runs, why it does not start, which pod failed. */
function createNews(ctx: Context) {
  const told = new Set<string>();
  const once = (level: "info" | "warn", key: string, text: string) => {
    if (told.has(key)) return;
    told.add(key);
    ctx.log[level](text);
  };
  return ({ pods }: Look, verdict: Verdict) => {
    for (const pod of pods) {
      const { name } = pod.metadata;
      if (pod.spec.nodeName) once("info", name, `pod ${name} is on node ${pod.spec.nodeName}`);
      const end = podEnd(pod);
      if (end !== null) once("warn", `${name} failed`, `pod ${name}: ${end.reason}`);
    }
    if (verdict.state === "going" && verdict.trouble !== null) {
      const { reason, remedy } = verdict.trouble;
      once("warn", reason.replace(/\d+/g, "0"), `${reason}. ${remedy}`);
    }
  };
}
