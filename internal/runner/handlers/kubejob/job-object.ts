import { z } from "zod";
import { RunnerError } from "../../../protocol/errors.ts";
import { nsToMs } from "../../../protocol/nuon/base.ts";
import type { KubernetesJobBlock } from "../../../protocol/nuon/plans.ts";
import type { JobContext } from "../../handler.ts";

/** What a Job of ours is called and how it is found again: by execution, and older attempts by job. */
export interface JobIdentity {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}
export const LABELS = { job: "runner/job", execution: "runner/execution", epoch: "runner/epoch" } as const;

export function identityOf({
  job,
  execution,
  plan,
}: Pick<JobContext<{ component_name?: string | null | undefined }>, "job" | "execution" | "plan">): JobIdentity {
  const slug = (plan.component_name ?? "")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, 28)
    .replace(/^-|-$/g, "");
  const id = `${execution.id}-${execution.epoch}`
    .toLowerCase()
    .replace(/[^a-z0-9-]/g, "-")
    .slice(-34);
  return {
    name: `${slug || "job"}-${id}`,
    labels: {
      "app.kubernetes.io/managed-by": "runner",
      [LABELS.job]: labelText(job.id),
      [LABELS.execution]: labelText(execution.id),
      [LABELS.epoch]: String(execution.epoch),
    },
  };
}

/** Ids of other control planes may be anything; a label is 63 characters of a few kinds. */
const labelText = (id: string) =>
  id
    .replace(/[^A-Za-z0-9_.-]/g, "_")
    .slice(0, 63)
    .replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, "");

const container = z.looseObject({
  name: z.string(),
  image: z.string().min(1),
  env: z.array(z.looseObject({ name: z.string() })).nullish(),
  envFrom: z.array(z.unknown()).nullish(),
  resources: z.looseObject({ limits: z.record(z.string(), z.unknown()).nullish() }).nullish(),
});
const template = z.looseObject({
  metadata: z.looseObject({ labels: z.record(z.string(), z.string()).nullish() }).nullish(),
  spec: z.looseObject({ containers: z.array(container).min(1), restartPolicy: z.enum(["Never", "OnFailure"]) }),
});
const jobManifest = z.looseObject({
  apiVersion: z.literal("batch/v1"),
  kind: z.literal("Job"),
  metadata: z
    .looseObject({
      namespace: z.string().nullish(),
      labels: z.record(z.string(), z.string()).nullish(),
      annotations: z.record(z.string(), z.string()).nullish(),
    })
    .nullish(),
  spec: z.looseObject({ template, activeDeadlineSeconds: z.number().nullish() }),
});
export type JobManifest = z.infer<typeof jobManifest>;

/** The Job of a plan. Throws RunnerError (job) that names the key. */
export function manifestOf(block: KubernetesJobBlock): JobManifest {
  const parsed = jobManifest.safeParse(block.job);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new RunnerError(
    "job",
    `the Kubernetes Job cannot be used: ${issue?.path.join(".") || "job"}: ${issue?.message}`,
    {
      remedy: "A batch/v1 Job has spec.template.spec.containers and restartPolicy Never or OnFailure.",
    },
  );
}

export interface JobWishes {
  readonly identity: JobIdentity;
  readonly namespace: string;
  /** Secret with variables of the first container; null: none. */
  readonly secret: string | null;
  readonly env: Readonly<Record<string, string>>;
  readonly limits: JobContext<unknown>["options"]["resources"] | undefined;
  /** Ends it when no runner does. */
  readonly deadlineSeconds: number;
  /** Removes it when no runner does, this long after its end. */
  readonly ttlSeconds: number;
}

/** The object to create: named, labelled and bounded by us, the rest as it was written. */
export function jobObject({ metadata, spec, ...rest }: JobManifest, wishes: JobWishes): Record<string, unknown> {
  const { identity, namespace } = wishes;
  const [first, ...others] = spec.template.spec.containers;
  const labels = (given: Readonly<Record<string, string>> | null | undefined) => ({ ...given, ...identity.labels });
  return {
    ...rest,
    metadata: {
      name: identity.name,
      namespace,
      labels: labels(metadata?.labels),
      ...(metadata?.annotations ? { annotations: metadata.annotations } : {}),
    },
    spec: {
      ...spec,
      activeDeadlineSeconds: Math.min(spec.activeDeadlineSeconds ?? Number.POSITIVE_INFINITY, wishes.deadlineSeconds),
      ttlSecondsAfterFinished: wishes.ttlSeconds,
      template: {
        ...spec.template,
        metadata: { ...spec.template.metadata, labels: labels(spec.template.metadata?.labels) },
        spec: {
          ...spec.template.spec,
          containers: [...(first ? [firstContainer(first, wishes)] : []), ...others],
        },
      },
    },
  };
}

/** Kubernetes would put variables in place of $(NAME) in a value: a doubled $ is one. */
function firstContainer(one: z.infer<typeof container>, { secret, env, limits }: JobWishes): Record<string, unknown> {
  const added = Object.entries(env).map(([name, value]) => ({ name, value: value.replaceAll("$", () => "$$") }));
  const names = new Set(added.map(({ name }) => name));
  return {
    ...one,
    env: [...(one.env ?? []).filter(({ name }) => !names.has(name)), ...added],
    ...(secret === null ? {} : { envFrom: [...(one.envFrom ?? []), { secretRef: { name: secret } }] }),
    ...(limits === undefined
      ? {}
      : { resources: { ...one.resources, limits: { ...one.resources?.limits, ...limitsOf(limits) } } }),
  };
}

function limitsOf({ cpu, memory_bytes: memory }: NonNullable<JobWishes["limits"]>): Record<string, string> {
  return {
    ...(cpu === null ? {} : { cpu: `${Math.max(1, Math.round(cpu * 1000))}m` }),
    ...(memory === null ? {} : { memory: String(memory) }),
  };
}

/** Beyond what the runner itself waits, so that the runner ends it first when it is there. */
const MARGIN_S = 60;
const DAY_S = 24 * 3600;
/** 68 years. Kubernetes takes no more for the one, and counts the other in nanoseconds of 64 bits: longer would be over at once. */
const LONGEST_S = 2 ** 31 - 1;

/** How long a Job may run and stay without a runner. */
export function boundsOf(block: KubernetesJobBlock, executionTimeoutNs: number | null | undefined) {
  const timeout = nsToMs(executionTimeoutNs) / 1000;
  const keep = Math.min(Math.ceil(nsToMs(block.keep) / 1000), LONGEST_S);
  const deadlineSeconds = Math.min(Math.ceil(timeout || DAY_S) + MARGIN_S, LONGEST_S);
  return { deadlineSeconds, ttlSeconds: keep || 3600, keep };
}
