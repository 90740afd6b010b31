import { readFileSync } from "node:fs";
import type { z } from "zod";
import type { HttpFailure } from "../../internal/kit/http/failure.ts";
import { createHttp, type Http, type HttpRequest } from "../../internal/kit/http/http.ts";
import { type ErrorKind, KIND_EXIT, type Result, RunnerError, reasonOf } from "../../internal/protocol/errors.ts";
import { problemBody } from "../../internal/protocol/operator.ts";
import { RETRY } from "../../internal/protocol/retry.ts";
import type { Wanted } from "./context.ts";

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
  /** null when there is none (404). */
  find<T>(path: string, schema: z.ZodType<T>): Promise<T | null>;
  text(path: string): Promise<string>;
  send(method: "POST" | "DELETE", path: string, json?: unknown): Promise<void>;
  sendFor<T>(path: string, schema: z.ZodType<T>, json: unknown): Promise<T>;
  put(path: string, data: Uint8Array, type: string): Promise<void>;
}

const PREFIX = "/api/v1";

export function createOperatorClient(access: Access): OperatorClient {
  const http = createHttp({
    baseUrl: access.url + PREFIX,
    headers: { Authorization: `Bearer ${access.key}` },
    peer: `the coordinator at ${access.url}`,
    ...(access.ca === undefined ? {} : { ca: access.ca }),
  });
  const call = caller(http, access.url);
  return {
    access,
    get: (path, schema) => call.json({ method: "GET", path }, schema),
    async find(path, schema) {
      try {
        return await call.json({ method: "GET", path }, schema);
      } catch (error) {
        if (error instanceof OperatorError && error.status === 404) return null;
        throw error;
      }
    },
    text: async (path) => must(await http.request({ ...rule({ method: "GET", path }), decode: "text" }), access.url),
    send: async (method, path, json) => {
      must(await http.request({ ...rule({ method, path, json: json ?? {} }), decode: "none" }), access.url);
    },
    sendFor: (path, schema, json) => call.json({ method: "POST", path, json }, schema),
    put: async (path, data, type) => {
      const request = rule({ method: "PUT", path, bytes: { data, type } });
      must(await http.request({ ...request, decode: "none" }), access.url);
    },
  };
}

type Bare = Omit<HttpRequest, "rule">;
const rule = (request: Bare): HttpRequest => ({ ...request, rule: RETRY.operator });

function caller(http: Http, url: string) {
  return {
    json: async <T>(request: Bare, schema: z.ZodType<T>): Promise<T> =>
      must(await http.request({ ...rule(request), decode: schema }), url),
  };
}

/** An answer that was not the wanted one, in the coordinator's own words where it sent some. */
export class OperatorError extends RunnerError {
  readonly status: number | null;
  constructor(kind: ErrorKind, message: string, options: { remedy?: string; cause: HttpFailure }) {
    super(kind, message, options);
    this.name = "OperatorError";
    this.status = options.cause.status;
  }
}

function must<T>(answer: Result<{ readonly value: T }, HttpFailure>, url: string): T {
  if (answer.ok) return answer.value.value;
  throw explain(answer.error, url);
}

function explain(cause: HttpFailure, url: string): OperatorError {
  if (cause.status === null) {
    return new OperatorError("unreachable", `the coordinator at ${url} does not answer: ${cause.message}`, {
      remedy: "Is it running? Check --coordinator-url (RUNNER_COORDINATOR_URL).",
      cause,
    });
  }
  if (cause.status === 401) {
    return new OperatorError("refused", `the coordinator at ${url} refuses the key`, {
      remedy: "Check RUNNER_ADMIN_KEY, --admin-key-file, and that the key belongs to this coordinator.",
      cause,
    });
  }
  const problem = problemBody.safeParse(cause.body);
  if (!problem.success) {
    return new OperatorError(cause.kind, `the coordinator at ${url}: ${cause.message}`, {
      remedy: "Check that --coordinator-url is the address of a coordinator.",
      cause,
    });
  }
  const { kind, error, remedy } = problem.data;
  const known = Object.hasOwn(KIND_EXIT, kind) ? (kind as ErrorKind) : cause.kind;
  return new OperatorError(known, error, { ...(remedy ? { remedy } : {}), cause });
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
  const ca = values.caFile ? { ca: readFile(values.caFile, "CA file") } : {};
  return createOperatorClient({ url: values.coordinatorUrl, key, ...ca });
}

/** A one-line secret of a file. Throws RunnerError usage that names the file, never its content. */
export function readLine(path: string, what: string): string {
  const line = readFile(path, what).trim();
  if (line === "" || /\s/.test(line)) {
    throw new RunnerError("usage", `${what} ${path}: allowed is one line that is not empty`);
  }
  return line;
}

export function readFile(path: string, what: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new RunnerError("usage", `${what} ${path} cannot be read: ${reasonOf(cause)}`, {
      remedy: "Check the path and its permissions.",
      cause,
    });
  }
}
