import { planSecrets } from "../../kit/secrets/plan-secrets.ts";
import type { JobOperation } from "../../protocol/enums.ts";
import type { ControlPlane, Work } from "../controlplane/control-plane.ts";
import type {
  CloudSettings,
  ContainerSettings,
  Documents,
  Handler,
  JobContext,
  JobOptions,
  KubeSettings,
  PlanGate,
  RunnerControl,
  SourceFetcher,
  SourceScope,
  StateBackend,
  ToolFinder,
} from "../handler.ts";
import { parsePlan } from "../parse-plan.ts";
import type { ExecutionFolder } from "./execution-folder.ts";
import type { createJobOutput } from "./job-output.ts";

export interface ContextDeps {
  readonly work: Work;
  readonly handler: Handler;
  readonly folder: ExecutionFolder;
  readonly output: ReturnType<typeof createJobOutput>;
  readonly signal: AbortSignal;
  readonly step: JobContext<unknown>["step"];
  readonly exec: JobContext<unknown>["exec"];
  readonly exited: JobContext<unknown>["exited"];
  readonly tools: ToolFinder;
  readonly kube: KubeSettings;
  readonly cloud: CloudSettings;
  readonly containers: ContainerSettings;
  readonly sources: (scope: SourceScope) => SourceFetcher;
  readonly controlPlane: ControlPlane;
  readonly gate: PlanGate;
  readonly control: RunnerControl;
}

export interface LazyContext {
  /** Made once: the plan is fetched, parsed, and its secrets registered and sealed. Throws RunnerError. */
  get(): Promise<JobContext<unknown>>;
  /** null: never asked for, or the plan could not be had. */
  made(): JobContext<unknown> | null;
}

/** What a handler gets of one execution. */
export function createContext(deps: ContextDeps): LazyContext {
  let made: JobContext<unknown> | null = null;
  return {
    made: () => made,
    async get() {
      made ??= await makeContext(deps);
      return made;
    },
  };
}

async function makeContext(deps: ContextDeps): Promise<JobContext<unknown>> {
  const { work, handler, folder, output, signal, controlPlane } = deps;
  const { id, epoch } = work.execution;
  const text = await planText(deps);
  const plan = handler.plan === null ? null : parsePlan(handler.plan, text ?? "");
  const seal = () =>
    folder.seal({
      plan: text,
      nonce: output.nonce,
      secrets: output.registered(),
      facts: { ...work.execution.sealed },
      options: sealable(work.options),
    });
  if (handler.plan !== null) output.redactor.register(...planSecrets(plan, work.options.sensitiveVars));
  // Without a plan there is nothing to hide, but its signature is asked for again when a restart runs it again.
  if (handler.plan !== null || work.sealed.signature !== undefined) seal();
  const note = (line: string) => output.log.info(line);
  let state: StateBackend | null = null;
  let documents: Documents | null = null;
  return {
    job: { ...work.job, operation: (work.job.operation ?? "exec") as JobOperation },
    execution: { id, epoch },
    plan,
    options: jobOptions(work.options),
    workspace: workspaceOf(folder),
    signal,
    log: output.log,
    step: deps.step,
    exec: deps.exec,
    output: output.append,
    exited: deps.exited,
    tools: {
      find: deps.tools.find,
      cacheDir: deps.tools.cacheDir,
      providerMirror: deps.tools.providerMirror,
      env: (extra) => ({
        ...deps.tools.env(extra),
        HOME: folder.work,
        TMPDIR: folder.work,
        ...extra,
        ...visibleGpus(work.options.gpus ?? []),
      }),
    },
    kube: deps.kube,
    cloud: deps.cloud,
    containers: deps.containers,
    sources: deps.sources({ executionId: id, signal, note, secret: output.redactor.register }),
    // Most handlers want one of them at most.
    get state() {
      state ??= controlPlane.state(work.execution);
      return state;
    },
    get releases() {
      return controlPlane.releases?.(work.execution) ?? null;
    },
    get documents() {
      documents ??= controlPlane.documents(work.execution);
      return documents;
    },
    policy: deps.gate,
    secrets: {
      register: (...values) => {
        output.redactor.register(...values);
        seal();
      },
    },
    runner: deps.control,
  };
}

/** A program sees the GPUs of its lease and no others, whatever the job says. */
function visibleGpus(gpus: readonly string[]): Record<string, string> {
  if (gpus.length === 0) return {};
  const uuids = gpus.join(",");
  return { CUDA_VISIBLE_DEVICES: uuids, NVIDIA_VISIBLE_DEVICES: uuids };
}

function sealable({ gpus, ...options }: Work["options"]) {
  return {
    ...options,
    sensitiveVars: [...options.sensitiveVars],
    ...(gpus === undefined ? {} : { gpus: [...gpus] }),
  };
}

function jobOptions(options: Work["options"]): JobOptions {
  const { verify, sensitiveVars, cancelGraceMs, resources, outputs, gpus } = options;
  return {
    verify,
    sensitive_vars: sensitiveVars,
    cancel_grace_ms: cancelGraceMs,
    ...(gpus === undefined ? {} : { gpus }),
    ...(resources === undefined ? {} : { resources }),
    ...(outputs === undefined ? {} : { outputs }),
  };
}

async function planText({ work, handler, signal }: ContextDeps): Promise<string | null> {
  if (work.plan !== null || work.loadPlan === null || handler.plan === null) return work.plan;
  const loaded = await work.loadPlan(signal);
  if (!loaded.ok) throw loaded.error;
  return loaded.value;
}

function workspaceOf(folder: ExecutionFolder): JobContext<unknown>["workspace"] {
  const root = () => {
    folder.make();
    return folder.work;
  };
  return {
    get root() {
      return root();
    },
    path: (...parts) => [root(), ...parts].join("/"),
  };
}
