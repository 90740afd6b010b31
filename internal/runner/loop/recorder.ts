import { createHash } from "node:crypto";
import type { Clock } from "../../kit/base/clock.ts";
import type { Work } from "../controlplane/control-plane.ts";
import type { StopReason, ToolRun } from "../handler.ts";
import type { AuditTrail } from "./audit.ts";
import type { Ended } from "./lifecycle.ts";
import type { Vitals } from "./vitals.ts";

/** What is kept of executions beyond their report: numbers, and lines of the audit trail. */
export interface RecorderDeps {
  readonly vitals: Vitals;
  readonly audit: AuditTrail;
  readonly clock: Clock;
  readonly runnerId: string;
}

export interface ExecutionRecord {
  /** The execution's work, of which the plan is noted when it comes later. */
  readonly work: Work;
  /** ms since the epoch. */
  readonly startedMs: number;
  entering(step: string): void;
  /** Before it is spawned. */
  program(tool: ToolRun, redact: (text: string) => string): void;
  /** The work is over. `ended` null: `stop` says why nothing is reported. */
  over(ended: Ended | null, stop: StopReason | null, redact: (text: string) => string): void;
}

/** An argument that is a whole script would make the trail unreadable. */
const ARG_LIMIT = 2_048;
const ARGS_LIMIT = 64;
const NAMES_LIMIT = 512;

export type Recorder = ReturnType<typeof createRecorder>;

export function createRecorder({ vitals, audit, clock, runnerId }: RecorderDeps) {
  /** `resumed`: begun by an earlier process, which counted the begin. `kept`: that one saw its end too. */
  return (given: Work, { resumed, kept }: { readonly resumed: boolean; readonly kept: boolean }): ExecutionRecord => {
    const { job, execution } = given;
    const startedMs = clock.now();
    const names = new Set<string>();
    let planHash: string | null = null;
    let programs = 0;
    let step: { readonly name: string; readonly since: number } | null = null;
    if (!resumed) vitals.jobBegan(waited(job.created_at, startedMs));
    const leave = () => {
      if (step) vitals.step(step.name, clock.monotonic() - step.since);
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
      entering(name) {
        leave();
        step = { name, since: clock.monotonic() };
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
      over(ended, stop, redact) {
        leave();
        // Left to the next process, or seen to its end by the one before: it is that one's to tell.
        if (kept || (ended === null && stop?.kind === "abandoned")) return;
        const outcome = ended?.status ?? "lost";
        const reason = ended?.reason ?? stop?.why ?? "";
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
          programs,
          env: [...names].slice(0, NAMES_LIMIT),
          outcome,
          reason: reason === "" ? "" : redact(reason).slice(0, ARG_LIMIT),
          started_at: new Date(startedMs).toISOString(),
        });
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
