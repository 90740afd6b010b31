import type { Gpu } from "../kit/base/gpus.ts";
import type { SystemLog } from "../kit/base/system-log.ts";
import type { WatchedFile } from "../kit/base/watched-file.ts";
import type { PolicyFile } from "../kit/policy/index.ts";
import type { TrustedKeys } from "../kit/signing/index.ts";
import type { JobGroup, RunnerMode } from "../protocol/enums.ts";
import type { ExitCode, Result } from "../protocol/errors.ts";
import type { Slots } from "../protocol/native.ts";
import type { RunnerSettings } from "../protocol/nuon/settings.ts";
import type { ControlPlane } from "./controlplane/control-plane.ts";
import type { CloudSettings, ContainerSettings, Handlers, KubeSettings, RunnerControl, ToolFinder } from "./handler.ts";
import type { ExecutionStatusView, SlotView } from "./loop/status.ts";
import type { Tell } from "./loop/teller.ts";

/** Everything the runner half needs; parsed once in cmd/, frozen, passed down. */
export interface RunnerOptions {
  readonly mode: RunnerMode;
  readonly version: string;
  /** As the control plane knows it; for the audit trail. */
  readonly runnerId?: string;
  /** Holds journal, instance id and the folders of executions. One instance per folder. */
  readonly stateDir: string;
  /** Capacity per group. */
  readonly slots: Slots;
  readonly labels: Readonly<Record<string, string>>;
  /** How long a drain may take before running jobs are cancelled; null = as long as they need. */
  readonly drainTimeoutMs: number | null;
  /** Below this much free space in stateDir nothing is claimed. */
  readonly minFreeBytes: number;
  /** Unshipped output kept per job before bytes are dropped with a notice. */
  readonly logCapBytes: number;
  /** Longest wait between the first pending byte of output and its shipping. */
  readonly logIntervalMs: number;
}

export interface RunnerDeps {
  readonly controlPlane: ControlPlane;
  readonly handlers: Handlers;
  readonly tools: ToolFinder;
  /** Default: no cluster. */
  readonly kube?: KubeSettings;
  readonly cloud?: CloudSettings;
  /** Default: no container engine. */
  readonly containers?: ContainerSettings;
  /** Default: every job is allowed. */
  readonly policy?: JobPolicy;
  /** Keys that may sign work. Default: work need not be signed. */
  readonly trust?: WatchedFile<TrustedKeys>;
  /** Finds the GPUs of this machine. Default: it has none. */
  readonly gpus?: () => Promise<Result<Gpu[]>>;
  /** Told when a job runs and when none does any more. */
  readonly occupied?: (busy: boolean) => void;
  /** What jobs about the runner itself may do here. Default: neither. */
  readonly itself?: Pick<RunnerControl, "management" | "ownUpdate">;
  readonly log: SystemLog;
}

/** What the owner of this machine lets jobs do. */
export interface JobPolicy extends PolicyFile {
  /** Host and port of the control plane, which serves packed folders. */
  readonly controlPlane: string;
}

/** What a runner is doing right now; times in milliseconds. */
export interface RunnerStatus {
  readonly instance: string;
  readonly dialect: ControlPlane["dialect"];
  readonly state: "starting" | "ready" | "draining" | "stopped";
  /** When the session was opened, since the epoch; null: not yet. */
  readonly connectedMs: number | null;
  /** Silence after which the control plane takes this runner for gone. */
  readonly offlineMs: number;
  readonly settings: RunnerSettings | null;
  readonly slots: Partial<Record<JobGroup, SlotView>>;
  readonly executions: readonly ExecutionStatusView[];
  /** Writes of the journal that a full disk refused. */
  readonly lostWrites: number;
  /** Lines of the audit trail that could not be written. */
  readonly auditMissing: number;
}

export interface RunnerProcess {
  /** The first session is open and recovery is done. */
  readonly ready: Promise<void>;
  /** Exit code; resolves once everything is stopped and flushed. Never rejects. */
  readonly ended: Promise<ExitCode>;
  status(): RunnerStatus;
  /** What happened to this runner or its machine, for the control plane: once there is a session, one after another. */
  readonly tell: Tell;
  /** First SIGTERM: no new work, finish what runs. */
  drain(why: string): void;
  /** Second: stop running jobs by their ladders, report, end. */
  cancel(why: string): void;
  /** Third: end now, leave tools alive for re-attach at the next start. */
  abandon(why: string): void;
}
