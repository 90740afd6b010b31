import type { z } from "zod";
import type { Engine, Profile } from "../kit/containers/index.ts";
import type { KubeTarget, SpawnCredential } from "../kit/kube/index.ts";
import type { ToolName } from "../kit/tools/index.ts";
import type { AnyJobType, JobOperation, JobType, PluginType } from "../protocol/enums.ts";
import { RunnerError } from "../protocol/errors.ts";
import type { ActionRun, ActionWorkflowConfig } from "../protocol/nuon/actions.ts";
import type { AppConfig } from "../protocol/nuon/app-config.ts";
import type { HelmRelease } from "../protocol/nuon/helm.ts";
import type { ExecutionResultRequest, RunnerJob } from "../protocol/nuon/jobs.ts";
import type { OciRegistry } from "../protocol/nuon/plans.ts";
import type { RunnerSettings } from "../protocol/nuon/settings.ts";

/**
 * The contract between the lifecycle engine and the handlers (DESIGN section 5).
 *
 * Handlers are re-entrant: after a crash of the runner the engine calls the interrupted step again from its start.
 * `exec` remembers by `key` what already ran in this execution: a finished tool is not run twice, a living one is
 * re-attached. So a step keeps nothing in memory that a later step needs; it derives it from ctx or reads it from the
 * workspace, and everything it writes itself may be written again.
 */
export interface Handler<Plan = unknown, Outputs extends object = Record<string, unknown>> {
  readonly types: readonly AnyJobType[];
  /** null: this type has no plan document. */
  readonly plan: z.ZodType<Plan> | null;
  /** Default: TERM to the group, 10 s, KILL to the group. */
  readonly cancel?: CancelLadder;
  /** The handler itself keeps the work within `resources`: its programs only ask others to do it (a container engine). */
  readonly limitsItself?: true;
  /** A lost lease parks the job instead of requeueing it: its side effects cannot be fenced. */
  fetch?(ctx: JobContext<Plan>): Promise<void>;
  validate?(ctx: JobContext<Plan>): Promise<void>;
  initialize?(ctx: JobContext<Plan>): Promise<void>;
  /** null: no result document (GET plan jobs and builds have one). */
  execute(ctx: JobContext<Plan>): Promise<ExecutionResultRequest | null>;
  /** Called only after execute succeeded. */
  outputs?(ctx: JobContext<Plan>): Promise<HandlerOutputs<Outputs>>;
  /** Runs whatever happened, after every tool of the execution has ended. Never changes the outcome. */
  cleanup?(ctx: JobContext<Plan>): Promise<void>;
}

/** A handler for every type of the protocol, and those of the plug-ins. */
export type Handlers = Readonly<Record<JobType, Handler> & Partial<Record<PluginType, Handler>>>;

export interface HandlerOutputs<Outputs extends object> {
  readonly values: Outputs;
  /** Names in `values` that are never shown in clear. */
  readonly sensitive: readonly string[];
}

/** Signals go to the process group of the tool. */
export interface CancelLadder {
  readonly first: "SIGINT" | "SIGTERM";
  readonly grace_ms: number;
  /** Sent just before KILL. */
  readonly last?: "SIGTERM";
}
export const DEFAULT_LADDER: CancelLadder = { first: "SIGTERM", grace_ms: 10_000 };
export const TERRAFORM_LADDER: CancelLadder = { first: "SIGINT", grace_ms: 600_000, last: "SIGTERM" };

