import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { type KubeClient, type ResourceFinder, resourceFinder } from "../../../kit/kube/index.ts";
import { nsToMs } from "../../../protocol/nuon/base.ts";
import type { DeployPlan } from "../../../protocol/nuon/plans.ts";
import type { JobContext } from "../../handler.ts";
import { type KubeAccess, kubeAccess } from "../kube/access.ts";
import { chartPath } from "./chart.ts";
import { type Helm, openHelm } from "./helm-run.ts";
import type { HelmWork } from "./helm-work.ts";
import { type ReleaseRecords, releaseRecords } from "./release-records.ts";
import { openStorage } from "./storage.ts";
import { writeValues } from "./values.ts";

export type Context = JobContext<DeployPlan>;

/** What the steps of one helm job share; made anew after a restart, from the same plan and workspace. */
export interface HelmJob {
  readonly ctx: Context;
  readonly work: HelmWork;
  readonly access: KubeAccess;
  readonly client: KubeClient;
  readonly finder: ResourceFinder;
  readonly helm: Helm;
  readonly records: ReleaseRecords;
  /** Its folder or archive; empty for an uninstall. */
  readonly chart: string;
  /** Flags of helm, lowest first. */
  readonly values: readonly string[];
  /** When the execution will be over whatever happens, milliseconds since the epoch. */
  readonly deadlineMs: number;
  /** Lets go of what the job holds in this process. */
  close(): Promise<void>;
}

/** Limit of a job that says none, milliseconds. */
const DEFAULT_TIMEOUT_MS = 15 * 60_000;

export async function openJob(ctx: Context, work: HelmWork): Promise<HelmJob> {
  const access = await kubeAccess(ctx, work.clusterInfo);
  const storage = await openStorage(ctx, work, access);
  try {
    return {
      ctx,
      work,
      access,
      client: access.client,
      finder: resourceFinder(access.client, ctx.signal),
      helm: await openHelm(ctx, work, await storage.kubeconfig()),
      records: releaseRecords(storage.client, {
        ...work,
        driver: work.driver === "configmap" ? "configmap" : "secret",
      }),
      chart: work.source === null ? "" : chartPath(ctx.workspace, work),
      values: writeValues(ctx.workspace, work),
      deadlineMs: deadlineOf(ctx),
      close: storage.close,
    };
  } catch (error) {
    await storage.close();
    throw error;
  }
}

/** The records of the release alone, for after the work. */
export async function withRecords<T>(
  ctx: Context,
  work: HelmWork,
  body: (records: ReleaseRecords) => Promise<T>,
): Promise<T> {
  const storage = await openStorage(ctx, work, await kubeAccess(ctx, work.clusterInfo));
  try {
    return await body(recordsOf(storage.client, work));
  } finally {
    await storage.close();
  }
}

const recordsOf = (client: KubeClient, work: HelmWork) =>
  releaseRecords(client, { ...work, driver: work.driver === "configmap" ? "configmap" : "secret" });

const timeoutOf = ({ job }: Context) => nsToMs(job.execution_timeout) || DEFAULT_TIMEOUT_MS;

/** Counted from the first start of the execution, not from a restart of the runner. */
function deadlineOf(ctx: Context): number {
  const path = ctx.workspace.path("deadline");
  const known = existsSync(path) ? Number(readFileSync(path, "utf8")) : 0;
  if (known > 0) return known;
  const deadline = Date.now() + timeoutOf(ctx);
  writeFileSync(path, String(deadline), { mode: 0o600 });
  return deadline;
}

/** Of the job's time what is left for reasons and reports, milliseconds. */
const MARGIN_MS = 10_000;

/**
 * How long helm may wait: shorter than the job, so that helm ends first, says why and can roll back. A rollback waits as
 * long again. Milliseconds.
 */
export function waitTimeout({ ctx, work, deadlineMs }: HelmJob): number {
  const { waitTimeoutMs, rollbackOnFailure } = work.options;
  const left = Math.max(deadlineMs - Date.now() - MARGIN_MS, 1_000);
  const longest = Math.min(left, timeoutOf(ctx) * 0.8) / (rollbackOnFailure ? 2 : 1);
  return Math.floor(Math.max(Math.min(waitTimeoutMs ?? Number.POSITIVE_INFINITY, longest), 1_000));
}
