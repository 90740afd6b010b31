import { createHash } from "node:crypto";
import type { Clock } from "../../kit/base/clock.ts";
import type { StepReport } from "../../protocol/native.ts";
import type { Work } from "../controlplane/control-plane.ts";
import type { StopReason, ToolRun } from "../handler.ts";
import type { AuditTrail } from "./audit.ts";
import type { JobTrace, JobTraces } from "./job-trace.ts";
import type { Ended } from "./lifecycle.ts";
import type { Vitals } from "./vitals.ts";

/** What is kept of executions beyond their report: numbers, and lines of the audit trail. */
export interface RecorderDeps {
  readonly vitals: Vitals;
  readonly audit: AuditTrail;
  readonly clock: Clock;
  readonly runnerId: string;
  /** null: nobody wants traces. */
  readonly traces?: JobTraces | null;
}

export interface ExecutionRecord {
  /** The execution's work, of which the plan is noted when it comes later. */
  readonly work: Work;
  /** ms since the epoch. */
  readonly startedMs: number;
  /** `present`: the handler has such a step; one that is absent leaves no span. */
  entering(step: string, present?: boolean): void;
  /** The last one entered is over, and none follows at once. */
  left(): void;
  /** Before it is spawned. */
  program(tool: ToolRun, redact: (text: string) => string): void;
  /** A step of the work begins or is over. */
  step(report: StepReport): void;
  /** A tool is over, or was when it was taken up again. */
  programEnded(tool: ToolRun, end: ProgramEnd, redact: (text: string) => string): void;
  /** Name of the key that signed the work; null: none was asked for. */
  signed(signer: string | null): void;
  /** What decided that the job may run, or may not: a rule of the policy. */
  judged(rule: string): void;
  /** The work is over. `ended` null: `stop` says why nothing is reported. */
  over(ended: Ended | null, stop: StopReason | null, redact: (text: string) => string): void;
  /** Reported, cleaned up, forgotten. */
  settled(): void;
}

export interface ProgramEnd {
  readonly code: number | null;
  /** ms since the epoch. */
  readonly startedMs: number;
  readonly durationMs: number;
  /** The step of the work it ran in; empty: none. */
  readonly step: string;
}

/** What a process begins with of an execution. */
export interface RecordStart {
  /** Begun by an earlier process, which counted the begin. */
  readonly resumed: boolean;
  /** An earlier process saw its end too. */
  readonly kept: boolean;
  /** When it began, in whichever process; ms since the epoch. Default: now. */
  readonly sinceMs?: number;
}

/** An argument that is a whole script would make the trail unreadable. */
const ARG_LIMIT = 2_048;
const ARGS_LIMIT = 64;
const NAMES_LIMIT = 512;

export type Recorder = ReturnType<typeof createRecorder>;

export function createRecorder({ vitals, audit, clock, runnerId, traces = null }: RecorderDeps) {
  return (given: Work, { resumed, kept, sinceMs }: RecordStart): ExecutionRecord => {
    const { job, execution } = given;
    const startedMs = clock.now();
    const names = new Set<string>();
    let planHash: string | null = null;
    let programs = 0;
    let rule: string | null = null;
    let signer: string | null = null;
    let step: {
      readonly name: string;
      readonly since: number;
      readonly startMs: number;
      readonly present: boolean;
    } | null = null;
    let last: { readonly outcome: string; readonly error: string | null } | null = null;
    const phase = () => (step?.present ? step.name : "");
    const trace: JobTrace | null =
      traces?.begin(given, { startMs: Math.min(sinceMs ?? startedMs, startedMs), runnerId, phase }) ?? null;
    if (!resumed) vitals.jobBegan(waited(job.created_at, startedMs));
    const leave = (error: string | null = null, told = true) => {
      if (!step) return;
      const ms = clock.monotonic() - step.since;
      vitals.step(step.name, ms);
      if (told && step.present) trace?.phase(step.name, step.startMs, ms, error);
      step = null;
    };
    const loadPlan = given.loadPlan;
    const noting: Work["loadPlan"] =
      loadPlan &&
      (async (signal) => {
        const loaded = await loadPlan(signal);
        if (loaded.ok && loaded.value !== null) planHash = sha256(loaded.value);
        return loaded;
      });

    return {
      work: noting ? { ...given, loadPlan: noting } : given,
      startedMs,
      entering(name, present = true) {
        leave();
        step = { name, since: clock.monotonic(), startMs: clock.now(), present };
      },
      left: () => leave(),
      step: (report) => trace?.step(report),
      programEnded(tool, { code, startedMs: startMs, durationMs, step: work }, redact) {
        if (!trace) return;
        const [program, ...args] = tool.argv;
        const fine = code !== null && (tool.expect ?? [0]).includes(code);
        trace.tool({
          key: tool.key,
          argv: [redact(program), ...shortened(args.map(redact))],
          step: work,
          phase: phase(),
          code,
          fine,
          startMs,
          endMs: startMs + durationMs,
        });
      },
      program(tool, redact) {
        programs += 1;
        const [program, ...args] = tool.argv;
        const env = Object.keys(tool.env).sort().slice(0, NAMES_LIMIT);
        for (const name of env) names.add(name);
        audit.append({
          event: "program",
          execution: execution.id,
          job: job.id,
          program: redact(program),
          args: shortened(args.map(redact)),
          env,
        });
      },
      signed(name) {
        signer = name;
      },
      judged(name) {
        rule = name;
      },
      over(ended, stop, redact) {
        const why = redact(ended?.reason ?? stop?.why ?? "").slice(0, ARG_LIMIT);
        const outcome = ended?.status ?? "lost";
        const failed = outcome === "finished" ? null : why || outcome;
        const abandoned = ended === null && stop?.kind === "abandoned";
        leave(failed, !abandoned);
        if (!abandoned) last = { outcome, error: failed };
        // Left to the next process, or seen to its end by the one before: it is that one's to tell.
        if (kept || abandoned) return;
        vitals.jobEnded(job.type, outcome);
        audit.append({
          event: "job",
          execution: execution.id,
          epoch: execution.epoch,
          job: job.id,
          type: job.type,
          operation: job.operation ?? "",
          group: execution.group,
          runner: runnerId,
          plan_sha256: planHash ?? (given.plan === null ? null : sha256(given.plan)),
          ...(signer === null ? {} : { signer }),
          ...(rule === null ? {} : { policy: rule }),
          programs,
          env: [...names].slice(0, NAMES_LIMIT),
          outcome,
          reason: why,
          started_at: new Date(startedMs).toISOString(),
        });
      },
      settled() {
        leave();
        if (trace && last) trace.over(clock.now(), last.outcome, last.error);
        if (trace) traces?.forget(execution.id);
      },
    };
  };
}

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

function waited(createdAt: string | null | undefined, now: number): number | null {
  const created = Date.parse(createdAt ?? "");
  return Number.isNaN(created) ? null : now - created;
}

function shortened(args: readonly string[]): string[] {
  const short = args
    .slice(0, ARGS_LIMIT)
    .map((arg) => (arg.length > ARG_LIMIT ? `${arg.slice(0, ARG_LIMIT)}… (${arg.length} characters)` : arg));
  return args.length > ARGS_LIMIT ? [...short, `… (${args.length} arguments)`] : short;
}