export interface JobContext<Plan> {
  readonly job: RunnerJob & { readonly type: string; readonly operation: JobOperation };
  readonly execution: { readonly id: string; readonly epoch: number };
  readonly plan: Plan;
  readonly options: JobOptions;
  /** Private folder of this execution; every path a handler writes lies in it. Made on first use. */
  readonly workspace: { readonly root: string; path(...parts: string[]): string };
  /** Aborted on cancel, timeout, lost lease and shutdown, with a StopReason. */
  readonly signal: AbortSignal;
  readonly log: JobLog;
  /** Step of the work, shown live and in `steps`. Its exit code is that of its last exec. Throws what `work` throws. */
  step<T>(step: WorkStep, work: () => Promise<T>): Promise<T>;
  /**
   * Run a tool to its end. Throws ToolError when its exit code is not in `expect` (or was lost), StopError when the job
   * is being stopped (after the cancel ladder: the tool is dead then).
   */
  exec(tool: ToolRun): Promise<ToolEnd>;
  /** Output of work that is no program of `exec` (a pod's log), whole lines, into the job's log. false: the disk is full. */
  output(lines: string): boolean;
  /** Exit code of such work, for the step that runs now. */
  exited(code: number): void;
  readonly tools: ToolFinder;
  readonly kube: KubeSettings;
  readonly cloud: CloudSettings;
  readonly containers: ContainerSettings;
  readonly sources: SourceFetcher;
  readonly state: StateBackend;
  /** Helm's releases at the control plane; null: this one keeps none. */
  readonly releases: ReleaseStore | null;
  readonly documents: Documents;
  /** What the owner of this machine lets the job do, as far as only the handler's tool can tell. */
  readonly policy: PlanGate;
  readonly secrets: { register(...values: readonly (string | null | undefined)[]): void };
  /** Facts and wishes of the process itself, for operations handlers. */
  readonly runner: RunnerControl;
}

export interface JobOptions {
  readonly verify: boolean;
  readonly sensitive_vars: readonly string[];
  /** What the job file asks of outputs; enforced for every handler by the engine. */
  readonly outputs?: Readonly<Record<string, { readonly required: boolean; readonly sensitive: boolean }>>;
  /** Between the first signal and KILL when the job is stopped, milliseconds; absent or null: the handler's own. */
  readonly cancel_grace_ms?: number | null;
  /** UUIDs of the GPUs that the lease grants; absent: none. */
  readonly gpus?: readonly string[];
  /** Limits of the work; enforced for every program of `exec` by the engine. */
  readonly resources?: { readonly cpu: number | null; readonly memory_bytes: number | null; readonly pids?: number };
}

export interface WorkStep {
  readonly name: string;
  /** Id of the run step on the control plane (actions), for PUT …/steps/{id}. */
  readonly id?: string;
}

export interface JobLog {
  debug(text: string, fields?: LogFields): void;
  info(text: string, fields?: LogFields): void;
  warn(text: string, fields?: LogFields): void;
  error(text: string, fields?: LogFields): void;
}
export type LogFields = Readonly<Record<string, string | number | boolean>>;

export interface ToolRun {
  /** Unique within the execution and stable over restarts, e.g. `init`, `step-0`. */
  readonly key: string;
  /** Program (absolute, or found on the PATH of `env`) and arguments. Never a secret. */
  readonly argv: readonly [string, ...string[]];
  /** Complete environment of the tool. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** File to read stdin from; /dev/null when left out. */
  readonly stdin?: string;
  /** stdout into this file instead of the log (for machine output); stderr still goes to the log. */
  readonly capture?: string;
  /** Exit codes that are not a failure; default [0]. */
  readonly expect?: readonly number[];
}

export interface ToolEnd {
  /** Exit code; 128 + n when a signal ended it; null when it was lost with the machine. */
  readonly code: number | null;
  readonly duration_ms: number;
  /** Last 4 KiB of what the execution's log got while this tool ran, redacted. Empty for a tool that ended before a restart. */
  readonly tail: string;
}

/** A tool ended with a code that was not expected. Catch it to give the job a better one-line reason. */
export class ToolError extends RunnerError {
  readonly key: string;
  readonly end: ToolEnd;

  constructor(key: string, end: ToolEnd, message?: string, remedy?: string) {
    const said = message ?? (end.code === null ? `${key}: exit code lost` : `${key} exited with ${end.code}`);
    super("job", said, remedy === undefined ? {} : { remedy });
    this.name = "ToolError";
    this.key = key;
    this.end = end;
  }
}

