import type { SpanContext } from "./trace-ids.ts";

export type SpanKind = "internal" | "client" | "consumer" | "producer" | "server";
export type SpanValue = string | number | boolean | readonly string[];

/** A span that is over. Times are ms since the epoch, with fractions. Nothing in it may hold a secret. */
export interface FinishedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** null: the root of its trace. */
  readonly parentId: string | null;
  readonly name: string;
  readonly kind: SpanKind;
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Readonly<Record<string, SpanValue | null | undefined>>;
  /** null: it went well; else why not, in a sentence. */
  readonly error: string | null;
}

/**
 * Takes spans that are over. Where tracing is off there is no tracer (null), so nothing is made that nobody wants:
 * spans are told once, at their end, from times that are kept anyway.
 */
export interface Tracer {
  emit(span: FinishedSpan): void;
  /** Whether a trace is recorded. `parent`: who began it, with its decision; null: it begins here. */
  samples(traceId: string, parent: SpanContext | null): boolean;
}
