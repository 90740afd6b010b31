/** Which trace and which span of it something belongs to. Ids are lower-case hex: 32 and 16 digits. */
export interface SpanContext {
  readonly traceId: string;
  readonly spanId: string;
  readonly sampled: boolean;
}

/**
 * Ids are made from what they name, not by chance: after a crash the runner knows the ids of spans whose memory it has
 * lost, and both halves agree on the trace of a job without a word about it. A person makes this one with sha256sum.
 */
export const traceIdOf = (jobId: string): string => Bun.SHA256.hash(jobId, "hex").slice(0, 32);

/** The span of a job: the root of its trace. */
export const jobSpanId = (traceId: string): string => `${traceId.slice(0, 14)}${BASE}`;

/**
 * The coordinator's span of one execution of the trace's job: the parent of everything a runner does in it. Digits of
 * the trace that `jobSpanId` leaves over, and the epoch: no hash.
 */
export const executionSpanId = (traceId: string, epoch: number): string =>
  `${traceId.slice(14, 24)}${epoch.toString(16).padStart(4, "0").slice(-4)}${BASE}`;

/** The runner's span of the execution that `parentId` is the coordinator's span of; a base of its own kind. */
export const runnerSpanId = (parentId: string): string => numberedSpanId(parentId, RUNNER);
const RUNNER = 0xfe;

/** The span of what `parts` name, e.g. an execution and a step of its work. xxHash64: ids prove nothing. */
export const spanIdOf = (...parts: readonly (string | number)[]): string => {
  const hex = Bun.hash.xxHash64(parts.join("\u0000")).toString(16).padStart(16, "0");
  // All zeros is the one id that the standard forbids.
  return hex === NO_ID ? "1".padStart(16, "0") : hex;
};
const NO_ID = "0".repeat(16);
const NO_TRACE = "0".repeat(32);

/** As `spanIdOf`, for a span that has numbered ones: their ids need no hash. */
export const baseSpanId = (...parts: readonly (string | number)[]): string =>
  `${spanIdOf(...parts).slice(0, 14)}${BASE}`;
const BASE = "ff";

/** Number `n` (0 to 253) of the spans that belong to `base`, the id of a job's, an execution's or a base span. */
export const numberedSpanId = (base: string, n: number): string => base.slice(0, 14) + HEX[n];

/** The two digits of every byte. */
export const HEX: readonly string[] = Array.from({ length: 256 }, (_, n) => n.toString(16).padStart(2, "0"));

/** W3C Trace Context, version 00. */
export const formatTraceparent = ({ traceId, spanId, sampled }: SpanContext): string =>
  `00-${traceId}-${spanId}-${sampled ? "01" : "00"}`;

/** Without look-aheads, which the engine would interpret. */
const TRACEPARENT = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?$/;

/** null: absent or malformed; the standard has both start a new trace. */
export function parseTraceparent(text: unknown): SpanContext | null {
  if (typeof text !== "string" || !TRACEPARENT.test(text) || text.startsWith("ff")) return null;
  const traceId = text.slice(3, 35);
  const spanId = text.slice(36, 52);
  if (traceId === NO_TRACE || spanId === NO_ID) return null;
  return { traceId, spanId, sampled: (Number.parseInt(text.slice(53, 55), 16) & 1) === 1 };
}