/** The job is being stopped: let it pass, the engine knows the outcome from `stop`. */
export class StopError extends Error {
  readonly stop: StopReason;

  constructor(stop: StopReason) {
    super(stop.why);
    this.name = "StopError";
    this.stop = stop;
  }
}

/** Thrown by cleanup: the workspace holds something that is nowhere else (an unsaved state); it is kept, the message says where. */
export class KeepWorkspaceError extends Error {}

export interface ToolFinder {
  /** Absolute path of the tool in exactly this version (any when null). Throws RunnerError kind environment with the remedy. */
  find(name: ToolName, version: string | null): Promise<string>;
  /** Folder that all jobs of this machine share and that outlives them. Nothing half-made may show in it. */
  readonly cacheDir: string;
  /** Folder or https address that every Terraform provider comes from; null: the registries. */
  readonly providerMirror: string | null;
  /** Environment every tool gets: PATH, HOME inside the workspace, LANG, proxy and CA variables, the marker. */
  env(extra: Readonly<Record<string, string>>): Record<string, string>;
}

/** The gate before a saved plan is applied. The plan that a plan job makes is judged by the engine. */
export interface PlanGate {
  /** The policy has rules about it, and it has not passed yet. */
  readonly wanted: () => boolean;
  /** `terraform show -json` of the plan that will be applied. Throws RunnerError policy. */
  readonly terraformPlan: (json: string) => void;
}

/** A runner without a policy. */
export const NO_POLICY: PlanGate = { wanted: () => false, terraformPlan: () => {} };

/** What the runner's operator says about clusters; handlers reach one by `kubeAccess` of handlers/kube. */
export interface KubeSettings {
  /** File of the cluster of jobs that name none, read anew for each job; null: none was given. */
  readonly kubeconfig: string | null;
  /** The cluster this process is a pod of; null: it is no pod. */
  readonly pod: () => KubeTarget | null;
  /** Runs credential plug-ins of the operator's file, with the environment of the runner's user. */
  readonly spawn: SpawnCredential;
  /** The same for a kubeconfig that came with a job, with what its programs get; null: they are refused. */
  readonly spawnForJobs: SpawnCredential | null;
}

/** What the runner's operator says about containers. */
export interface ContainerSettings {
  /** podman or docker, as chosen or found. Throws RunnerError environment with the way to get one. */
  engine(): Engine;
  /** A named relaxation, read anew for each job. Throws RunnerError: `policy` when the operator approved none of that name. */
  profile(name: string): Profile;
  /** Marks the containers of this runner, so that no other removes them. */
  readonly instance: string;
}

/** A runner without a container engine. */
export const NO_CONTAINERS: ContainerSettings = {
  engine: () => {
    throw new RunnerError("environment", "no container runtime found");
  },
  profile: (name) => {
    throw new RunnerError("policy", `there is no container profile ${name}`);
  },
  instance: "",
};

/** A runner without a cluster of its own. */
export const NO_CLUSTER: KubeSettings = {
  kubeconfig: null,
  pod: () => null,
  spawn: () => Promise.reject(new RunnerError("environment", "credential plug-ins are not run here")),
  spawnForJobs: null,
};

