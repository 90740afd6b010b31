import { existsSync, writeFileSync } from "node:fs";
import { KubeError } from "../../../kit/kube/index.ts";
import { parseOutputs } from "../../../kit/outputs/parse-outputs.ts";
import { RunnerError } from "../../../protocol/errors.ts";
import { type DeployPlan, deployPlan, type KubernetesJobBlock } from "../../../protocol/nuon/plans.ts";
import { type Handler, type JobContext, StopError, type StopReason } from "../../handler.ts";
import { kubeAccess } from "../kube/access.ts";
import { withSandboxMode } from "../sandbox-mode.ts";
import { boundsOf, identityOf, jobObject, manifestOf } from "./job-object.ts";
import {
  createJob,
  createSecret,
  endOlderAttempts,
  findJob,
  giveSecretToJob,
  type Place,
  removeJob,
  removeSecret,
  untilGone,
} from "./place.ts";
import { waitForJob } from "./wait.ts";

type Context = JobContext<DeployPlan>;

/**
 * Runs one Kubernetes Job to its end (nuon-handlers.md 9.10 has no behaviour to match). The Job carries the execution's
 * id: after a crash the runner finds it again and goes on, and its own deadline and time to live end it when no runner
 * comes back. A Nuon plan says nothing of a Job; it is warned about and done, as there.
 */
const realWork: Handler<DeployPlan> = {
  types: ["job-deploy"],
  plan: deployPlan,

  async validate(ctx) {
    const { kubernetes_job: block } = ctx.plan;
    if (!block) return;
    manifestOf(block);
    ctx.secrets.register(...Object.values(block.secret_env_vars ?? {}));
  },

  async execute(ctx) {
    const { kubernetes_job: block } = ctx.plan;
    if (block) await ctx.step({ name: "job" }, () => runJob(ctx, block));
    else ctx.log.warn("this plan describes no Kubernetes Job, so there is nothing to do; use an action, or a job file");
    return null;
  },

  async outputs(ctx) {
    if (!existsSync(messageFile(ctx))) return { values: {}, sensitive: [] };
    const bytes = new Uint8Array(await Bun.file(messageFile(ctx)).arrayBuffer());
    if (bytes.length >= MESSAGE_LIMIT) {
      throw new RunnerError("job", `the outputs are larger than the ${MESSAGE_LIMIT} bytes that Kubernetes carries`, {
        remedy: "Write large results into a store, and output where they are.",
      });
    }
    return { values: parseOutputs(bytes), sensitive: [] };
  },

  async cleanup(ctx) {
    const { kubernetes_job: block } = ctx.plan;
    if (!block || !existsSync(createdFile(ctx))) return;
    const place = await placeOf(ctx, block);
    const { keep } = boundsOf(block, null);
    const ended = existsSync(endedFile(ctx));
    if (keep > 0 && ended) return ctx.log.info(`the Kubernetes Job ${place.identity.name} stays for ${keep} s`);
    await removeJob(place, place.identity.name);
    if (Object.keys(block.secret_env_vars ?? {}).length > 0) await removeSecret(place);
    if (await untilGone(place, place.identity.name, GONE_MS)) return;
    throw new RunnerError("job", `the Kubernetes Job ${place.identity.name} is being removed, but its pods do not end`);
  },
};

/** In sandbox mode there is no result; outputs are the plan's. */
export const kubejob = withSandboxMode(realWork, async () => null);

/** Limit of Kubernetes for one container's termination message. */
const MESSAGE_LIMIT = 4096;
const GONE_MS = 120_000;

/** Written before the Job is asked for: what cleanup has to look for. */
const createdFile = (ctx: Context) => ctx.workspace.path("created");
/** Written when the Job ended by itself. */
const endedFile = (ctx: Context) => ctx.workspace.path("ended");
const messageFile = (ctx: Context) => ctx.workspace.path("message");

async function placeOf(ctx: Context, block: KubernetesJobBlock): Promise<Place> {
  const { client, target } = await kubeAccess(ctx, block.cluster_info);
  const written = manifestOf(block).metadata?.namespace;
  return { client, namespace: block.namespace || written || target.namespace, identity: identityOf(ctx) };
}

async function runJob(ctx: Context, block: KubernetesJobBlock): Promise<void> {
  const place = await placeOf(ctx, block);
  try {
    await ensureJob(ctx, place, block);
    const end = await waitForJob(ctx, place, block);
    writeFileSync(endedFile(ctx), "", { mode: 0o600 });
    if (end.message !== null) writeFileSync(messageFile(ctx), end.message, { mode: 0o600 });
    ctx.exited(end.code);
  } catch (error) {
    if (!ctx.signal.aborted) throw isAway(error) ? away(place, error) : error;
    throw new StopError(ctx.signal.reason as StopReason);
  }
}

async function ensureJob(ctx: Context, place: Place, block: KubernetesJobBlock): Promise<void> {
  const { namespace, identity } = place;
  const hidden = block.secret_env_vars ?? {};
  const secrets = Object.fromEntries(Object.entries(hidden).map(([name, value]) => [name, value ?? ""]));
  const withSecret = Object.keys(secrets).length > 0;
  let job = await findJob(place, ctx.signal);
  if (job === null) {
    await endOlderAttempts(place, ctx.signal, (text) => ctx.log.info(text));
    writeFileSync(createdFile(ctx), "", { mode: 0o600 });
    if (withSecret) await createSecret(place, secrets, ctx.signal);
    const env = Object.entries(block.env_vars ?? {}).map(([name, value]) => [name, value ?? ""] as const);
    const object = jobObject(manifestOf(block), {
      identity,
      namespace,
      secret: withSecret ? identity.name : null,
      env: Object.fromEntries(env),
      limits: ctx.options.resources,
      ...boundsOf(block, ctx.job.execution_timeout),
    });
    job = await createJob(place, object, ctx.signal);
    ctx.log.info(`made the Kubernetes Job ${namespace}/${identity.name}`);
  } else ctx.log.info(`found the Kubernetes Job ${namespace}/${identity.name} again`);
  if (withSecret) await giveSecretToJob(place, job, ctx.signal);
}

const isAway = (error: unknown): error is KubeError => error instanceof KubeError && error.kind === "unreachable";

const away = ({ client }: Place, error: KubeError) =>
  new RunnerError("unreachable", `the cluster at ${client.target.server} cannot be reached: ${error.message}`, {
    ...(error.remedy === undefined ? {} : { remedy: error.remedy }),
    cause: error,
  });
