/**
 * Retry rules as data (agent-figures.md section 4). `tries` counts all attempts; Infinity = until delivered.
 * A wait is `min(cap, base * 2^n)` with full jitter in its upper half; Retry-After is a lower bound of it.
 * Retried: network errors, timeouts, 408, 429, 5xx and bodies that do not decode. Never retried: other 4xx.
 */
export interface RetryRule {
  readonly tries: number;
  readonly base_ms: number;
  readonly cap_ms: number;
  /** Limit of one attempt. */
  readonly timeout_ms: number;
}

export const RETRY = {
  /** Session, claims, polls: wait for the control plane as long as it takes. */
  connect: { tries: Number.POSITIVE_INFINITY, base_ms: 1_000, cap_ms: 64_000, timeout_ms: 10_000 },
  /** A held claim; `timeout_ms` is added to the hold. */
  claim: { tries: Number.POSITIVE_INFINITY, base_ms: 500, cap_ms: 30_000, timeout_ms: 10_000 },
  /** Lease renewal: often enough to win a lease back, bounded by the lease itself. */
  renew: { tries: Number.POSITIVE_INFINITY, base_ms: 500, cap_ms: 5_000, timeout_ms: 5_000 },
  /** Plan, run and config documents, sources. */
  fetch: { tries: 8, base_ms: 500, cap_ms: 15_000, timeout_ms: 30_000 },
  /** Status of a step: the next one makes it obsolete. */
  status: { tries: 6, base_ms: 250, cap_ms: 5_000, timeout_ms: 10_000 },
  /** Terminal reports: until delivered, from the journal. */
  report: { tries: Number.POSITIVE_INFINITY, base_ms: 500, cap_ms: 30_000, timeout_ms: 15_000 },
  /** Log batches: kept on disk until taken. */
  logs: { tries: Number.POSITIVE_INFINITY, base_ms: 500, cap_ms: 15_000, timeout_ms: 30_000 },
  /** Operator commands: a person waits. */
  operator: { tries: 4, base_ms: 200, cap_ms: 2_000, timeout_ms: 15_000 },
  /** A token for a proof of identity: each try shows a new proof, and AWS' differ by the second they were signed in. */
  exchange: { tries: 5, base_ms: 2_000, cap_ms: 30_000, timeout_ms: 30_000 },
} as const satisfies Record<string, RetryRule>;
