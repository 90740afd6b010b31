/** Which trace and which span of it something belongs to. Ids are lower-case hex: 32 and 16 digits. */
export interface SpanContext {
  readonly traceId: string;
  readonly spanId: string;
  readonly sampled: boolean;
}

/**
 * Ids are made from what they name, not by chance: after a crash the runner knows the ids of spans whose memory it has
 * lost, and both halves agree on the trace of a job without a word about it.
 */
export const traceIdOf = (jobId: string): string => half("trace", jobId) + half("job", jobId);

/** The span of what `parts` name, e.g. an execution, its epoch and a step. */
export const spanIdOf = (...parts: readonly (string | number)[]): string => half(...parts);

/** The coordinator's span of one execution: the parent of everything a runner does in it. */
export const executionSpanId = (executionId: string, epoch: number): string =>
  spanIdOf("coordinator", executionId, epoch);

/** 64 bits as hex. Ids name things and prove nothing: xxHash64 costs a tenth of SHA-256, and a job has two dozen ids. */
function half(...parts: readonly (string | number)[]): string {
  const hex = Bun.hash.xxHash64(parts.join("\u0000")).toString(16).padStart(16, "0");
  // All zeros is the one id that the standard forbids.
  return hex === NO_ID ? "1".padStart(16, "0") : hex;
}
const NO_ID = "0".repeat(16);

/** W3C Trace Context, version 00. */
export const formatTraceparent = ({ traceId, spanId, sampled }: SpanContext): string =>
  `00-${traceId}-${spanId}-${sampled ? "01" : "00"}`;

const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** null: absent or malformed; the standard has both start a new trace. */
export function parseTraceparent(text: unknown): SpanContext | null {
  const [, traceId, spanId, flags] = typeof text === "string" ? (TRACEPARENT.exec(text) ?? []) : [];
  if (!traceId || !spanId || !flags) return null;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}
