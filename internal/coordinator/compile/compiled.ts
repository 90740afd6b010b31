import type { AnyJobType, JobGroup, JobOperation } from "../../protocol/enums.ts";
import type { JobFile } from "../../protocol/job-file.ts";
import type { Claim } from "../../protocol/native.ts";
import type { JobTimeouts } from "./timeouts.ts";

/** A wire job with everything a runner will ask for, before it has an id: what the store keeps. */
export interface CompiledJob {
  readonly name: string;
  readonly type: AnyJobType;
  readonly group: JobGroup;
  readonly operation: JobOperation;
  readonly ownerId: string;
  readonly ownerType: string;
  /** nuon-runner-api.md 4.3. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly timeouts: JobTimeouts;
  readonly maxExecutions: number;
  /** Plan text with placeholders (see render-plan.ts), null for a type without a plan. */
  readonly plan: string | null;
  readonly documents: Claim["documents"];
  /** The ids in plan and documents are the submitter's, and may be those of another job. */
  readonly exact: boolean;
  readonly options: Claim["options"];
  readonly requires: NonNullable<JobFile["requires"]>;
  /** Only this runner may take it. */
  readonly runnerId: string | null;
  /** Digests of the manifests its execution may read from `/v2/`. */
  readonly sources: readonly string[];
  /** A Go runner could not run it: it does not know packed folders of steps, inner folders, or our types. */
  readonly native: boolean;
  /** It could, if only the coordinator spoke TLS: it fetches sources over https alone. */
  readonly plainHttp?: boolean;
  readonly workspace: { readonly id: string; readonly name: string } | null;
}

export interface CompiledSubmission {
  readonly job: CompiledJob;
  /** Set when `job` is the plan job of a change. */
  readonly change: {
    readonly approval: "automatic" | "required";
    readonly operation: "apply" | "destroy";
    /** How long it waits for a person, milliseconds; null: the coordinator's. */
    readonly approvalMs: number | null;
  } | null;
}

export const NO_DOCUMENTS: Claim["documents"] = { action_run: null, action_config: null, app_config: null };
