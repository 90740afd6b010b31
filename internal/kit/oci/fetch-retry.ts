import { RunnerError, reasonOf } from "../../protocol/errors.ts";
import type { RetryRule } from "../../protocol/retry.ts";
import { type Clock, systemClock } from "../base/clock.ts";

export type Fetch = (url: string, init: BunFetchRequestInit) => Promise<Response>;

export interface RetryOptions {
  readonly rule: RetryRule;
  readonly fetch: Fetch;
  readonly signal?: AbortSignal | undefined;
  readonly clock?: Clock | undefined;
  /** 0 … 1, for the jitter. */
  readonly random?: () => number;
}

/**
 * GET with the retry rule: network errors, 408, 429 and 5xx are tried again, Retry-After is obeyed as a lower bound.
 * The rule's limit is for the head of the answer; `bodyOf` guards the rest. Any other status is the caller's to judge.
 * Throws RunnerError: `unreachable` when the tries are used up, `cancelled` on abort.
 */
export async function fetchRetry(url: string, init: BunFetchRequestInit, options: RetryOptions): Promise<Response> {
  const { rule, signal, clock = systemClock, random = Math.random } = options;
  for (let tried = 1; ; tried++) {
    const head = new AbortController();
    const stop = AbortSignal.any(signal ? [head.signal, signal] : [head.signal]);
    const timer = setTimeout(() => head.abort(new Error(`no answer within ${rule.timeout_ms} ms`)), rule.timeout_ms);
    let reason: string;
    let after = 0;
    try {
      const response = await options.fetch(url, { ...init, signal: stop, timeout: false });
      if (!mayHelp(response.status)) return response;
      reason = `the server answered ${response.status}`;
      after = retryAfter(response, clock.now());
      await response.body?.cancel();
    } catch (error) {
      reason = reasonOf(head.signal.aborted ? head.signal.reason : error);
    } finally {
      clearTimeout(timer);
    }
    if (signal?.aborted) throw cancelled(url);
    if (untrusted(reason)) throw distrust(url, reason);
    if (tried >= rule.tries) {
      throw new RunnerError("unreachable", `${placeOf(url)} could not be fetched: ${reason} (tried ${tried} times)`, {
        remedy: "check the network, proxy and certificate settings of this machine",
      });
    }
    const wait = Math.min(rule.cap_ms, rule.base_ms * 2 ** (tried - 1)) * (0.5 + random() / 2);
    await clock.sleep(Math.max(wait, after), signal);
    if (signal?.aborted) throw cancelled(url);
  }
}

/**
 * The body of an answer that goes on where it broke off: after an error or a silence of `rule.timeout_ms` the rest is
 * asked for with `again`; a server that answers with all of it (200) has the front dropped. Nothing is read ahead.
 */
export async function* resumingBody(
  first: Response,
  again: (from: number) => Promise<Response>,
  rule: RetryRule,
): AsyncGenerator<Uint8Array> {
  let sent = 0;
  let response = first;
  for (let tried = 1; ; tried++) {
    let skip = response.status === 206 ? 0 : sent;
    try {
      for await (const chunk of guarded(response, rule.timeout_ms)) {
        const fresh = chunk.subarray(Math.min(skip, chunk.length));
        skip -= chunk.length - fresh.length;
        sent += fresh.length;
        if (fresh.length > 0) yield fresh;
      }
      return;
    } catch (cause) {
      if (tried >= rule.tries) {
        throw new RunnerError("unreachable", `the download broke off ${tried} times: ${reasonOf(cause)}`, { cause });
      }
      response = await again(sent);
    }
  }
}

/** A whole body of at most so many bytes, whatever its header says. null: it is longer. Throws what reading throws. */
export async function readAtMost(response: Response, limit: number): Promise<Uint8Array<ArrayBuffer> | null> {
  const chunks: Uint8Array[] = [];
  let total = 0;
  for await (const chunk of response.body ?? []) {
    total += chunk.length;
    if (total > limit) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function* guarded(response: Response, silenceMs: number): AsyncGenerator<Uint8Array> {
  if (!response.body) return;
  const reader = response.body.getReader();
  try {
    for (;;) {
      let timer: Timer | undefined;
      const silence = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(`no data for ${silenceMs} ms`)), silenceMs);
      });
      const next = await Promise.race([reader.read(), silence]).finally(() => clearTimeout(timer));
      if (next.done) return;
      yield next.value;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

function mayHelp(status: number): boolean {
  return status === 408 || status === 429 || status >= 500;
}

/** Seconds or an HTTP date; milliseconds, at most 5 minutes. */
function retryAfter(response: Response, now: number): number {
  const text = response.headers.get("retry-after");
  if (text === null) return 0;
  const ms = /^\d+$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - now;
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), 300_000) : 0;
}

/** No number of tries makes a certificate good. */
export function untrusted(reason: string): boolean {
  return /certificate|self[- ]signed|altname/i.test(reason);
}

function distrust(url: string, reason: string): RunnerError {
  return new RunnerError("unreachable", `${placeOf(url)} is not trusted: ${reason}`, {
    remedy: "give the private CA of this server with --ca-file",
  });
}

/** Without query and credentials: fit for a message. */
export function placeOf(url: string): string {
  const parsed = URL.parse(url);
  return parsed ? `${parsed.protocol}//${parsed.host}${parsed.pathname}` : "the address";
}

function cancelled(url: string): RunnerError {
  return new RunnerError("cancelled", `fetching ${placeOf(url)} was stopped`);
}
