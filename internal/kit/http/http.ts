import type { z } from "zod";
import { fail, ok, type Result, reasonOf } from "../../protocol/errors.ts";
import type { RetryRule } from "../../protocol/retry.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import { type SystemLog, silentLog } from "../base/system-log.ts";
import { isRetryable, retryAfterMs, waitMs } from "./back-off.ts";
import { BodyTooLarge, readText } from "./body.ts";
import { distrustOf } from "./certificate.ts";
import { HttpFailure, parseJson, safeUrl, sayBody } from "./failure.ts";
import { createReach } from "./reach.ts";

/** Plan documents of real servers reach 3 MB, state files more. */
const DEFAULT_MAX_BYTES = 64 * 2 ** 20;

export type Fetch = (url: string, init: BunFetchRequestInit) => Promise<Response>;

/** Told of every try, for metrics and liveness; must cost next to nothing. */
export interface HttpWatch {
  /** A try begins; it is over, one way or the other, within `timeoutMs`. */
  tried(tag: string, timeoutMs: number): void;
  answered(tag: string): void;
  /** A failed try is made again after `waitMs`. */
  retrying(tag: string, waitMs: number): void;
  /** A request begins, all of its tries. null: nobody wants to hear of its end. */
  began?(request: WatchedRequest): RequestWatch | null;
}

export interface WatchedRequest {
  readonly method: string;
  readonly path: string;
  readonly tag: string;
}

export interface RequestWatch {
  /** Sent with every try. */
  readonly headers: Readonly<Record<string, string>>;
  end(outcome: { readonly status: number | null; readonly tries: number; readonly error: string | null }): void;
}

/** A credential that may change while its client lives; shown where a request brings none of its own. */
export interface Credential {
  /** Value of the Authorization header. */
  current(): string;
  /** ms that `refused` may take. */
  readonly patienceMs: number;
  /** The other side took `shown`. */
  accepted(shown: string): void;
  /** `shown` was answered with 401 or 403. true: there is another one by now, and the request is made again. */
  refused(shown: string, status: number, signal: AbortSignal | undefined): Promise<boolean>;
}

export interface HttpOptions {
  /** Everything before a request's path; a base path is kept, a trailing slash is not doubled. */
  readonly baseUrl: string;
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly credential?: Credential;
  /** Certificate authorities (PEM) to trust instead of the system's. */
  readonly ca?: string;
  /**
   * A certificate that is not trusted ends a request at once: a person waits who can correct the settings. Default: it
   * is waited for like silence, because servers get their certificates right again.
   */
  readonly endOnDistrust?: boolean;
  /** How messages call the other side; default "the control plane at <url>". */
  readonly peer?: string;
  /** What a person should check after 401, 403 and 404. */
  readonly checkOnRefusal?: string;
  readonly clock?: Clock;
  readonly fetch?: Fetch;
  /** 0 ≤ n < 1, for jitter. */
  readonly random?: () => number;
  readonly log?: SystemLog;
  readonly watch?: HttpWatch;
}

export interface HttpRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON with a newline; null is sent as `null`. */
  readonly json?: unknown;
  readonly bytes?: { readonly data: Uint8Array; readonly type: string; readonly gzip?: boolean };
  readonly rule: RetryRule;
  /** Statuses that mean success; default every 2xx. */
  readonly ok?: readonly number[];
  readonly signal?: AbortSignal;
  /** Let a try that is on the wire end by itself when `signal` is aborted: an aborted write could arrive after its successor. */
  readonly letTryEnd?: boolean;
  /** A connection of its own: no doubt whether a stale one swallowed the request. */
  readonly fresh?: boolean;
  readonly maxBytes?: number;
  /** Name of the request for "unreachable, said once"; default method and path. */
  readonly tag?: string;
}

export interface HttpAnswer<T> {
  readonly status: number;
  readonly headers: Headers;
  readonly value: T;
  /** Milliseconds of the try that succeeded, from sending to the last byte. */
  readonly tookMs: number;
}

export interface Http {
  /** `text`: the body as it is. `none`: the body is read and dropped. A schema: the JSON body, decoded. */
  request(request: HttpRequest & { readonly decode: "none" }): Promise<Result<HttpAnswer<null>, HttpFailure>>;
  request(request: HttpRequest & { readonly decode: "text" }): Promise<Result<HttpAnswer<string>, HttpFailure>>;
  request<T>(request: HttpRequest & { readonly decode: z.ZodType<T> }): Promise<Result<HttpAnswer<T>, HttpFailure>>;
}

type Decode = "none" | "text" | z.ZodType;

