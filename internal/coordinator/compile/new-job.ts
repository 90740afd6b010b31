import { newId } from "../../protocol/ids.ts";
import type { Submission } from "../../protocol/operator.ts";
import type { NewJob } from "../store/types.ts";
import type { CompiledJob } from "./compiled.ts";

/** Kinds of documents that stay with a job and are never sent to a runner. */
export const JOB_EXTRA = {
  /** The submission, so that the work can be submitted again. Holds resolved secrets, as the plan does. */
  submission: "submission",
  /** Digests of the manifests its executions may read. */
  sources: "sources",
} as const;

/** A compiled job as the store takes it. */
export function toNewJob(
  job: CompiledJob,
  about: { readonly changeId: string | null; readonly createdBy: string; readonly submission: Submission },
): NewJob {
  return {
    id: newId("job"),
    changeId: about.changeId,
    name: job.name,
    type: job.type,
    group: job.group,
    operation: job.operation,
    runnerId: job.runnerId,
    ownerId: job.ownerId,
    ownerType: job.ownerType,
    metadata: job.metadata,
    requires: { ...defined(job.requires), ...onlyOurs(job) },
    options: job.options,
    workspaceId: job.workspace?.id ?? null,
    queueTimeoutMs: job.timeouts.queueMs,
    executionTimeoutMs: job.timeouts.executionMs,
    maxExecutions: job.maxExecutions,
    plan: job.plan,
    documents: job.documents,
    exact: job.exact,
    extra: { [JOB_EXTRA.sources]: job.sources, [JOB_EXTRA.submission]: about.submission },
    createdBy: about.createdBy,
  };
}

function onlyOurs({ native, plainHttp }: CompiledJob): Pick<NewJob["requires"], "native" | "plain_http"> {
  if (native) return { native };
  return plainHttp ? { native: true, plain_http: true } : {};
}

function defined(requires: CompiledJob["requires"]): { arch?: string; gpus?: number; labels?: Record<string, string> } {
  const { arch, gpus, labels } = requires;
  return {
    ...(arch === undefined ? {} : { arch }),
    ...(gpus === undefined ? {} : { gpus }),
    ...(labels === undefined ? {} : { labels }),
  };
}
