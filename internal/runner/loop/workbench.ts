import { createLimiter, type Limiter } from "../../kit/exec/index.ts";
import type { Work } from "../controlplane/control-plane.ts";
import {
  type CancelLadder,
  DEFAULT_LADDER,
  type Handler,
  type JobLog,
  NO_CLUSTER,
  NO_CONTAINERS,
  type ToolRun,
} from "../handler.ts";
import type { Begin, ExecutionDeps } from "./execution.ts";
import { executionFolder } from "./execution-folder.ts";
import { createContext } from "./job-context.ts";
import { createJobOutput } from "./job-output.ts";
import { createPolicyGate } from "./policy-gate.ts";
import type { ExecutionRecord } from "./recorder.ts";
import { createStepTracker } from "./step-tracker.ts";
import { createToolRunner } from "./tool-runner.ts";

export interface Course {
  /** Aborted when the job is stopped. */
  readonly signal: AbortSignal;
  /** Lifecycle step that runs now. */
  readonly phase: () => string;
  readonly record: ExecutionRecord;
}

/** What one execution works with: its folder, output, steps and tools, and the context made of them for its handler. */
export function createWorkbench(shared: ExecutionDeps, begin: Begin, { signal, phase, record }: Course) {
  const { options, deps, journal, clock, processSignal } = shared;
  const { handler } = begin;
  const { work } = record;
  const ref = work.execution;
  const key = { id: ref.id, epoch: ref.epoch };
  const folder = executionFolder(options.stateDir, key);

  const output = createJobOutput({
    options,
    deps,
    ref,
    folder,
    nonce: begin.nonce,
    place: () => ({ phase: phase(), step: steps.current() }),
    processSignal,
  });
  output.redactor.register(...deps.controlPlane.secrets(ref), ...begin.secrets);
  if (!begin.redactable) output.withhold("what must be redacted is not known any more after a restart");

  const steps = createStepTracker({
    key,
    journal,
    clock,
    changed: (step, id) => {
      shared.changed();
      record.step(step);
      void deps.controlPlane.workStep?.(ref, step, id, processSignal);
    },
  });
  const limiter = handler.limitsItself ? null : limiterOf(work, output.log, begin.nonce !== null);
  const tools = createToolRunner({
    key,
    folder,
    journal,
    clock,
    signal,
    ladder: ladderOf(handler, work),
    openOutput: output.openForTool,
    ...(limiter ? { limit: ({ argv, env, cwd }: ToolRun) => limiter.wrap(argv, env.PATH, cwd) } : {}),
    mark: output.mark,
    ended: (tool, end) => {
      steps.toolEnded(end.code);
      record.programEnded(tool, { ...end, step: steps.current() }, output.redactor.redactText);
      output.wake();
    },
    starting: (tool) => record.program(tool, output.redactor.redactText),
    note: (text) => output.log.info(text),
  });
  const gate = createPolicyGate({ policy: deps.policy ?? null, work, folder, clock, judged: record.judged });
  const context = createContext({
    work,
    handler,
    folder,
    output,
    signal,
    step: steps.run,
    exec: tools.exec,
    exited: steps.toolEnded,
    tools: deps.tools,
    kube: deps.kube ?? NO_CLUSTER,
    cloud: deps.cloud ?? { env: {} },
    containers: deps.containers ?? NO_CONTAINERS,
    sources: shared.sources,
    controlPlane: deps.controlPlane,
    gate,
    control: shared.control,
  });
  return { gate, folder, output, steps, tools, context, limiter };
}

/** null: the job has no limits. */
function limiterOf(work: Work, log: JobLog, resumed: boolean): Limiter | null {
  const { resources } = work.options;
  if (resources === undefined) return null;
  return createLimiter({
    limits: { cpu: resources.cpu, memoryBytes: resources.memory_bytes, pids: resources.pids ?? null },
    name: `runner-${work.execution.id}.${work.execution.epoch}`,
    resumed,
    note: (text, level) => log[level](text),
  });
}

function ladderOf(handler: Handler, work: Work): CancelLadder {
  const ladder = handler.cancel ?? DEFAULT_LADDER;
  return work.options.cancelGraceMs === null ? ladder : { ...ladder, grace_ms: work.options.cancelGraceMs };
}
