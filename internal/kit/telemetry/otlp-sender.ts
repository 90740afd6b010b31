import { readFileSync } from "node:fs";
import { reasonOf } from "../../protocol/errors.ts";
import { readFields } from "../../protocol/protobuf.ts";
import type { Clock } from "../base/clock.ts";
import { retryAfterMs, waitMs } from "../http/back-off.ts";
import { safeUrl } from "../http/failure.ts";
import type { Fetch } from "../http/http.ts";
import type { OtlpTarget } from "./otel-settings.ts";

/** What became of one request. `rejected`: items that the collector took the request for, but not them. */
export type Sent =
  | { readonly ok: true; readonly rejected: number; readonly said: string }
  | { readonly ok: false; readonly why: string };

export interface OtlpSender {
  /** Where to, fit for messages. */
  readonly peer: string;
  /** Tries again, by the rules of OTLP, until `withinMs` are over or `signal` is aborted. Never throws. */
  send(body: Uint8Array, withinMs: number, signal: AbortSignal): Promise<Sent>;
}

export interface SenderDeps {
  readonly clock: Clock;
  readonly fetch?: Fetch;
  /** 0 ≤ n < 1, for jitter. */
  readonly random?: () => number;
}

const BACK_OFF = { base_ms: 1_000, cap_ms: 10_000 };
/** The only statuses that OTLP lets a client repeat. */
const AGAIN: ReadonlySet<number> = new Set([429, 502, 503, 504]);
/** An answer is a few bytes; a page of a proxy is not read to its end. */
const MAX_ANSWER = 64 * 1024;

type Outcome = Sent | { readonly again: true; readonly why: string; readonly afterMs: number };

/** One signal's way to its collector. Throws what reading a certificate file throws. */
export function createSender(
  target: OtlpTarget,
  { clock, fetch: given, random = Math.random }: SenderDeps,
): OtlpSender {
  const send: Fetch = given ?? ((url, init) => fetch(url, init));
  const read = (path: string) => readFileSync(path, "utf8");
  const tls = {
    ...(target.caFile === null ? {} : { ca: read(target.caFile) }),
    ...(target.certFile === null ? {} : { cert: read(target.certFile) }),
    ...(target.keyFile === null ? {} : { key: read(target.keyFile) }),
  };
  const headers = {
    ...target.headers,
    "Content-Type": target.encoding === "json" ? "application/json" : "application/x-protobuf",
    ...(target.gzip ? { "Content-Encoding": "gzip" } : {}),
  };

  const once = async (body: Uint8Array<ArrayBuffer>, limitMs: number, signal: AbortSignal): Promise<Outcome> => {
    const stop = AbortSignal.any([signal, AbortSignal.timeout(Math.max(1, Math.ceil(limitMs)))]);
    try {
      const init: BunFetchRequestInit = { method: "POST", headers, body, signal: stop, redirect: "manual" };
      if (Object.keys(tls).length > 0) init.tls = tls;
      const answer = await send(target.url, init);
      return await judge(answer, clock.now());
    } catch (error) {
      return { again: true, why: stop.aborted ? "it does not answer in time" : shortReason(error), afterMs: 0 };
    }
  };

  return {
    peer: safeUrl(target.url),
    async send(body, withinMs, signal) {
      const until = clock.monotonic() + withinMs;
      const data = target.gzip ? Bun.gzipSync(new Uint8Array(body)) : new Uint8Array(body);
      for (let failed = 1; ; failed++) {
        const outcome = await once(data, Math.min(target.timeoutMs, until - clock.monotonic()), signal);
        if (!("again" in outcome)) return outcome;
        const wait = waitMs(BACK_OFF, failed, random, outcome.afterMs);
        if (signal.aborted || clock.monotonic() + wait >= until) return { ok: false, why: outcome.why };
        await clock.sleep(wait, signal);
      }
    },
  };
}

async function judge(answer: Response, now: number): Promise<Outcome> {
  const { status } = answer;
  const type = answer.headers.get("content-type") ?? "";
  if (AGAIN.has(status)) {
    await answer.body?.cancel();
    return {
      again: true,
      why: `it answers ${status}`,
      afterMs: retryAfterMs(answer.headers.get("retry-after"), now) ?? 0,
    };
  }
  if (status < 200 || status > 299) {
    await answer.body?.cancel();
    return { ok: false, why: `it answers ${status}` };
  }
  // A login page of a proxy is a success only for who does not look.
  if (/html/i.test(type)) {
    await answer.body?.cancel();
    return { ok: false, why: "it answers with an HTML page" };
  }
  return { ok: true, ...partial(new Uint8Array(await answer.arrayBuffer()), type) };
}

/** `partial_success` of an answer in either encoding; anything that is none counts as a full success. */
function partial(body: Uint8Array, type: string): { readonly rejected: number; readonly said: string } {
  const all = { rejected: 0, said: "" };
  if (body.length === 0 || body.length > MAX_ANSWER) return all;
  try {
    return type.includes("json") ? partialJson(JSON.parse(Buffer.from(body).toString())) : partialProto(body);
  } catch {
    return all;
  }
}

function partialJson(document: unknown): { readonly rejected: number; readonly said: string } {
  const { partialSuccess = {} } = document as { partialSuccess?: Record<string, unknown> };
  const rejected = Number(partialSuccess.rejectedSpans ?? partialSuccess.rejectedDataPoints ?? 0);
  return { rejected: Math.max(rejected, 0), said: String(partialSuccess.errorMessage ?? "") };
}

function partialProto(body: Uint8Array): { readonly rejected: number; readonly said: string } {
  let rejected = 0;
  let said = "";
  readFields(body, (field, value) => {
    if (field !== 1 || !(value instanceof Uint8Array)) return;
    readFields(value, (inner, one) => {
      if (inner === 1 && typeof one === "bigint") rejected = Number(one);
      if (inner === 2 && one instanceof Uint8Array) said = new TextDecoder().decode(one);
    });
  });
  return { rejected, said };
}

function shortReason(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return code === "ECONNREFUSED" || code === "ConnectionRefused" ? "nothing listens there" : reasonOf(error);
}
