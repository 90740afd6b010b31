import { z } from "zod";
import { kubeObject } from "../../../kit/kube/index.ts";

/** What is read of Kubernetes' objects (kubernetes.io, API reference 1.34); everything else is let pass. */
const text = z.string().nullish();

const condition = z.looseObject({ type: z.string(), status: z.string(), reason: text, message: text });

export const jobShape = kubeObject.extend({
  status: z
    .looseObject({
      active: z.number().nullish(),
      failed: z.number().nullish(),
      conditions: z.array(condition).nullish(),
    })
    .nullish(),
});
export type Job = z.infer<typeof jobShape>;

const containerStatus = z.looseObject({
  name: z.string(),
  image: text,
  restartCount: z.number().nullish(),
  state: z
    .looseObject({
      waiting: z.looseObject({ reason: text, message: text }).nullish(),
      running: z.looseObject({ startedAt: text }).nullish(),
      terminated: z
        .looseObject({ exitCode: z.number(), signal: z.number().nullish(), reason: text, message: text })
        .nullish(),
    })
    .nullish(),
});
export type ContainerStatus = z.infer<typeof containerStatus>;

export const podShape = kubeObject.extend({
  metadata: z.looseObject({
    name: z.string(),
    uid: z.string(),
    creationTimestamp: text,
    deletionTimestamp: text,
  }),
  spec: z.looseObject({
    containers: z.array(
      z.looseObject({
        name: z.string(),
        env: z.array(z.looseObject({ name: z.string() })).nullish(),
        resources: z.looseObject({ limits: z.record(z.string(), z.string()).nullish() }).nullish(),
      }),
    ),
    initContainers: z.array(z.looseObject({ name: z.string() })).nullish(),
    nodeName: text,
    restartPolicy: text,
  }),
  status: z
    .looseObject({
      phase: text,
      reason: text,
      message: text,
      conditions: z.array(condition).nullish(),
      containerStatuses: z.array(containerStatus).nullish(),
      initContainerStatuses: z.array(containerStatus).nullish(),
    })
    .nullish(),
});
export type Pod = z.infer<typeof podShape>;

export const eventShape = z.looseObject({
  type: text,
  reason: text,
  message: text,
  lastTimestamp: text,
  eventTime: text,
  metadata: z.looseObject({ creationTimestamp: text }).nullish(),
});
export type KubeEvent = z.infer<typeof eventShape>;

export const listOf = <T extends z.ZodType>(item: T) => z.looseObject({ items: z.array(item) });

/** Everything seen of a Job at one moment. */
export interface Look {
  readonly job: Job;
  /** Oldest first. */
  readonly pods: readonly Pod[];
  /** Warnings about the Job itself and about pods that have not started, oldest first. */
  readonly warnings: readonly KubeEvent[];
}

/** Both kinds of containers of a pod, in the order they start. */
export const statusesOf = (pod: Pod): readonly ContainerStatus[] => [
  ...(pod.status?.initContainerStatuses ?? []),
  ...(pod.status?.containerStatuses ?? []),
];

export const conditionOf = (of: Job | Pod, type: string) =>
  of.status?.conditions?.find((one) => one.type === type && one.status === "True") ?? null;

/** Succeeded, failed, or gone from its node. */
export const podIsOver = (pod: Pod): boolean => pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
