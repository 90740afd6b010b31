import type { Context } from "hono";

/** Error bodies as the real server sends them (nuon-runner-api.md 1.6): absent `user_error` means false. */
const body = (error: string, description: string, userError: boolean) =>
  userError ? { error, user_error: true, description } : { error, description };

/** `doing`: the words before `record not found`; a peer reads them in its log. */
export const noRecord = (c: Context, doing: string) =>
  c.json(body(`${doing} record not found`, "not found", true), 404);

/** What `notFound` says of a job. */
export const NO_JOB = "runner job: unable to get runner job";

export const notFound = (c: Context, what: string) => noRecord(c, `unable to get ${what}:`);

/** 404 in words of its own, where a peer's program reads them. */
export const missing = (c: Context, error: string, description: string) => c.json(body(error, description, true), 404);

export const badRequest = (c: Context, error: string, description = "invalid request input") =>
  c.json(body(error, description, true), 400);

/** A body that is not JSON: JSON under `text/plain`, as the real server flushes it. */
export const badFormat = (c: Context, description: string) =>
  c.body(JSON.stringify(body("invalid request format", description, true)), 400, {
    "content-type": "text/plain; charset=utf-8",
  });

export const conflict = (c: Context, error: string, description = "conflict") =>
  c.json(body(error, description, true), 409);

export const forbidden = (c: Context, error: string, description: string) =>
  c.json(body(error, description, true), 403);

export const tooLarge = (c: Context, limit: number) =>
  c.json(body(`the body is larger than ${limit} bytes`, "request too large", true), 413);

/** Passing trouble of ours: clients repeat it. */
export const unavailable = (c: Context, error: string) =>
  c.json(body(error, error, false), 503, { "retry-after": "5" });

export const tooMany = (c: Context, error: string, seconds: number) =>
  c.json(body(error, error, true), 429, { "retry-after": String(seconds) });

export const unauthorized = (c: Context, error: string, description: string, basic = false) =>
  c.json(body(error, description, true), 401, basic ? { "www-authenticate": 'Basic realm="runner"' } : {});
