import { AsyncLocalStorage } from "node:async_hooks";
import type { WatchedRequest } from "../../kit/http/http.ts";
import {
  baseSpanId,
  formatTraceparent,
  numberedSpanId,
  parseTraceparent,
  runnerSpanId,
  spanIdOf,
  traceIdOf,
} from "../../kit/telemetry/trace-ids.ts";
import type { FinishedSpan, Tracer } from "../../kit/telemetry/tracer.ts";
import type { StepReport } from "../../protocol/native.ts";
import type { Work } from "../controlplane/control-plane.ts";
import { PHASES } from "./lifecycle.ts";

/** Their place gives them their ids. */
const STEPS: readonly string[] = [...PHASES, "report", "cleanup"];
/** Number of the first one's id; 0 is the coordinator's. */
const FIRST = 1;
/** A lifecycle step that took less, went well and has nothing below it is no span: a no-op would be half of such. */
const SHORT_MS = 1;

/** Spans of one execution. Every text handed in is redacted already; times are ms since the epoch. */
export interface JobTrace {
  /** The span that a record of the log belongs to. */
  place(phase: string | undefined, step: string | undefined): { readonly traceId: string; readonly spanId: string };
  phase(name: string, startMs: number, ms: number, error: string | null): void;
  step(report: StepReport): void;
  tool(run: TracedTool): void;
  over(endMs: number, outcome: string, error: string | null): void;
}

export interface TracedTool {
  readonly key: string;
  /** Program and arguments, redacted. */
  readonly argv: readonly string[];
  /** Name of the work step it runs in; empty: none. */
  readonly step: string;
  readonly phase: string;
  readonly code: number | null;
  /** The code is one the handler expects. */
  readonly fine: boolean;
  readonly startMs: number;
  readonly endMs: number;
}

/** The traces of all executions of this runner. */
export interface JobTraces {
  /** null: this trace is not recorded. `phase` tells where the execution is when a request is made. */
  begin(
    work: Work,
    at: { readonly startMs: number; readonly runnerId: string; readonly phase: () => string },
  ): JobTrace | null;
  of(executionId: string): JobTrace | null;
  forget(executionId: string): void;
  /** Requests that `work` makes are the execution's. */
  within<T>(executionId: string, work: () => T): T;
  /** The execution fetches something; call what is answered at its end. */
  fetching(executionId: string, name: string, facts: FinishedSpan["attributes"]): (error: string | null) => void;
  /** For the HTTP client: a request begins. */
  began(request: WatchedRequest): { readonly headers: Record<string, string>; end(outcome: RequestEnd): void } | null;
}

interface RequestEnd {
  readonly status: number | null;
  readonly tries: number;
  readonly error: string | null;
}

interface Live {
  readonly trace: JobTrace;
  readonly traceId: string;
  readonly ids: SpanIds;
  readonly phase: () => string;
  clients: number;
}

export function createJobTraces(tracer: Tracer, now: () => number = Date.now): JobTraces {
  const live = new Map<string, Live>();
  const scope = new AsyncLocalStorage<Live>();
  /** A span below the lifecycle step that `at` is in now; answers its id and what ends it. */
  const client = (at: Live, word: string) => {
    const startMs = now();
    const spanId = spanIdOf(at.ids.root, word, startMs, ++at.clients);
    const parentId = at.ids.below(at.phase());
    const end = (name: string, attributes: FinishedSpan["attributes"], error: string | null) =>
      tracer.emit({
        traceId: at.traceId,
        spanId,
        parentId,
        name,
        kind: "client",
        startMs,
        endMs: now(),
        attributes,
        error,
      });
    return { spanId, end };
  };
  return {
    begin(work, at) {
      const { execution } = work;
      const parent = parseTraceparent(execution.sealed.traceparent);
      const traceId = parent?.traceId ?? traceIdOf(execution.jobId);
      if (!tracer.samples(traceId, parent)) return null;
      const ids = spanIds(parent ? runnerSpanId(parent.spanId) : baseSpanId(execution.id, execution.epoch));
      const trace = traceOf({ tracer, work, traceId, parentId: parent?.spanId ?? null, ids, at });
      live.set(execution.id, { trace, traceId, ids, phase: at.phase, clients: 0 });
      return trace;
    },
    of: (executionId) => live.get(executionId)?.trace ?? null,
    forget: (executionId) => void live.delete(executionId),
    within(executionId, work) {
      const known = live.get(executionId);
      return known ? scope.run(known, work) : work();
    },
    fetching(executionId, name, facts) {
      const at = live.get(executionId);
      const span = at && client(at, "fetch");
      return (error) => span?.end(name, facts, error);
    },
    began({ method, tag, path }) {
      const at = scope.getStore();
      if (!at) return null;
      const { spanId, end } = client(at, "request");
      // A path that holds an id would be a name of its own for every job.
      const name = tag.includes("/") ? method : `${method} ${tag}`;
      return {
        headers: { traceparent: formatTraceparent({ traceId: at.traceId, spanId, sampled: true }) },
        end({ status, tries, error }) {
          const facts = {
            "http.request.method": method,
            "url.path": path,
            "http.response.status_code": status,
            "http.request.resend_count": tries > 1 ? tries - 1 : null,
          };
          end(name, facts, error);
        },
      };
    },
  };
}

