import type { JobGroup } from "../../protocol/enums.ts";
import type { Claim } from "../../protocol/native.ts";
import type { ActionRun, ActionWorkflowConfig } from "../../protocol/nuon/actions.ts";
import type { AppConfig } from "../../protocol/nuon/app-config.ts";
import type { ExecutionRow, JobRow } from "./statements.ts";

/** What a job asks of a runner beyond its group. */
export interface JobRequires {
  readonly arch?: string;
  readonly gpus?: number;
  readonly labels?: Readonly<Record<string, string>>;
  /** Only our own runner can take it: a packed folder, a script, a container, a plug-in. */
  readonly native?: boolean;
  /** `native` only because the coordinator speaks plain HTTP. */
  readonly plain_http?: boolean;
}

/** A job that ended well, with the execution that did it. Rows as they were before. */
export interface FinishedJob {
  readonly job: JobRow;
  readonly execution: ExecutionRow;
  /** ms since the epoch. */
  readonly endedMs: number;
}

export type JobOptions = Claim["options"];

/** A job as the compiler hands it over; ids inside documents are made by the compiler (`newId`). */
export interface NewJob {
  readonly id: string;
  readonly changeId: string | null;
  readonly name: string;
  readonly type: string;
  readonly group: JobGroup;
  readonly operation: string;
  /** Only this runner may take it. */
  readonly runnerId: string | null;
  readonly ownerId: string;
  readonly ownerType: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly requires: JobRequires;
  readonly options: JobOptions;
  readonly workspaceId: string | null;
  readonly executionTimeoutMs: number;
  /** Default 24 h. */
  readonly queueTimeoutMs?: number;
  readonly maxExecutions: number;
  /** null: a type without a plan. */
  readonly plan: string | null;
  readonly documents: {
    readonly action_run: ActionRun | null;
    readonly action_config: ActionWorkflowConfig | null;
    readonly app_config: AppConfig | null;
  };
  /** Ids of documents and plan are the submitter's: nobody finds the job by them, only who works on it. */
  readonly exact?: boolean;
  /** Further JSON documents kept with the job by kind, never sent to a runner (for example the job file as `spec`). */
  readonly extra?: Readonly<Record<string, unknown>>;
  readonly createdBy: string;
}

/** A transition that was refused; it is recorded as event `refused:<transition>`. */
export interface Refusal {
  readonly code: "not_found" | "illegal" | "stale_epoch" | "not_yours" | "busy";
  readonly message: string;
}

export interface Recorded {
  readonly execution_id: string;
  readonly recorded: boolean;
  readonly job_status: string;
  readonly reason: string;
}
