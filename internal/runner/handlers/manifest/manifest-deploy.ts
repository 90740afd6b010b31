import { secretValues } from "../../../kit/diff/index.ts";
import { resourceFinder } from "../../../kit/kube/index.ts";
import type { ManifestObject } from "../../../kit/manifest/index.ts";
import type { ExecutionResultRequest } from "../../../protocol/nuon/jobs.ts";
import { type DeployPlan, deployPlan } from "../../../protocol/nuon/plans.ts";
import type { Handler, JobContext } from "../../handler.ts";
import { kubeAccess } from "../kube/access.ts";
import { atCluster } from "../kube/at-cluster.ts";
import { withSandboxMode } from "../sandbox-mode.ts";
import { encodeContents } from "../terraform/saved-plan.ts";
import { applyAll, keptOf } from "./applying.ts";
import { type Cluster, keyOf, type Located, labelOf, type ObjectRef } from "./cluster.ts";
import { fitMark, refuseOtherManifest, refuseOtherRemovals, refuseUnfit } from "./fit.ts";
import { inventoryRef, readInventory, writeInventory } from "./inventory.ts";
import { locate } from "./locate.ts";
import { fetchManifest, readManifest } from "./manifest-text.ts";
import { type ManifestWork, manifestWork } from "./manifest-work.ts";
import { compareAll, logPlan, type Planned, planOf, teardownOf } from "./planning.ts";
import { existing, remove, type Target } from "./removal.ts";
import { isApplyOf, MANAGER, managedFields } from "./requests.ts";
import { planResult, type SavedPlan } from "./saved-plan.ts";
import { waitReady } from "./waiting.ts";

type Context = JobContext<DeployPlan>;

const workOf = (ctx: Context) => manifestWork(ctx.plan, ctx.job.operation);

/**
 * Plan, teardown plan, or apply of a plan of Kubernetes objects (nuon-handlers.md 9.9), over the API of the cluster. A
 * plan is a dry run of the cluster itself. An apply is bound to its plan, and repeating it changes nothing: after a
 * crash every step is simply done again.
 */
const realWork: Handler<DeployPlan> = {
  types: ["kubernetes-manifest-deploy"],
  plan: deployPlan,

  async fetch(ctx) {
    await fetchManifest(ctx, workOf(ctx));
  },

  async validate(ctx) {
    const { objects } = readManifest(ctx, workOf(ctx));
    ctx.secrets.register(...objects.flatMap(({ body }) => secretValues(body)));
  },

  async execute(ctx) {
    const work = workOf(ctx);
    const { objects, sha256 } = readManifest(ctx, work);
    const { client } = await kubeAccess(ctx, work.cluster);
    const cluster: Cluster = { client, finder: resourceFinder(client, ctx.signal), signal: ctx.signal };
    return atCluster(client.target, () => perform({ ctx, work, cluster, objects, sha256: boundTo(work, sha256) }));
  },

  async outputs(ctx) {
    const { saved } = workOf(ctx);
    return { values: saved === null ? {} : { diff: saved.diffs }, sensitive: [] };
  },
};

export const manifestDeploy = withSandboxMode(realWork, pretend);

async function pretend({ plan: { sandbox_mode: mode } }: Context): Promise<ExecutionResultRequest | null> {
  const made = mode?.kubernetes_manifest;
  if (!made?.plan_contents) return null;
  return {
    contents_compressed: encodeContents(Bun.gzipSync(made.plan_contents)),
    contents_display_compressed: encodeContents(Bun.gzipSync(made.plan_display_contents ?? "")),
  };
}

interface Job {
  readonly ctx: Context;
  readonly work: ManifestWork;
  readonly cluster: Cluster;
  readonly objects: readonly ManifestObject[];
  /** Of the manifest and everything that changes what it does. */
  readonly sha256: string;
}

/** What a plan is bound to: the text, and what else says what is done with it. */
function boundTo({ namespace, set, prune, force, propagation }: ManifestWork, sha256: string): string {
  const parts = JSON.stringify([sha256, namespace, set, prune, force, propagation]);
  return new Bun.CryptoHasher("sha256").update(parts).digest("hex");
}

async function perform(job: Job): Promise<ExecutionResultRequest | null> {
  switch (job.work.operation) {
    case "plan":
      return job.ctx.step({ name: "plan" }, () => plan(job));
    case "plan-delete":
      return job.ctx.step({ name: "plan" }, () => planTeardown(job));
    case "apply":
      return apply(job);
    case "delete":
      return tearDown(job);
  }
}

async function planned({
  ctx,
  work,
  cluster,
  objects,
  sha256,
}: Job): Promise<Planned & { readonly located: readonly Located[]; readonly before: readonly ObjectRef[] }> {
  const located = await locate(cluster, objects, work.namespace);
  const compared = await compareAll(cluster, ctx, located, work.force);
  const before = work.set === null ? [] : await readInventory(cluster, work.set, work.namespace);
  const removals = work.prune ? await prunable(ctx, cluster, located, before) : [];
  return { compared, removals, manifestSha256: sha256, located, before };
}

