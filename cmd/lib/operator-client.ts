import type { z } from "zod";
import type { HttpFailure } from "../../internal/kit/http/failure.ts";
import { createHttp } from "../../internal/kit/http/http.ts";
import { type ErrorKind, KIND_EXIT, type Result, RunnerError } from "../../internal/protocol/errors.ts";
import { problemBody } from "../../internal/protocol/operator.ts";
import { RETRY, type RetryRule } from "../../internal/protocol/retry.ts";
import { readCa } from "./ca-file.ts";
import type { Wanted } from "./context.ts";
import { readLine } from "./read-file.ts";

/** Where a coordinator is and what opens it. */
export interface Access {
  readonly url: string;
  readonly key: string;
  /** PEM. */
  readonly ca?: string;
}

/** Typed calls of the operator API. All throw RunnerError; unreachable and refused end a command with exit code 3. */
export interface OperatorClient {
  readonly access: Access;
  get<T>(path: string, schema: z.ZodType<T>): Promise<T>;
  text(path: string): Promise<string>;
  /** A mutating call that may be sent again when its answer was lost. */
  send(method: "POST" | "DELETE", path: string, json?: unknown): Promise<void>;
  /** A call that makes something: sent again only when `key` lets the coordinator tell a repeat. */
  make<T>(path: string, schema: z.ZodType<T>, json: unknown, key?: string): Promise<T>;
  /** A PATCH, which may be sent again: it sets values. */
  change<T>(path: string, schema: z.ZodType<T>, json: unknown): Promise<T>;
  put(path: string, data: Uint8Array, type: string): Promise<void>;
  /** A PUT that may be answered 409 with this body. null: done. */
  putUnless<T>(path: string, data: Uint8Array, type: string, conflict: z.ZodType<T>): Promise<T | null>;
}

const PREFIX = "/api/v1";
/** A blob of the largest size on a slow line. */
const UPLOAD: RetryRule = { ...RETRY.operator, timeout_ms: 600_000 };
const ONCE: RetryRule = { ...RETRY.operator, tries: 1 };

export function createOperatorClient(access: Access): OperatorClient {
  const http = createHttp({
    baseUrl: access.url + PREFIX,
    headers: { Authorization: `Bearer ${access.key}` },
    peer: `the coordinator at ${access.url}`,
    endOnDistrust: true,
    ...(access.ca === undefined ? {} : { ca: access.ca }),
  });
  const must = <T>(answer: Answer<T>): T => {
    if (answer.ok) return answer.value.value;
    throw explain(answer.error, access.url);
  };
  const rule = RETRY.operator;
  const upload = (path: string, data: Uint8Array, type: string) =>
    http.request({ method: "PUT", path, bytes: { data, type }, rule: UPLOAD, decode: "none" });
  return {
    access,
    get: async (path, schema) => must(await http.request({ method: "GET", path, rule, decode: schema })),
    text: async (path) => must(await http.request({ method: "GET", path, rule, decode: "text" })),
    send: async (method, path, json = {}) => {
      must(await http.request({ method, path, json, rule, decode: "none" }));
    },
    make: async (path, schema, json, key) => {
      const headers = key === undefined ? {} : { "Idempotency-Key": key };
      const request = { method: "POST", path, json, headers, rule: key === undefined ? ONCE : rule } as const;
      return must(await http.request({ ...request, decode: schema }));
    },
    change: async (path, schema, json) =>
      must(await http.request({ method: "PATCH", path, json, rule, decode: schema })),
    put: async (path, data, type) => {
      must(await upload(path, data, type));
    },
    putUnless: async (path, data, type, conflict) => {
      const answer = await upload(path, data, type);
      const body = !answer.ok && answer.error.status === 409 ? conflict.safeParse(answer.error.body) : null;
      if (body?.success) return body.data;
      must(answer);
      return null;
    },
  };
}

type Answer<T> = Result<{ readonly value: T }, HttpFailure>;

function explain(cause: HttpFailure, url: string): RunnerError {
  if (cause.status === null && cause.remedy)
    return new RunnerError(cause.kind, cause.message, { remedy: cause.remedy, cause });
  if (cause.status === null) {
    return new RunnerError("unreachable", `the coordinator at ${url} does not answer: ${cause.message}`, {
      remedy: "Is it running? Check --coordinator-url (RUNNER_COORDINATOR_URL).",
      cause,
    });
  }
  if (cause.status === 401) {
    return new RunnerError("refused", `the coordinator at ${url} refuses the key`, {
      remedy: "Check RUNNER_ADMIN_KEY, --admin-key-file, and that the key belongs to this coordinator.",
      cause,
    });
  }
  const problem = problemBody.safeParse(cause.body);
  if (!problem.success) {
    return new RunnerError(cause.kind, `the coordinator at ${url}: ${cause.message}`, {
      remedy: "Check that --coordinator-url is the address of a coordinator.",
      cause,
    });
  }
  const { kind, error, remedy } = problem.data;
  const known = Object.hasOwn(KIND_EXIT, kind) ? (kind as ErrorKind) : cause.kind;
  return new RunnerError(known, error, { ...(remedy ? { remedy } : {}), cause });
}

/** The coordinator that the settings name. Throws RunnerError usage when the key is missing or a file unreadable. */
export function operatorFrom(
  values: Wanted<"coordinatorUrl" | "adminKey" | "adminKeyFile" | "caFile">,
): OperatorClient {
  const key = values.adminKey ?? (values.adminKeyFile ? readLine(values.adminKeyFile, "admin key file") : null);
  if (key === null) {
    throw new RunnerError("usage", "the admin key is missing", {
      remedy:
        "Set RUNNER_ADMIN_KEY or give --admin-key-file; the coordinator writes it to admin.key in its data directory.",
    });
  }
  const ca = readCa(values.caFile);
  return createOperatorClient({ url: values.coordinatorUrl, key, ...(ca === null ? {} : { ca }) });
}
