import { z } from "zod";
import { fail, ok, type Result, RunnerError, reasonOf } from "../../protocol/errors.ts";
import { RETRY, type RetryRule } from "../../protocol/retry.ts";
import type { Clock } from "../base/clock.ts";
import { readText } from "../http/body.ts";
import { HttpFailure, parseJson, safeUrl } from "../http/failure.ts";
import { createHttp, type Fetch, type HttpRequest } from "../http/http.ts";
import { KubeError } from "./kube-error.ts";
import type { KubeTarget } from "./target.ts";

export interface KubeRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly body?: unknown;
  /** Of `body`; JSON when left out. Server-side apply: `application/apply-patch+yaml` (JSON is YAML). */
  readonly type?: string;
  readonly signal?: AbortSignal;
  /** Default: reads and what may be repeated (PATCH, DELETE, PUT) several times, POST once. */
  readonly rule?: RetryRule;
  readonly maxBytes?: number;
}

/** Any object of the API. */
export const kubeObject = z.looseObject({
  apiVersion: z.string().optional(),
  kind: z.string().optional(),
  metadata: z
    .looseObject({
      name: z.string().optional(),
      namespace: z.string().optional(),
      uid: z.string().optional(),
      resourceVersion: z.string().optional(),
      labels: z.record(z.string(), z.string()).optional(),
      annotations: z.record(z.string(), z.string()).optional(),
    })
    .optional(),
});
export type KubeObject = z.infer<typeof kubeObject>;

export interface KubeClient {
  readonly target: KubeTarget;
  /** The answer's body, checked against `schema`. */
  request<T>(request: KubeRequest, schema: z.ZodType<T>): Promise<Result<T, KubeError>>;
  /**
   * Lines of an answer that stays open: the events of a watch, a followed log. Ends with the answer, throws KubeError
   * when it is refused; the caller asks again from where it was. Aborting `signal` ends it without an error.
   */
  lines(path: string, query: KubeRequest["query"], signal: AbortSignal): AsyncIterable<string>;
  /** One request as it is, with the target's credentials in place of its own; for a proxy. `path` has its query. */
  forward(path: string, init: RequestInit): Promise<Response>;
}

const ONCE: RetryRule = { ...RETRY.operator, tries: 1, timeout_ms: 60_000 };
const REPEATED: RetryRule = { ...RETRY.operator, tries: 5, cap_ms: 5_000, timeout_ms: 60_000 };

/** Requests to one cluster over fetch, because Node's agents, which the official client uses, are ignored by Bun (tried). */
export function kubeClient(
  target: KubeTarget,
  deps: { readonly fetch?: Fetch; readonly clock?: Clock } = {},
): KubeClient {
  const send = authorized(target, deps.fetch ?? ((url, init) => fetch(url, init)));
  const peer = `the cluster at ${safeUrl(target.server)}`;
  const http = createHttp({
    baseUrl: target.server,
    peer,
    fetch: send,
    endOnDistrust: true,
    ...(deps.clock === undefined ? {} : { clock: deps.clock }),
  });
  return {
    target,
    async request(request, schema) {
      const answer = await http.request({ ...wire(request), decode: schema });
      if (answer.ok) return ok(answer.value.value);
      return fail(new KubeError(answer.error, `${request.method} ${request.path}`));
    },
    forward: (path, init) => send(`${target.server}${path}`, { ...init, redirect: "manual", timeout: false }),
    async *lines(path, query, signal) {
      const given = Object.entries(query ?? {}).flatMap(([key, value]) =>
        value === undefined ? [] : [[key, String(value)]],
      );
      const url = `${target.server}${path}?${new URLSearchParams(given)}`;
      try {
        const answer = await send(url, { method: "GET", signal, redirect: "manual", timeout: false });
        if (!answer.ok) throw await refusal(answer, path);
        yield* linesOf(answer);
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof KubeError) throw error;
        const failure = new HttpFailure("unreachable", `GET ${path}: ${reasonOf(error)}`, {
          retryable: true,
          cause: error,
        });
        throw new KubeError(failure, peer);
      }
    },
  };
}

function wire(request: KubeRequest): HttpRequest {
  const { method, path, query, body, signal, maxBytes } = request;
  const rule = request.rule ?? (method === "POST" ? ONCE : REPEATED);
  const data = body === undefined ? undefined : new TextEncoder().encode(JSON.stringify(body));
  return {
    method,
    path,
    rule,
    ...(query === undefined ? {} : { query }),
    ...(data === undefined ? {} : { bytes: { data, type: request.type ?? "application/json" } }),
    ...(signal === undefined ? {} : { signal }),
    ...(maxBytes === undefined ? {} : { maxBytes }),
  };
}

function authorized(target: KubeTarget, send: Fetch): Fetch {
  const { credential, ca, tlsServerName, insecure, proxyUrl } = target;
  const tls = {
    ...(ca === null ? {} : { ca }),
    ...(credential.kind === "certificate" ? { cert: credential.cert, key: credential.key } : {}),
    ...(tlsServerName === null ? {} : { serverName: tlsServerName }),
    ...(insecure ? { rejectUnauthorized: false } : {}),
  };
  return async (url, init) => {
    const headers = new Headers(init.headers);
    if (credential.kind === "token") headers.set("authorization", `Bearer ${await credential.token()}`);
    if (credential.kind === "basic") {
      headers.set("authorization", `Basic ${btoa(`${credential.username}:${credential.password}`)}`);
    }
    return send(url, { ...init, headers, tls, ...(proxyUrl === null ? {} : { proxy: proxyUrl }) });
  };
}

async function refusal(answer: Response, path: string): Promise<KubeError> {
  const text = await readText(answer, 2 ** 20);
  const facts = {
    status: answer.status,
    body: parseJson(text),
    retryable: answer.status >= 500 || answer.status === 429,
  };
  return new KubeError(new HttpFailure("job", `answered ${answer.status}`, facts), `GET ${path}`);
}

/** A line may be as long as an object (1.5 MB at most in etcd); more than that is no cluster. */
const MAX_LINE = 16 * 2 ** 20;

async function* linesOf(answer: Response): AsyncIterable<string> {
  if (answer.body === null) return;
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of answer.body) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop() ?? "";
    if (rest.length > MAX_LINE) throw new RunnerError("protocol", `a line of more than ${MAX_LINE} bytes`);
    yield* parts;
  }
  if (rest !== "") yield rest;
}
