import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { resourceFinder } from "../../../kit/kube/index.ts";
import { type DeployPlan, deployPlan } from "../../../protocol/nuon/plans.ts";
import type { CancelLadder, Handler } from "../../handler.ts";
import { fetchDeploySource } from "../deploy-source.ts";
import { kubeAccess } from "../kube/access.ts";
import { atCluster } from "../kube/at-cluster.ts";
import { withSandboxMode } from "../sandbox-mode.ts";
import { pretendPlans } from "../sandbox-only.ts";
import { applyDeploy, applyUninstall, mayHaveChanged } from "./apply-release.ts";
import { completeChart, emptyChartFolder } from "./chart.ts";
import { type Context, type HelmJob, openJob, withRecords } from "./helm-job.ts";
import { helmOutputs } from "./helm-outputs.ts";
import { type HelmWork, helmWork } from "./helm-work.ts";
import { settleOwn } from "./pending.ts";
import { planDeploy, planUninstall } from "./plan-release.ts";
import { readRelease } from "./render.ts";
import { renderingOf } from "./rendering.ts";
import { registerNamedValues, registerSecrets } from "./secrets.ts";

/** On INT helm writes down that its revision failed, and rolls back when asked: that takes longer than most tools need. */
const HELM_LADDER: CancelLadder = { first: "SIGINT", grace_ms: 60_000, last: "SIGTERM" };

const workOf = (ctx: Context) => helmWork(ctx.plan, ctx.job.operation);

/**
 * Plan, teardown plan, or apply of a saved plan for one release (nuon-handlers.md 9.8). The plan is compared with the
 * live cluster and bound to what the chart rendered to; an apply that would come to something else is refused.
 */
const realWork: Handler<DeployPlan> = {
  types: ["helm-chart-deploy"],
  plan: deployPlan,
  cancel: HELM_LADDER,

  async fetch(ctx) {
    const work = workOf(ctx);
    registerNamedValues(ctx, work);
    if (work.source !== null) await fetchDeploySource(ctx.sources, work.source, emptyChartFolder(ctx.workspace));
  },

  async execute(ctx) {
    const work = workOf(ctx);
    return withJob(ctx, work, async (job) => {
      if (work.source !== null) await completeChart(ctx, job.helm, job.chart);
      if (work.operation !== "apply") {
        const made = work.operation === "plan" ? await planDeploy(job) : await planUninstall(job);
        for (const line of made.report.split("\n")) ctx.log.info(line);
        writeFileSync(ctx.workspace.path("report"), made.report, { mode: 0o600 });
        return made.result;
      }
      const { saved } = work;
      if (saved?.op === "uninstall") await applyUninstall(job, saved);
      else if (saved !== null) await applyDeploy(job, saved);
      return { success: true };
    });
  },

  async outputs(ctx) {
    const report = ctx.workspace.path("report");
    if (existsSync(report)) return { values: { diff: readFileSync(report).toString("base64") }, sensitive: [] };
    const work = workOf(ctx);
    if (work.saved?.op === "uninstall") return { values: {}, sensitive: [] };
    const applied = renderingOf(readRelease(ctx.workspace.path("applied.json")), work.namespace, "release");
    registerSecrets(ctx, applied);
    const { client } = await kubeAccess(ctx, work.clusterInfo);
    const finder = resourceFinder(client, ctx.signal);
    const values = await helmOutputs({ client, finder, signal: ctx.signal }, applied.objects);
    return { values, sensitive: [] };
  },

  async cleanup(ctx) {
    if (!mayHaveChanged(ctx)) return;
    await withRecords(ctx, workOf(ctx), (records) => settleOwn(ctx, records));
  },
};

export const helmChartDeploy = withSandboxMode(realWork, pretendPlans);

async function withJob<T>(ctx: Context, work: HelmWork, body: (job: HelmJob) => Promise<T>): Promise<T> {
  const job = await openJob(ctx, work);
  try {
    return await atCluster(job.access.target, () => body(job));
  } finally {
    await job.close();
  }
}
