import { AsyncLocalStorage } from "node:async_hooks";
import type { WatchedRequest } from "../../kit/http/http.ts";
import { formatTraceparent, parseTraceparent, spanIdOf, traceIdOf } from "../../kit/telemetry/trace-ids.ts";
import type { FinishedSpan, Tracer } from "../../kit/telemetry/tracer.ts";
import type { StepReport } from "../../protocol/native.ts";
import type { Work } from "../controlplane/control-plane.ts";

/** Spans of one execution. Every text handed in is redacted already; times are ms since the epoch. */
export interface JobTrace {
  /** The span that a record of the log belongs to. */
  place(phase: string | undefined, step: string | undefined): { readonly traceId: string; readonly spanId: string };
  phase(name: string, startMs: number, endMs: number, error: string | null): void;
  step(report: StepReport): void;
  tool(run: TracedTool): void;
  over(endMs: number, facts: FinishedSpan["attributes"], error: string | null): void;
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
  readonly spanOf: (...parts: readonly (string | number)[]) => string;
  readonly phase: () => string;
  clients: number;
}

export function createJobTraces(tracer: Tracer, now: () => number = Date.now): JobTraces {
  const live = new Map<string, Live>();
  const scope = new AsyncLocalStorage<Live>();
  /** A span below the lifecycle step that `at` is in now; answers its id and what ends it. */
  const client = (at: Live, word: string) => {
    const startMs = now();
    const spanId = at.spanOf(word, startMs, ++at.clients);
    const phase = at.phase();
    const parentId = phase === "" ? at.spanOf("execution") : at.spanOf("phase", phase);
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
      const spanOf: Live["spanOf"] = (...parts) => spanIdOf(execution.id, execution.epoch, ...parts);
      const trace = traceOf({ tracer, work, traceId, parentId: parent?.spanId ?? null, spanOf, ...at });
      live.set(execution.id, { trace, traceId, spanOf, phase: at.phase, clients: 0 });
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

interface TraceDeps {
  readonly tracer: Tracer;
  readonly work: Work;
  readonly traceId: string;
  readonly parentId: string | null;
  readonly spanOf: Live["spanOf"];
  readonly startMs: number;
  readonly runnerId: string;
}

function traceOf({ tracer, work, traceId, parentId, spanOf, startMs, runnerId }: TraceDeps): JobTrace {
  const { job, execution } = work;
  const root = spanOf("execution");
  // The rest stands on the execution's span: a trace holds thousands of the others.
  const about = { "job.id": job.id };
  const emit = (span: Omit<FinishedSpan, "traceId" | "kind"> & { readonly kind?: FinishedSpan["kind"] }) =>
    tracer.emit({ kind: "internal", ...span, traceId, attributes: { ...about, ...span.attributes } });
  const within = (phase: string, step: string) =>
    step !== "" ? spanOf("step", step) : phase !== "" ? spanOf("phase", phase) : root;
  return {
    place: (phase, step) => ({ traceId, spanId: step ? spanOf("step", step) : phase ? spanOf("phase", phase) : root }),
    phase: (name, from, endMs, error) =>
      emit({ spanId: spanOf("phase", name), parentId: root, name, startMs: from, endMs, attributes: {}, error }),
    step({ name, status, started_at, duration_ms, exit_code }) {
      const from = Date.parse(started_at ?? "");
      if (status === "in-progress" || Number.isNaN(from)) return;
      emit({
        spanId: spanOf("step", name),
        parentId: spanOf("phase", "execute"),
        name,
        startMs: from,
        endMs: from + duration_ms,
        attributes: { "job.step.status": status, "process.exit.code": exit_code },
        error: status === "finished" ? null : `the step ended as ${status}`,
      });
    },
    tool({ key, argv, step, phase, code, fine, startMs: from, endMs }) {
      const program = argv[0]?.split("/").at(-1) ?? "";
      const failed = code === null ? "its exit code was lost" : `${program} exited with ${code}`;
      emit({
        spanId: spanOf("tool", key),
        parentId: within(phase, step),
        name: program,
        startMs: from,
        endMs,
        attributes: {
          "process.executable.name": program,
          "process.command_args": argv,
          "process.exit.code": code,
          "job.tool.key": key,
        },
        error: fine ? null : failed,
      });
    },
    over: (endMs, facts, error) =>
      emit({
        spanId: root,
        parentId,
        name: job.operation ? `${job.type} ${job.operation}` : job.type,
        kind: "consumer",
        startMs,
        endMs,
        attributes: {
          "runner.id": runnerId,
          "job.execution.id": execution.id,
          "job.type": job.type,
          "job.operation": job.operation ?? "",
          "job.group": execution.group,
          "job.execution.epoch": execution.epoch,
          ...facts,
        },
        error,
      }),
  };
}