/** Ids of one execution's spans, and which of its lifecycle steps are worth a span. */
function spanIds(root: string) {
  /** A bit per lifecycle step: something stands below it; it was left out. */
  let parents = 0;
  let absent = 0;
  const place = (phase: string) => STEPS.indexOf(phase);
  return {
    root,
    of: (phase: string) => numberedSpanId(root, FIRST + place(phase)),
    /** What stands below `phase` (of no such name: below none) has this parent. A step with something below is told. */
    below(phase: string): string {
      const n = place(phase);
      if (n < 0 || (absent & (1 << n)) !== 0) return root;
      parents |= 1 << n;
      return numberedSpanId(root, FIRST + n);
    },
    /** `phase` is over, and no span of its own is wanted: false if something stands below it; else nothing ever will. */
    leaveOut(phase: string): boolean {
      const bit = 1 << place(phase);
      if ((parents & bit) !== 0) return false;
      absent |= bit;
      return true;
    },
    step: (name: string) => spanIdOf(root, "step", name),
  };
}
type SpanIds = ReturnType<typeof spanIds>;

interface TraceDeps {
  readonly tracer: Tracer;
  readonly work: Work;
  readonly traceId: string;
  readonly parentId: string | null;
  readonly ids: SpanIds;
  readonly at: { readonly startMs: number; readonly runnerId: string };
}

const NONE = {};

function traceOf({ tracer, work, traceId, parentId, ids, at }: TraceDeps): JobTrace {
  const { job, execution } = work;
  return {
    place: (phase = "", step = "") => ({ traceId, spanId: step === "" ? ids.below(phase) : ids.step(step) }),
    phase(name, from, ms, error) {
      if (ms < SHORT_MS && error === null && ids.leaveOut(name)) return;
      tracer.emit({
        traceId,
        spanId: ids.of(name),
        parentId: ids.root,
        name,
        kind: "internal",
        startMs: from,
        endMs: from + ms,
        attributes: NONE,
        error,
      });
    },
    step({ name, status, started_at, duration_ms, exit_code }) {
      const from = Date.parse(started_at ?? "");
      if (status === "in-progress" || Number.isNaN(from)) return;
      tracer.emit({
        traceId,
        spanId: ids.step(name),
        parentId: ids.below("execute"),
        name,
        kind: "internal",
        startMs: from,
        endMs: from + duration_ms,
        attributes: { "job.id": job.id, "job.step.status": status, "process.exit.code": exit_code },
        error: status === "finished" ? null : `the step ended as ${status}`,
      });
    },
    tool({ key, argv, step, phase, code, fine, startMs: from, endMs }) {
      const program = argv[0]?.split("/").at(-1) ?? "";
      const failed = code === null ? "its exit code was lost" : `${program} exited with ${code}`;
      tracer.emit({
        traceId,
        spanId: spanIdOf(ids.root, "tool", key),
        parentId: step === "" ? ids.below(phase) : ids.step(step),
        name: program,
        kind: "internal",
        startMs: from,
        endMs,
        attributes: {
          "job.id": job.id,
          "process.executable.name": program,
          "process.command_args": argv,
          "process.exit.code": code,
          "job.tool.key": key,
        },
        error: fine ? null : failed,
      });
    },
    over: (endMs, outcome, error) =>
      tracer.emit({
        traceId,
        spanId: ids.root,
        parentId,
        name: job.operation ? `${job.type} ${job.operation}` : job.type,
        kind: "consumer",
        startMs: at.startMs,
        endMs,
        attributes: {
          "job.id": job.id,
          "runner.id": at.runnerId,
          "job.execution.id": execution.id,
          "job.type": job.type,
          "job.operation": job.operation,
          "job.group": execution.group,
          "job.execution.epoch": execution.epoch,
          "job.outcome": outcome,
        },
        error,
      }),
  };
}
