import type { z } from "zod";
import { fail, ok, type Result, RunnerError, reasonOf } from "../../../protocol/errors.ts";
import { problemBody } from "../../../protocol/operator.ts";

type Fetch = (input: string, init: RequestInit) => Promise<Response>;

/** The operator API as the page sees it. Nothing here throws; a refused key also calls `onRefused`. */
export interface ApiClient {
  get<T>(path: string, schema: z.ZodType<T>, signal?: AbortSignal): Promise<Result<T>>;
  /** Mutating call; the answer's body is ignored (what changed arrives as an event). */
  send(method: "POST" | "DELETE", path: string, body?: unknown): Promise<Result<null>>;
  sendFor<T>(method: "POST" | "PATCH", path: string, schema: z.ZodType<T>, body?: unknown): Promise<Result<T>>;
  text(path: string): Promise<Result<Blob>>;
  /** The raw answer, for streams. */
  open(path: string, headers: Record<string, string>, signal: AbortSignal): Promise<Result<Response>>;
}

export interface ClientOptions {
  readonly key: string;
  readonly onRefused: () => void;
  readonly fetch?: Fetch;
}

const PREFIX = "/api/v1";

export function createClient(options: ClientOptions): ApiClient {
  const doFetch: Fetch = options.fetch ?? ((input, init) => fetch(input, init));

  async function request(path: string, init: RequestInit): Promise<Result<Response>> {
    const headers = new Headers(init.headers);
    headers.set("Authorization", `Bearer ${options.key}`);
    try {
      const response = await doFetch(PREFIX + path, {
        ...init,
        headers,
        cache: "no-store",
        credentials: "omit",
        redirect: "error",
        referrerPolicy: "no-referrer",
      });
      if (response.ok) return ok(response);
      if (response.status === 401) options.onRefused();
      return fail(await problemOf(response));
    } catch (cause) {
      return fail(new RunnerError("unreachable", "The coordinator does not answer.", { cause }));
    }
  }

  async function parse<T>(response: Result<Response>, schema: z.ZodType<T>): Promise<Result<T>> {
    if (!response.ok) return response;
    try {
      const parsed = schema.safeParse(await response.value.json());
      if (parsed.success) return ok(parsed.data);
      const where = parsed.error.issues[0]?.path.join(".") ?? "";
      return fail(outdated(`${where}: ${parsed.error.issues[0]?.message ?? ""}`));
    } catch (cause) {
      return fail(new RunnerError("unreachable", `The answer broke off: ${reasonOf(cause)}.`, { cause }));
    }
  }

  const withBody = (method: string, body: unknown): RequestInit =>
    body === undefined
      ? { method }
      : { method, body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };

  return {
    get: async (path, schema, signal) => parse(await request(path, signal ? { signal } : {}), schema),
    send: async (method, path, body) => {
      const response = await request(path, withBody(method, body));
      return response.ok ? ok(null) : response;
    },
    sendFor: async (method, path, schema, body) => parse(await request(path, withBody(method, body)), schema),
    text: async (path) => {
      const response = await request(path, {});
      if (!response.ok) return response;
      try {
        return ok(await response.value.blob());
      } catch (cause) {
        return fail(new RunnerError("unreachable", "The answer broke off.", { cause }));
      }
    },
    open: (path, headers, signal) => request(path, { headers: { ...headers, Accept: "text/event-stream" }, signal }),
  };
}

function outdated(detail: string): RunnerError {
  return new RunnerError("protocol", `The answer has a form this page does not know (${detail}).`, {
    remedy: "Reload the page: the coordinator may have been updated since it was opened.",
  });
}

/** The server's own words when it sent a problem document, the status otherwise. */
async function problemOf(response: Response): Promise<RunnerError> {
  const kind = kindOf(response.status);
  try {
    const problem = problemBody.parse(await response.json());
    return new RunnerError(kind, problem.error, problem.remedy ? { remedy: problem.remedy } : {});
  } catch (cause) {
    return new RunnerError(kind, `The coordinator answered ${response.status}.`, { cause });
  }
}

function kindOf(status: number): RunnerError["kind"] {
  if (status === 401 || status === 403) return "refused";
  if (status === 409) return "conflict";
  return status === 408 || status === 429 || status >= 500 ? "unreachable" : "usage";
}