/** An HTTP client that retries by rule and never throws for what the network does. */
export function createHttp(options: HttpOptions): Http {
  const { clock = systemClock, random = Math.random, log = silentLog } = options;
  const base = options.baseUrl.replace(/\/+$/, "");
  const peer = options.peer ?? `the control plane at ${safeUrl(base)}`;
  const reach = createReach(peer, log, clock);
  const once = shownWith(options, createTry({ ...options, base, peer, clock }));

  async function request(req: HttpRequest & { decode: Decode }): Promise<Result<HttpAnswer<never>, HttpFailure>> {
    const tag = tagOf(req);
    const watched = options.watch?.began?.({ method: req.method, path: req.path, tag }) ?? null;
    if (!watched) return repeat(req, tag, () => {});
    let tries = 0;
    const answer = await repeat({ ...req, headers: { ...watched.headers, ...req.headers } }, tag, () => {
      tries += 1;
    });
    if (answer.ok) watched.end({ status: answer.value.status, tries, error: null });
    else watched.end({ status: answer.error.status, tries, error: answer.error.message });
    return answer;
  }

  async function repeat(
    req: HttpRequest & { decode: Decode },
    tag: string,
    trying: () => void,
  ): Promise<Result<HttpAnswer<never>, HttpFailure>> {
    for (let failed = 0; ; ) {
      if (req.signal?.aborted) return fail(aborted(req));
      options.watch?.tried(tag, req.rule.timeout_ms);
      trying();
      const answer = await once(req);
      if (answer.ok) {
        options.watch?.answered(tag);
        reach.good(tag);
        return answer as Result<HttpAnswer<never>, HttpFailure>;
      }
      failed += 1;
      const { error } = answer;
      if (req.signal?.aborted || !error.retryable || failed >= req.rule.tries) {
        if (!error.retryable) reach.good(tag);
        // Who asks with a single try repeats it by itself: its tag stays open until it works again.
        else if (req.rule.tries === 1 && error.status !== 429) reach.trouble(tag, kindOf(error), sentence(error));
        else reach.forget(tag);
        return fail(req.signal?.aborted ? aborted(req) : error);
      }
      // A busy server is not away: 429 is waited for in silence.
      if (error.status !== 429) reach.trouble(tag, kindOf(error), sentence(error));
      log.debug(`try ${failed} of ${tag} failed`, { why: error.message });
      const wait = waitMs(req.rule, failed, random, error.retryAfterMs ?? 0);
      options.watch?.retrying(tag, wait);
      await clock.sleep(wait, req.signal);
      if (req.signal?.aborted) reach.forget(tag);
    }
  }
  return { request };
}

const tagOf = ({ tag, method, path }: HttpRequest) => tag ?? `${method} ${path}`;

/** What is wrong and, where it is known, what to do. */
const sentence = ({ message, remedy }: HttpFailure) => (remedy === undefined ? message : `${message}. ${remedy}`);
const kindOf = (error: HttpFailure) => (error.status === null ? "network" : "answer");

function aborted(req: HttpRequest): HttpFailure {
  return new HttpFailure("cancelled", `${req.method} ${req.path}: given up`);
}

interface TryOptions extends HttpOptions {
  readonly base: string;
  readonly peer: string;
  readonly clock: Clock;
}

type Try = (req: HttpRequest & { decode: Decode }) => Promise<Result<HttpAnswer<unknown>, HttpFailure>>;

/** Tries with the credential of the moment; a refused one that has a successor costs no try of the rule. */
function shownWith({ credential, watch }: HttpOptions, once: Try): Try {
  if (credential === undefined) return once;
  return async (req) => {
    if (req.headers?.Authorization !== undefined) return once(req);
    const ask = (shown: string) => once({ ...req, headers: { Authorization: shown, ...req.headers } });
    const shown = credential.current();
    const answer = await ask(shown);
    if (answer.ok) credential.accepted(shown);
    if (answer.ok || (answer.error.status !== 401 && answer.error.status !== 403)) return answer;
    watch?.tried(tagOf(req), credential.patienceMs + req.rule.timeout_ms);
    const isReplaced = await credential.refused(shown, answer.error.status, req.signal);
    return isReplaced ? ask(credential.current()) : answer;
  };
}

function createTry(options: TryOptions): Try {
  const send: Fetch = options.fetch ?? ((url, init) => fetch(url, init));
  const { clock } = options;

  return async (req) => {
    const started = clock.monotonic();
    const stop = new AbortController();
    const over = new AbortController();
    const onAbort = () => stop.abort();
    if (!req.letTryEnd) req.signal?.addEventListener("abort", onAbort, { once: true });
    let timedOut = false;
    void clock.sleep(req.rule.timeout_ms, over.signal).then(() => {
      if (over.signal.aborted) return;
      timedOut = true;
      stop.abort();
    });
    try {
      const answer = await send(urlOf(options.base, req), initOf(options, req, stop.signal));
      const text = await readText(answer, req.maxBytes ?? DEFAULT_MAX_BYTES);
      return judge(answer, text, req, options, clock.monotonic() - started);
    } catch (error) {
      return fail(noAnswer(error, req, timedOut, options));
    } finally {
      over.abort();
      req.signal?.removeEventListener("abort", onAbort);
    }
  };
}

