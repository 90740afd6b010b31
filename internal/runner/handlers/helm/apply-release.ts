import { existsSync, writeFileSync } from "node:fs";
import { kubeObject } from "../../../kit/kube/index.ts";
import { RunnerError } from "../../../protocol/errors.ts";
import { StopError, ToolError } from "../../handler.ts";
import { differences } from "./bind.ts";
import { type Context, type HelmJob, waitTimeout } from "./helm-job.ts";
import { hooksAround, showHookLogs, unfinishedHooks } from "./hooks.ts";
import { isOwn, ownLabels, recoverPending } from "./pending.ts";
import { notReady, withProgress } from "./progress.ts";
import type { ReleaseRecord } from "./release-records.ts";
import { explained, type Rendered, readRelease, renderChart } from "./render.ts";
import type { RenderedObject } from "./rendering.ts";
import type { SavedHelmPlan } from "./saved-helm-plan.ts";
import { registerSecrets } from "./secrets.ts";
import { valuesSum } from "./values.ts";

const AGAIN = "Submit the job file again: a new plan shows what would change now.";

/** There from before helm may change anything: a later call of the same execution goes on instead of checking again. */
const mark = (ctx: Context) => ctx.workspace.path("changing");
export const mayHaveChanged = (ctx: Context): boolean => existsSync(mark(ctx));

/** Installs or upgrades what was approved, and nothing else. */
export async function applyDeploy(job: HelmJob, saved: SavedHelmPlan): Promise<void> {
  const { ctx, work } = job;
  const fresh = !mayHaveChanged(ctx);
  const records = fresh ? await recoverPending(ctx, work, job.records, Date.now()) : await job.records.list();
  if (fresh) refuseMoved(work.release, saved, records.at(-1)?.revision ?? 0);
  const upgrade = saved.op === "upgrade";
  const rendered = await ctx.step({ name: "render" }, () =>
    renderChart({ ...job, upgrade }, "render", saved.binding?.render ?? null),
  );
  registerSecrets(ctx, rendered);
  if (fresh) refuseOther(ctx, job, saved, rendered);
  writeFileSync(mark(ctx), "", { mode: 0o600 });
  const name = saved.op;
  const args = [
    "upgrade",
    work.release,
    job.chart,
    "--install",
    // Helm would take the values of the last revision when a job gives none.
    "--reset-values",
    "--output=json",
    ...job.values,
    ...applyFlags(job),
    ...(await namespaceFlags(job)),
  ] as const;
  const watched = [...rendered.objects, ...hooksAround(rendered.hooks, name)];
  await ctx.step({ name }, () =>
    withProgress({ ...watchedBy(job), log: ctx.log }, watched, () =>
      job.helm.run({ key: name, args: [...args], capture: "applied.json" }),
    ).catch(async (error: unknown) => {
      throw await failure(job, error, rendered.objects, (all) => all.findLast((one) => isOwn(one, ctx)));
    }),
  );
  const applied = readRelease(ctx.workspace.path("applied.json"));
  ctx.log.info(`release ${work.release} in ${work.namespace}: revision ${applied.version} is ${applied.info.status}`);
  for (const line of (applied.info.notes ?? "").split("\n")) if (line.trim() !== "") ctx.log.info(`notes: ${line}`);
}

/** Removes the release with everything it made. No release: done already. */
export async function applyUninstall(job: HelmJob, saved: SavedHelmPlan): Promise<void> {
  const { ctx, work, helm } = job;
  const records = await job.records.list();
  if (records.length === 0) {
    ctx.log.info(`there is no release ${work.release} in ${work.namespace}: nothing to uninstall`);
    return;
  }
  if (!mayHaveChanged(ctx)) refuseMoved(work.release, saved, records.at(-1)?.revision ?? 0);
  writeFileSync(mark(ctx), "", { mode: 0o600 });
  const flags = [...(work.options.wait ? ["--wait"] : []), ...(work.options.hooks ? [] : ["--no-hooks"])];
  const args = [
    "uninstall",
    work.release,
    "--ignore-not-found",
    `--timeout=${seconds(waitTimeout(job))}`,
    ...flags,
  ] as const;
  await ctx.step({ name: "uninstall" }, () =>
    helm.run({ key: "uninstall", args: [...args] }).catch(async (error: unknown) => {
      throw await failure(job, error, [], (all) => all.at(-1));
    }),
  );
}

