import type { ExecutionResultRequest } from "../../../protocol/nuon/jobs.ts";
import type { ResourceDiff } from "../../../protocol/nuon/resource-diffs.ts";
import { objectSums, volatileLines } from "./bind.ts";
import { hookDiffs, releaseDiff, resourceDiff, simpleReport } from "./diff-report.ts";
import type { HelmJob } from "./helm-job.ts";
import { liveChanges } from "./live-diff.ts";
import { isPending, recoverPending } from "./pending.ts";
import { currentRecord, type ReleaseRecord } from "./release-records.ts";
import { type Rendered, renderChart } from "./render.ts";
import { type RenderedObject, type Rendering, renderingOf } from "./rendering.ts";
import { type Binding, planResult } from "./saved-helm-plan.ts";
import { registerSecrets } from "./secrets.ts";
import { valuesSum } from "./values.ts";
import { mayBeVolatile } from "./volatile.ts";

/** A plan and what people read of it. */
export interface MadePlan {
  readonly result: ExecutionResultRequest;
  /** helm-diff's simple report. */
  readonly report: string;
}

const NOTHING: Rendering = { objects: [], hooks: [] };

/** What an install or upgrade would change now, bound to the chart and values it was made of. */
export async function planDeploy(job: HelmJob): Promise<MadePlan> {
  const { ctx, work } = job;
  const records = await recoverPending(ctx, work, job.records, Date.now());
  const last = records.at(-1) ?? null;
  const upgrade = last !== null && last.status !== "uninstalled";
  const rendered = await ctx.step({ name: "render" }, () => renderChart({ ...job, upgrade }, "render", null));
  registerSecrets(ctx, rendered);
  const volatile = await volatileOf(job, upgrade, rendered);
  const before = upgrade ? recorded(currentRecord(records), work.namespace) : NOTHING;
  const diffs = await ctx.step({ name: "diff" }, () => differences(job, { last, before, rendered, upgrade }));
  const binding: Binding = {
    render: rendered.how,
    chart: rendered.chart,
    values_sha256: valuesSum(work),
    revision: last?.revision ?? 0,
    objects: objectSums(rendered, volatile),
    volatile,
  };
  const report = simpleReport(diffs.list, diffs.adopted);
  return {
    result: planResult({ text: report, op: upgrade ? "upgrade" : "install", diffs: diffs.list, binding }),
    report,
  };
}

/** Everything the release has goes; no release: nothing does. */
export async function planUninstall(job: HelmJob): Promise<MadePlan> {
  const { ctx, work } = job;
  const records = await job.records.list();
  const last = records.at(-1) ?? null;
  if (last === null) ctx.log.info(`there is no release ${work.release} in ${work.namespace}: nothing to uninstall`);
  const before = recorded(currentRecord(records), work.namespace);
  registerSecrets(ctx, before);
  const changes = await ctx.step({ name: "diff" }, () =>
    liveChanges({ ...liveInput(job), before: before.objects, target: [], apply: null }),
  );
  const removed = changes.map(resourceDiff);
  // Nothing of it lives any more, but its records do.
  const list =
    removed.length === 0 && last !== null
      ? [{ ...releaseDiff(work.release, work.namespace, last.status), type: 1 }]
      : removed;
  const report = simpleReport(list, 0);
  const binding: Binding = {
    render: "server",
    chart: "",
    values_sha256: "",
    revision: last?.revision ?? 0,
    objects: {},
    volatile: {},
  };
  return { result: planResult({ text: report, op: "uninstall", diffs: list, binding }), report };
}

const liveInput = ({ ctx, work, client, finder }: HelmJob) => ({
  client,
  finder,
  signal: ctx.signal,
  release: work.release,
  namespace: work.namespace,
  note: (text: string) => ctx.log.warn(text),
});

function recorded(record: ReleaseRecord | null, namespace: string): Rendering {
  return record === null ? NOTHING : renderingOf(record.release, namespace, `revision ${record.revision}`);
}

/** A chart with random values or times cannot be bound line by line: what differs by itself is found by a second look. */
async function volatileOf(job: HelmJob, upgrade: boolean, first: Rendered): Promise<Binding["volatile"]> {
  if (!(await mayBeVolatile(job.chart))) return {};
  const second = await renderChart({ ...job, upgrade }, "render-again", first.how);
  registerSecrets(job.ctx, second);
  const volatile = volatileLines(first, second);
  const names = Object.keys(volatile);
  if (names.length > 0) {
    job.ctx.log.warn(
      `the chart renders differently each time (random values or times): ${names.join(", ")}; the approval covers the rest of them`,
    );
  }
  return volatile;
}

interface Compared {
  readonly last: ReleaseRecord | null;
  readonly before: Rendering;
  readonly rendered: Rendered;
  readonly upgrade: boolean;
}

async function differences(
  job: HelmJob,
  { last, before, rendered, upgrade }: Compared,
): Promise<{ readonly list: ResourceDiff[]; readonly adopted: number }> {
  const { work } = job;
  const apply = rendered.serverSide ? { force: work.options.forceConflicts } : null;
  const target: readonly RenderedObject[] = rendered.objects;
  const changes = await liveChanges({ ...liveInput(job), before: before.objects, target, apply });
  const hooks =
    upgrade && rendered.how === "server" && work.options.hooks ? hookDiffs(before.hooks, rendered.hooks) : [];
  const list = [...changes.map(resourceDiff), ...hooks];
  const unfinished = last !== null && upgrade && last.status !== "deployed" && !isPending(last);
  if (list.length === 0 && (unfinished || !upgrade))
    list.push(releaseDiff(work.release, work.namespace, upgrade ? (last?.status ?? null) : null));
  return { list, adopted: changes.filter((one) => one.adopted).length };
}
