import type { LogBatch } from "../../kit/logs/types.ts";
import type { ExecutionStatus, JobGroup, RunnerMode } from "../../protocol/enums.ts";
import type { Result } from "../../protocol/errors.ts";
import type {
  Completion,
  Inventory,
  LeaseRef,
  RenewRequest,
  RunnerEvent,
  Slots,
  StepReport,
} from "../../protocol/native.ts";
import type { RunnerJob } from "../../protocol/nuon/jobs.ts";
import type { RunnerSettings } from "../../protocol/nuon/settings.ts";
import type { Times } from "../../protocol/times.ts";
import type { Documents, JobOptions, ReleaseStore, StateBackend } from "../handler.ts";

/**
 * What the loop needs from a control plane. A dialect translates; it decides nothing about the work.
 * Methods that return a Result never throw for what the network does; they retry by their rule in protocol/retry.ts
 * and return an error only when the rule says stop (4xx, or the signal is aborted).
 */
export interface ControlPlane {
  readonly dialect: "native" | "nuon" | "victoria";

  /** Announce this instance. Waits (back-off, says so once) while the server is away or another instance holds the runner. */
  connect(announcement: Announcement, signal: AbortSignal): Promise<Result<Session>>;

  /** The settings as they are now: after a `settings` wish, or now and then where no wish tells of them. Absent: they never change. */
  settings?(signal: AbortSignal): Promise<Result<RunnerSettings>>;

  /** Next work and wishes. Resolves when there is any, or after the hold. Aborting `signal` is safe: nothing granted is lost. */
  claim(request: ClaimWish, signal: AbortSignal): Promise<Result<Granted>>;

  /** Sign of life and progress of running executions; answers which leases are lost. Called at `renewMs` and on changes of progress. */
  renew(executions: RenewRequest["executions"], signal: AbortSignal): Promise<Result<Renewed>>;

  /** Status of one execution before a lifecycle step (nuon PATCH). Absent: it travels with the next renewal. */
  status?(execution: ExecutionRef, status: ExecutionStatus, signal: AbortSignal): Promise<void>;

  /** Status of a step of the work (action steps on nuon). Absent: it travels with the next renewal. */
  workStep?(execution: ExecutionRef, step: StepReport, id: string | undefined, signal: AbortSignal): Promise<void>;

  /** One batch. `stored` is the position the server has: the shipper goes on from there. */
  logs(execution: ExecutionRef, batch: LogBatch, signal: AbortSignal): Promise<Result<{ readonly stored: number }>>;

  /**
   * Deliver the end. Idempotent; `cleanup` is called by the dialect at its place in the order of the end
   * (native: after `complete`; nuon: before the terminal PATCH).
   */
  complete(
    execution: ExecutionRef,
    completion: Completion,
    cleanup: () => Promise<string | null>,
    signal: AbortSignal,
  ): Promise<Result<{ readonly recorded: boolean; readonly reason: string }>>;

  /**
   * What happened to this runner or its machine. Tried until it is taken or `signal`; an error is a refusal. Absent: this
   * control plane has no place for it.
   */
  tell?(event: RunnerEvent, signal: AbortSignal): Promise<Result<void>>;

  /** The plan of an execution taken up again after a restart, where `Work.loadPlan` is gone. Absent: it came with the claim. */
  plan?(execution: ExecutionRef, signal: AbortSignal): Promise<Result<string | null>>;

  documents(execution: ExecutionRef): Documents;
  state(execution: ExecutionRef): StateBackend;
  /** Absent: this control plane keeps no releases of helm. */
  releases?(execution: ExecutionRef): ReleaseStore;
  /** Secrets of this dialect that may show up in output (tokens); registered before the first log byte. */
  secrets(execution: ExecutionRef): readonly string[];
  /** Whom to tell of a secret that came later: running jobs must hide it too. Absent: none ever comes. */
  onSecret?(tell: (secret: string) => void): void;
}

export interface Announcement {
  readonly instanceId: string;
  readonly mode: RunnerMode;
  readonly version: string;
  readonly inventory: Inventory;
  readonly slots: Slots;
  readonly jobTypes: readonly string[];
  /** `jobId` spares a nuon server's dialect a guess: its executions are found through their job. */
  readonly held: readonly (LeaseRef & { readonly jobId?: string })[];
  /** Start of this process, or of the oldest execution taken up again (ms since the epoch); nuon's alive_time counts from it. */
  readonly aliveSince: number;
}

export interface Session {
  readonly settings: RunnerSettings;
  readonly times: Times;
  readonly held: readonly {
    readonly execution_id: string;
    readonly verdict: "continue" | "cancel" | "stop";
    readonly reason: string;
    readonly leaseTtlMs: number | null;
  }[];
}

export interface ClaimWish {
  /** Journalled by the caller before this call. */
  readonly key: string;
  readonly slots: Slots;
  readonly groups: readonly JobGroup[];
  /** Last directive seen. */
  readonly after: number;
  /** Longest hold in ms; the control plane's own when left out. 0: only what is there, or was granted to this key. */
  readonly waitMs?: number;
}

export interface Granted {
  readonly work: readonly Work[];
  readonly directives: readonly Wish[];
  readonly after: number;
}

export type Wish =
  | { readonly kind: "cancel"; readonly execution_id: string; readonly reason: string }
  | { readonly kind: "drain"; readonly reason: string }
  | { readonly kind: "settings" };

/** Everything needed to run one execution. `plan` undefined: fetched in the fetch step by `loadPlan`. */
export interface Work {
  readonly job: RunnerJob;
  readonly execution: ExecutionRef;
  readonly leaseTtlMs: number;
  readonly plan: string | null;
  readonly loadPlan: ((signal: AbortSignal) => Promise<Result<string | null>>) | null;
  readonly options: {
    readonly verify: boolean;
    readonly cancelGraceMs: number | null;
    readonly sensitiveVars: readonly string[];
    readonly resources?: NonNullable<JobOptions["resources"]>;
    readonly outputs?: NonNullable<JobOptions["outputs"]>;
    readonly gpus?: readonly string[];
  };
  /** Dialect's own facts to keep with the execution (credentials, documents); goes into its 0600 file, given back after a restart. */
  readonly sealed: Readonly<Record<string, unknown>>;
}

export interface ExecutionRef {
  readonly id: string;
  readonly jobId: string;
  readonly epoch: number;
  readonly logStreamId: string | null;
  readonly group: JobGroup;
  readonly jobType: string;
  readonly sealed: Readonly<Record<string, unknown>>;
}

export interface Renewed {
  readonly leases: readonly { readonly execution_id: string; readonly ttlMs: number }[];
  readonly lost: readonly { readonly execution_id: string; readonly reason: string }[];
  readonly directives: readonly Wish[];
  readonly after: number;
}