function applyFlags(job: HelmJob): string[] {
  const { ctx, work, helm, deadlineMs } = job;
  const { options } = work;
  const rollback = helm.major === 4 ? "--rollback-on-failure" : "--atomic";
  return [
    `--timeout=${seconds(waitTimeout(job))}`,
    `--labels=${ownLabels(ctx.execution.id, deadlineMs)}`,
    `--history-max=${options.historyLimit}`,
    ...(work.takeOwnership ? ["--take-ownership"] : []),
    ...(options.wait ? ["--wait"] : []),
    ...(options.wait && options.waitForJobs ? ["--wait-for-jobs"] : []),
    ...(options.rollbackOnFailure ? [rollback] : []),
    ...(options.forceConflicts && helm.major === 4 ? ["--force-conflicts"] : []),
    ...(options.hooks ? [] : ["--no-hooks"]),
  ];
}

/** Helm makes it without a look, and who has rights in that namespace alone is refused although it is there. */
async function namespaceFlags({ ctx, work, client }: HelmJob): Promise<string[]> {
  if (!work.createNamespace) return [];
  const path = `/api/v1/namespaces/${encodeURIComponent(work.namespace)}`;
  const found = await client.request({ method: "GET", path, signal: ctx.signal }, kubeObject);
  return found.ok ? [] : ["--create-namespace"];
}

const seconds = (ms: number) => `${Math.max(1, Math.floor(ms / 1_000))}s`;

/** Somebody else made a revision since the plan: what the plan shows is not what would happen. */
function refuseMoved(release: string, { binding }: SavedHelmPlan, now: number): void {
  if (binding === null || binding.revision === now) return;
  const was = binding.revision === 0 ? "before there was a release" : `at revision ${binding.revision}`;
  throw new RunnerError("conflict", `stale_plan: the plan was made ${was}, ${release} is at revision ${now} now`, {
    remedy: AGAIN,
  });
}

function refuseOther(ctx: Context, { work }: HelmJob, { binding }: SavedHelmPlan, rendered: Rendered): void {
  if (binding === null) {
    ctx.log.warn("the plan says nothing about what it was made of: the chart is applied as it renders now");
    return;
  }
  const found = differences(binding, rendered, { chart: rendered.chart, values_sha256: valuesSum(work) });
  if (found.length === 0) return;
  const shown = found.slice(0, 5).join("; ");
  const more = found.length > 5 ? ` and ${found.length - 5} more` : "";
  throw new RunnerError("conflict", `the chart renders to something else than what was approved: ${shown}${more}`, {
    remedy: AGAIN,
  });
}

const watchedBy = ({ client, finder, ctx }: HelmJob) => ({ client, finder, signal: ctx.signal });

/** Helm says that it waited in vain or that a hook failed; the cluster says for what, and the hook's log why. */
async function failure(
  job: HelmJob,
  error: unknown,
  objects: readonly RenderedObject[],
  tried: (records: readonly ReleaseRecord[]) => ReleaseRecord | undefined,
): Promise<unknown> {
  const { ctx, work } = job;
  if (error instanceof StopError || ctx.signal.aborted) return error;
  const known = explained(work, error);
  if (!(error instanceof ToolError)) return known;
  if (work.driver === "nuon" && error.end.tail === "") return lostStore(error);
  const hooks = unfinishedHooks(tried(await job.records.list().catch(() => [])), work.namespace);
  await showHookLogs(ctx, job.client, hooks);
  const waitingFor = await notReady(watchedBy(job), [...hooks, ...objects]);
  if (waitingFor.length === 0) return known;
  for (const line of waitingFor) ctx.log.error(`not ready: ${line}`);
  const more = waitingFor.length > 1 ? ` and ${waitingFor.length - 1} more` : "";
  return new RunnerError("job", `${error.message}; not ready: ${waitingFor[0]}${more}`, {
    remedy: "The log says what each object waits for; a longer wait_timeout or rollback_on_failure may fit.",
    cause: error,
  });
}

/** The address of the store lives in this process: a helm that ended without us, whose words are gone, had none. */
const lostStore = (error: ToolError) =>
  new RunnerError("job", `helm ${error.key} failed: it lost its release store when the runner was restarted`, {
    remedy: "Submit the job file again: the next apply goes on from what is there.",
    cause: error,
  });