/** Where cloud credentials of the runner itself come from; handlers ask by `cloudKeys`. */
export interface CloudSettings {
  /** Of the runner's process: endpoints, region, the token service of a CI job. Never given to a program as it is. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** The job that sources are fetched for. */
export interface SourceScope {
  readonly executionId: string;
  readonly signal: AbortSignal;
  readonly note: (text: string) => void;
  readonly secret: (...values: readonly string[]) => void;
}

export interface SourceFetcher {
  /** Unpack an OCI artifact (one file per layer) into `into`. */
  oci(source: { registry: OciRegistry; tag: string }, into: string): Promise<void>;
  /** Check out a git source into `into`; credentials never in argv or on disk. Returns the commit. */
  git(
    source: { url: string; ref: string; path: string; submodules: boolean; knownHosts?: string | null | undefined },
    into: string,
  ): Promise<string>;
}

export interface StateBackend {
  /** TF_HTTP_* variables of this workspace for this execution; secrets among them are registered already. */
  terraformEnv(workspaceId: string): Record<string, string>;
  /** `terraform show -json` for display (state-json). */
  putStateJson(workspaceId: string, json: Uint8Array): Promise<void>;
  /** Serial and lineage of the state as it is stored now; null: there is none. Throws what makes it unknown. */
  head(workspaceId: string): Promise<{ readonly serial: number; readonly lineage: string } | null>;
  /** Push a state file that terraform could not save (`errored.tfstate`). false: refused or unreachable. */
  pushErrored(workspaceId: string, state: Uint8Array): Promise<boolean>;
  /** Free the lock with exactly this id if this execution holds it; null: whatever lock this execution holds. */
  unlockOwn(workspaceId: string): Promise<void>;
  /** Who holds the lock now; null: nobody, or the server does not say. */
  lockHolder(workspaceId: string): Promise<LockHolder | null>;
}

/** Helm's storage driver `nuon` (nuon-runner-api.md 2.16). What the control plane refuses is thrown. */
export interface ReleaseStore {
  /** All revisions of one release; none when there is no such release. */
  list(at: Omit<ReleaseKey, "key">, name: string): Promise<readonly HelmRelease[]>;
  /** false: there is one of this key already. */
  create(at: ReleaseKey, release: HelmRelease): Promise<boolean>;
  update(at: ReleaseKey, release: HelmRelease): Promise<void>;
  remove(at: ReleaseKey): Promise<void>;
}

export interface ReleaseKey {
  readonly chartId: string;
  readonly namespace: string;
  /** `sh.helm.release.v1.<name>.v<revision>`. */
  readonly key: string;
}

export interface LockHolder {
  /** null: not a job's. */
  readonly jobId: string | null;
  /** `user@host` as Terraform wrote it. */
  readonly who: string;
  /** Terraform's word, such as OperationTypeApply. */
  readonly operation: string;
  /** RFC 3339. */
  readonly since: string;
}

export interface Documents {
  actionRun(installId: string, runId: string): Promise<ActionRun>;
  actionConfig(configId: string): Promise<ActionWorkflowConfig>;
  appConfig(appId: string, configId: string): Promise<AppConfig>;
}

export interface RunnerControl {
  readonly version: string;
  /** As the control plane last gave them; null: there were none yet. */
  settings(): RunnerSettings | null;
  /** Nanoseconds since each group's loop was last checked, 0 the first time (health-check job). */
  checkLoops(): Record<string, number>;
  /** Drain and stop the process once this job has been reported. */
  shutdown(how: "graceful" | "force"): void;
  /** Reads the settings anew; as `settings` when they cannot be had. */
  freshSettings(): Promise<RunnerSettings | null>;
  /** Only of mode mng. */
  readonly management?: Management;
  /** Puts the version in place that the next start of this process is of. Absent: it was not installed by install.sh. */
  readonly ownUpdate?: (id: string, wanted: string) => Promise<ManagedEnd>;
}

/** What mode mng does to the machine and to the runner on it, for jobs of the group management. */
export interface Management {
  /** Ends when the version is healthy, or was rolled back. Again with the same id: joins, or tells how it ended. */
  update(id: string, wanted: string): Promise<ManagedEnd>;
  restart(): Promise<ManagedEnd>;
  /** Power the machine off, once this process has reported its jobs and ended. */
  powerOff(): void;
}

export interface ManagedEnd {
  readonly ok: boolean;
  /** One line for people. */
  readonly text: string;
}

/** Why work is being stopped; `signal.reason` of a JobContext. */
export type StopReason =
  | { readonly kind: "cancelled"; readonly why: string }
  | { readonly kind: "timed-out"; readonly why: string }
  /** The lease is lost: stop the tool, write and report nothing of this epoch. */
  | { readonly kind: "fenced"; readonly why: string }
  /** Third SIGTERM or defect: leave the tool alive for re-attach. */
  | { readonly kind: "abandoned"; readonly why: string };
