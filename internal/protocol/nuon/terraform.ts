import { z } from "zod";
import { anyObject, bool, foldedObject, int, partFields, str } from "./base.ts";
import { runnerJob } from "./jobs.ts";

/** Lock document terraform sends to lock and unlock; the Go server answers it with lower-case keys. */
export const lockDocument = foldedObject({
  ID: str,
  Operation: str,
  Info: str,
  Who: str,
  Version: str,
  /** RFC 3339 with nanoseconds. */
  Created: str,
  Path: str,
  /** Ours, in the answer to a lock that is held: who has it since when. */
  runner_id: str,
  job_id: str,
  execution_id: str,
  locked_at: str,
});
export type LockDocument = z.infer<typeof lockDocument>;

/** The lock as the server keeps it: names in lower case. */
const storedLock = z.looseObject({
  id: str,
  operation: str,
  info: str,
  who: str,
  version: z.unknown().optional(),
  created: str,
  path: str,
});

/** A workspace's row; `lock_history` is null even while it is locked. */
export const workspaceRow = z.looseObject({
  ...partFields,
  owner_id: str,
  owner_type: str,
  lock_history: z
    .array(
      z.looseObject({
        ...partFields,
        workspace_id: str,
        lock: storedLock.nullish(),
        runner_job_id: str,
        runner_job: runnerJob.nullish(),
      }),
    )
    .nullish(),
});

/** POST /v1/terraform-workspaces: both are required, one workspace per owner. */
export const workspaceRequest = z.looseObject({ owner_id: z.string().min(1), owner_type: z.string().min(1) });

const stateResource = z.looseObject({
  module: str,
  mode: str,
  type: str,
  name: str,
  provider: str,
  each: str,
  instances: z
    .array(
      z.looseObject({
        index_key: z.unknown().optional(),
        status: str,
        deposed: str,
        schema_version: int,
        attributes: anyObject.nullish(),
        attributes_flat: anyObject.nullish(),
        sensitive_attributes: z.array(z.unknown()).nullish(),
        identity_schema_version: int,
        private: str,
        dependencies: z.array(z.string()).nullish(),
        create_before_destroy: bool,
      }),
    )
    .nullish(),
});

/** A terraform state file, as far as a backend looks into it. It is stored byte for byte, never re-encoded. */
export const stateDocument = z.looseObject({
  version: int,
  terraform_version: str,
  serial: int,
  lineage: str,
  outputs: z.record(z.string(), z.looseObject({ value: z.unknown(), type: z.unknown(), sensitive: bool })).nullish(),
  resources: z.array(stateResource).nullish(),
  check_results: z.array(anyObject).nullish(),
});
export type StateDocument = z.infer<typeof stateDocument>;

/** POST …/state-json: a JSON string holding standard base64 of `terraform show -json` (nuon-handlers.md 4.4). */
export const stateJsonBody = z.string();
export const stateJsonAnswer = z.looseObject({ message: str });

/** Answer of lock, unlock and state writes: `""` on the real server, `{}` from ours (the Go SDK cannot read `""`). */
export const emptyAnswer = z.union([z.literal(""), z.looseObject({})]);