function urlOf(base: string, req: HttpRequest): string {
  const given = Object.entries(req.query ?? {}).filter(
    (pair): pair is [string, string | number] => pair[1] !== undefined,
  );
  const query = new URLSearchParams(given.map(([key, value]) => [key, String(value)])).toString();
  return base + req.path + (query ? `?${query}` : "");
}

function initOf(options: HttpOptions, req: HttpRequest, signal: AbortSignal): BunFetchRequestInit {
  const headers: Record<string, string> = { Accept: "application/json", ...options.headers, ...req.headers };
  const init: BunFetchRequestInit = { method: req.method, headers, signal, redirect: "manual" };
  if (req.fresh) init.keepalive = false;
  if (options.ca !== undefined) init.tls = { ca: options.ca };
  if (req.json !== undefined) {
    headers["Content-Type"] = "application/json";
    init.body = `${JSON.stringify(req.json)}\n`;
  } else if (req.bytes) {
    headers["Content-Type"] = req.bytes.type;
    if (req.bytes.gzip) headers["Content-Encoding"] = "gzip";
    const data = unshared(req.bytes.data);
    init.body = req.bytes.gzip ? Bun.gzipSync(data) : data;
  }
  return init;
}

/** What fetch takes; bytes of ours are never shared, so there is nothing to copy. */
function unshared(data: Uint8Array): Uint8Array<ArrayBuffer> {
  const isOwn = (bytes: Uint8Array): bytes is Uint8Array<ArrayBuffer> => bytes.buffer instanceof ArrayBuffer;
  return isOwn(data) ? data : new Uint8Array(data);
}

const NOT_CONNECTED = new Set(["ECONNREFUSED", "ENOTFOUND", "EHOSTUNREACH", "ENETUNREACH", "EAI_AGAIN"]);

function noAnswer(error: unknown, req: HttpRequest, timedOut: boolean, options: TryOptions): HttpFailure {
  const what = `${req.method} ${req.path}`;
  const distrust = distrustOf(error);
  if (distrust) {
    const facts = { retryable: options.endOnDistrust !== true, sent: false, remedy: distrust.remedy, cause: error };
    return new HttpFailure("unreachable", `the certificate of ${options.peer} ${distrust.why}`, facts);
  }
  if (error instanceof BodyTooLarge) return new HttpFailure("protocol", `${what}: ${error.message}`);
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const why = timedOut ? `no answer within ${req.rule.timeout_ms} ms` : shortReason(error, code);
  const sent = !NOT_CONNECTED.has(code);
  return new HttpFailure("unreachable", `${what}: ${why}`, { retryable: true, sent, cause: error });
}

function shortReason(error: unknown, code: string): string {
  if (code === "ECONNREFUSED") return "connection refused (nothing listens there)";
  if (code === "EPROTO") return "no TLS is spoken there (is it an http:// address?)";
  if (code === "ECONNRESET") return "the connection was closed before the answer was complete";
  return reasonOf(error).replace(/ For more information, pass .*$/, "");
}

function judge(
  answer: Response,
  text: string,
  req: HttpRequest & { decode: Decode },
  options: TryOptions,
  tookMs: number,
) {
  const { status } = answer;
  const fine = req.ok ? req.ok.includes(status) : status >= 200 && status < 300;
  if (!fine) return fail(refusal(answer, text, req, options));
  const done = (value: unknown) => ok({ status, headers: answer.headers, value, tookMs });
  if (req.decode === "none") return done(null);
  if (req.decode === "text") return done(text);
  const json = parseJson(text);
  const decoded = json === undefined ? null : req.decode.safeParse(json);
  if (decoded?.success) return done(decoded.data);
  const issue = decoded?.error.issues[0];
  const why = issue ? `unexpected ${issue.path.join(".") || "body"}: ${issue.message}` : "not JSON";
  const quote = json === undefined ? `: ${sayBody(text, json)}` : "";
  const message = `${req.method} ${req.path}: answer ${status} cannot be read (${why})${quote}`;
  return fail(new HttpFailure("protocol", message, { status, retryable: true }));
}

function refusal(answer: Response, text: string, req: HttpRequest, options: TryOptions): HttpFailure {
  const { status } = answer;
  const body = parseJson(text);
  const location = status >= 300 && status < 400 ? answer.headers.get("location") : null;
  const said = location ? `it redirects to ${safeUrl(new URL(location, options.base))}` : sayBody(text, body);
  const message = `${req.method} ${req.path}: ${status}${said ? ` ${said}` : ""}`;
  const retryAfter = retryAfterMs(answer.headers.get("retry-after"), options.clock.now());
  const facts = { status, body, retryable: isRetryable(status), retryAfterMs: retryAfter };
  if (facts.retryable) return new HttpFailure("unreachable", message, facts);
  if (status === 401 || status === 403 || status === 404) {
    const remedy = options.checkOnRefusal ?? "Check the address, the token and the id.";
    return new HttpFailure("refused", message, { ...facts, remedy });
  }
  return new HttpFailure(status === 409 ? "conflict" : "protocol", message, facts);
}