/** What the last apply of the set made and the manifest has no more, as far as it is still ours. */
async function prunable(
  { log }: Context,
  cluster: Cluster,
  located: readonly Located[],
  before: readonly ObjectRef[],
): Promise<readonly Target[]> {
  const wanted = new Set(located.map(keyOf));
  const dropped = await existing(
    cluster,
    before.filter((one) => !wanted.has(keyOf(one))),
  );
  return dropped.filter((target) => {
    const ours = managedFields(target.live).some((entry) => isApplyOf(entry, MANAGER));
    if (!ours) log.warn(`${labelOf(target)} is not in the manifest any more, but not ours either; it stays`);
    return ours;
  });
}

async function plan(job: Job): Promise<ExecutionResultRequest> {
  const found = await planned(job);
  logPlan(job.ctx, found);
  return planResult(planOf(found));
}

/** Everything of the manifest that is there, and what its set still has besides. */
async function doomed({ work, cluster, objects }: Job): Promise<readonly Target[]> {
  const located = await locateKnown(cluster, objects, work.namespace);
  const set = work.set === null ? [] : await readInventory(cluster, work.set, work.namespace);
  const inventory = work.set === null ? [] : [inventoryRef(work.set, work.namespace)];
  const unique = new Map([...located, ...set, ...inventory].map((one) => [keyOf(one), one]));
  return existing(cluster, [...unique.values()]);
}

/** A kind that the cluster does not know has no objects that could be removed. */
async function locateKnown(cluster: Cluster, objects: readonly ManifestObject[], namespace: string) {
  const known: ManifestObject[] = [];
  for (const object of objects) {
    const found = await cluster.finder.find(object.apiVersion, object.kind);
    if (!found.ok || found.value !== null) known.push(object);
  }
  return locate(cluster, known, namespace);
}

async function planTeardown(job: Job): Promise<ExecutionResultRequest> {
  const removals = await doomed(job);
  logPlan(job.ctx, { compared: [], removals });
  return planResult(teardownOf(removals, job.sha256));
}

async function apply(job: Job): Promise<ExecutionResultRequest | null> {
  const { ctx, work, cluster } = job;
  const { saved, set, namespace, waitMs } = work;
  if (saved === null) return null;
  const { located, removals, before } = await approved(job, saved);
  const inventory = set === null ? null : { set, namespace, before };
  await ctx.step({ name: "apply" }, () => applyAll(cluster, ctx, located, { force: work.force, inventory }));
  if (waitMs !== null) await ctx.step({ name: "wait" }, () => waitReady(cluster, ctx, located, waitMs));
  if (removals.length > 0) await ctx.step({ name: "prune" }, () => remove(cluster, ctx, removals, work));
  if (set !== null) await writeInventory(cluster, set, namespace, keptOf(located, work.prune ? [] : before));
  return planResult(saved);
}

interface Approved {
  readonly located: readonly Located[];
  readonly removals: readonly Target[];
  /** What the set had before. */
  readonly before: readonly ObjectRef[];
}

/** What is to be done, checked against the plan; after a restart it has been. */
async function approved(job: Job, saved: SavedPlan): Promise<Approved> {
  const { ctx } = job;
  const mark = fitMark(ctx);
  if (mark.made()) return resumed(job, saved);
  const found = await planned(job);
  refuseUnfit(saved, found, ctx.log);
  mark.make();
  return found;
}

/** Nothing is compared any more: what this apply has done itself would look like a change of somebody else. */
async function resumed({ ctx, work, cluster, objects }: Job, saved: SavedPlan): Promise<Approved> {
  ctx.log.info("the apply goes on after a restart of the runner; it does again what it may have done already");
  const located = await locate(cluster, objects, work.namespace);
  const before = work.set === null ? [] : await readInventory(cluster, work.set, work.namespace);
  return { located, removals: await asPlanned(cluster, saved), before };
}

/** The objects a plan removes, as far as they are there and still the ones it saw. */
async function asPlanned(cluster: Cluster, { binding }: SavedPlan): Promise<readonly Target[]> {
  const uids = new Map((binding?.removals ?? []).map((one) => [keyOf(one), one.uid]));
  const there = await existing(cluster, binding?.removals ?? []);
  return there.filter((target) => uids.get(keyOf(target)) === target.uid);
}

async function tearDown(job: Job): Promise<ExecutionResultRequest | null> {
  const { ctx, work, cluster } = job;
  const { saved } = work;
  if (saved === null) return null;
  const mark = fitMark(ctx);
  // Half done, the rest cannot be told from manifest and inventory: the plan knows it all.
  const targets = mark.made() && saved.binding !== null ? await asPlanned(cluster, saved) : await doomed(job);
  if (saved.binding !== null && !mark.made()) {
    refuseOtherManifest(saved.binding, job.sha256);
    refuseOtherRemovals(saved.binding, targets);
  }
  mark.make();
  await ctx.step({ name: "delete" }, () => remove(cluster, ctx, targets, work));
  return planResult(saved);
}
