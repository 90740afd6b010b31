import type { RetryRule } from "../../protocol/retry.ts";

/** A server may ask for any wait; more than this is a mistake of it, and a person would restart us long before. */
const LONGEST_RETRY_AFTER_MS = 3_600_000;

/**
 * Milliseconds before the next try, `failed` (≥ 1) tries having failed: `min(cap, base * 2^(failed-1))`, its upper half
 * random so that runners which lost the same server do not come back in step; never less than `atLeast`.
 */
export function waitMs(rule: Pick<RetryRule, "base_ms" | "cap_ms">, failed: number, random: () => number, atLeast = 0) {
  const full = Math.min(rule.cap_ms, rule.base_ms * 2 ** Math.min(failed - 1, 40));
  return Math.max(full / 2 + (random() * full) / 2, atLeast);
}

/** Retry-After in milliseconds: seconds or an HTTP date. null when absent or unreadable. */
export function retryAfterMs(header: string | null, now: number): number | null {
  if (header === null) return null;
  const text = header.trim();
  const ms = /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - now;
  return Number.isNaN(ms) ? null : Math.min(Math.max(ms, 0), LONGEST_RETRY_AFTER_MS);
}

/** Statuses of a passing condition. */
export const isRetryable = (status: number): boolean => status === 408 || status === 429 || status >= 500;
