import { z } from "zod";
import { newId } from "../../protocol/ids.ts";
import { claim } from "../../protocol/native.ts";
import { appConfig } from "../../protocol/nuon/app-config.ts";
import { JOB_EXTRA } from "../compile/new-job.ts";
import type { JobRow } from "../store/statements.ts";
import type { Store } from "../store/store.ts";
import type { NewJob } from "../store/types.ts";
import { applyPlanText } from "./apply-plan.ts";

const requires = z.object({
  arch: z.string().exactOptional(),
  gpus: z.number().exactOptional(),
  labels: z.record(z.string(), z.string()).exactOptional(),
  native: z.boolean().exactOptional(),
});

/** The job that applies what `planJob` saved. */
export function applyJob(store: Store, planJob: JobRow, contents: string): NewJob {
  const documents = new Map(store.sql.documents.all(planJob.id).map((row) => [row.kind, row.json]));
  const config = appConfig.parse(JSON.parse(documents.get("app_config") ?? "{}"));
  // Documents are found by their id alone: two jobs cannot share one.
  const configId = newId("appConfig");
  const metadata = z.record(z.string(), z.string()).parse(JSON.parse(planJob.metadata));
  return {
    id: newId("job"),
    changeId: planJob.change_id,
    name: planJob.name,
    type: planJob.type,
    group: planJob.job_group,
    operation: "apply-plan",
    runnerId: planJob.runner_id,
    ownerId: planJob.owner_id,
    ownerType: planJob.owner_type,
    metadata: { ...metadata, operation: "apply-plan" },
    requires: requires.parse(JSON.parse(planJob.requires)),
    options: claim.shape.options.parse(JSON.parse(planJob.options)),
    workspaceId: planJob.workspace_id,
    queueTimeoutMs: planJob.queue_timeout_ms,
    executionTimeoutMs: planJob.execution_timeout_ms,
    // A saved plan fits one state: applied twice it is stale.
    maxExecutions: 1,
    plan: applyPlanText(store.sql.plan.get(planJob.id)?.text ?? "{}", contents, configId),
    documents: { action_run: null, action_config: null, app_config: { ...config, id: configId } },
    extra: { [JOB_EXTRA.sources]: JSON.parse(documents.get(JOB_EXTRA.sources) ?? "[]") },
    createdBy: planJob.created_by,
  };
}
