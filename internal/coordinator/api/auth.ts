import type { Context, MiddlewareHandler } from "hono";
import { fail, ok, type Result } from "../../protocol/errors.ts";
import { hashToken, sameSecret } from "../store/credentials.ts";
import type { KnownRunner } from "../store/runner-registry.ts";
import type { ExecutionRow, JobRow } from "../store/statements.ts";
import type { Store } from "../store/store.ts";
import { formerRunners } from "../store/transitions/runners.ts";
import { notFound, unauthorized } from "./runner-errors.ts";

/** Operator routes: `Authorization: Bearer <admin key>`, checked before the body is read. */
export function adminGuard(adminKey: string): MiddlewareHandler {
  return async (c, next) => {
    const given = bearerOf(c.req.header("authorization"));
    if (given === null || !sameSecret(adminKey, given)) {
      return c.json(
        { error: "the admin key is missing or wrong", kind: "refused", remedy: "Give the key of the admin key file." },
        401,
        { "www-authenticate": "Bearer" },
      );
    }
    return await next();
  };
}

/** Runner routes: bearer token, or `?token=` where that header is absent. */
export function runnerOf(store: Store, c: Context): Result<KnownRunner, Response> {
  const header = c.req.header("authorization");
  const token = header === undefined ? (c.req.query("token") ?? "") : bearerOf(header);
  if (token === null) {
    const description = "Please make sure you set the -H Authorization:Bearer token header";
    return fail(unauthorized(c, "Authorization header format must be Bearer {token}", description));
  }
  if (token === "") {
    const description = "Please make sure you set the -H Authorization:Bearer <token> header or token query param";
    return fail(unauthorized(c, "auth token was empty", description));
  }
  // Looked up by digest: the time says nothing about the token.
  const runner = store.runners.byTokenHash(hashToken(token));
  if (runner) return ok(runner);
  const description = "Please make sure the token is valid, and not expired.";
  return fail(unauthorized(c, "unable to validate token: the token is not known", description));
}

/** As `runnerOf`, for `/v1/runners/{id}/…`: another runner's id is as unknown as one that does not exist. */
export function runnerAt(store: Store, c: Context, what = "runner"): Result<KnownRunner, Response> {
  const runner = runnerOf(store, c);
  if (!runner.ok || runner.value.row.id === c.req.param("runner_id")) return runner;
  return fail(notFound(c, what));
}

/** An execution that proved its password, or an operator-chosen runner token. */
export interface StateCaller {
  readonly runner: KnownRunner;
  /** Set with Basic credentials. */
  readonly execution: ExecutionRow | null;
}

/** State routes: Basic `<execution>.<epoch>` of our runner, bearer or `?token=` of a Go runner. */
export function stateCallerOf(store: Store, c: Context): Result<StateCaller, Response> {
  const basic = basicOf(c.req.header("authorization"));
  if (basic === null) {
    const runner = runnerOf(store, c);
    return runner.ok ? ok({ runner: runner.value, execution: null }) : runner;
  }
  const execution = executionOf(store, basic.username, basic.password);
  const runner = execution ? store.runners.get(execution.runner_id) : undefined;
  if (!execution || !runner) return fail(unauthorized(c, "unknown execution credentials", "not authorized", true));
  return ok({ runner, execution });
}

/** The execution behind Basic credentials; null when they are wrong. An ended one still counts: it may save its state. */
export function executionOf(store: Store, username: string, password: string): ExecutionRow | null {
  const dot = username.lastIndexOf(".");
  const id = username.slice(0, dot);
  const epoch = Number(username.slice(dot + 1));
  if (dot < 0 || !Number.isSafeInteger(epoch)) return null;
  if (!store.credentials.checkPassword(id, epoch, password)) return null;
  const execution = store.sql.execution.get(id);
  return execution?.epoch === epoch ? execution : null;
}

/** Runners that these credentials once belonged to: rotated tokens, deleted runners. Only the holder of a lock asks. */
export function formerRunnersOf(store: Store, c: Context): string[] {
  const basic = basicOf(c.req.header("authorization"));
  if (basic !== null) {
    const execution = executionOf(store, basic.username, basic.password);
    return execution ? [execution.runner_id] : [];
  }
  const token = bearerOf(c.req.header("authorization")) ?? c.req.query("token") ?? "";
  return formerRunners(store, hashToken(token));
}

/** For `/v2/`: the job whose sources these credentials reach, only while the execution has not ended. */
export function jobOfCredentials(store: Store, username: string, password: string): JobRow | null {
  const execution = executionOf(store, username, password);
  if (!execution || execution.finished_at !== null) return null;
  return store.sql.job.get(execution.job_id);
}

function bearerOf(header: string | undefined): string | null {
  const found = /^Bearer\s+(\S+)$/i.exec(header ?? "");
  return found?.[1] ?? null;
}

export function basicOf(header: string | undefined): { readonly username: string; readonly password: string } | null {
  const encoded = /^Basic\s+(\S+)$/i.exec(header ?? "")?.[1];
  if (encoded === undefined) return null;
  const text = Buffer.from(encoded, "base64").toString("utf8");
  const colon = text.indexOf(":");
  return colon < 0 ? null : { username: text.slice(0, colon), password: text.slice(colon + 1) };
}
