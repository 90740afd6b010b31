import type { Context, MiddlewareHandler } from "hono";
import { z } from "zod";
import type { SystemLog } from "../../../kit/base/system-log.ts";
import { reasonOf } from "../../../protocol/errors.ts";
import type { AuditLog } from "../../audit.ts";
import { ADMIN } from "./deps.ts";

const READING: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);
/** Answers that name what was made are short; a longer one is not read twice. */
const MAX_ANSWER = 16 * 1024;
const MAX_BODY = 16 * 1024;

/** Every call that may change something leaves a line in the audit trail before it is answered. */
export function audited(audit: AuditLog, log: SystemLog): MiddlewareHandler {
  return async (c, next) => {
    await next();
    if (READING.has(c.req.method)) return;
    const { status } = c.res;
    const entry = {
      actor: ADMIN,
      method: c.req.method,
      path: c.req.path,
      status,
      outcome: status < 400 ? "done" : status < 500 ? "refused" : "failed",
      reason: await reasonIn(c),
      made: status < 400 ? await madeBy(c) : "",
    } as const;
    try {
      await audit.append(entry);
    } catch (error) {
      // A full disk, say. What was done stands: the line in our own log is what is left of it.
      log.error("a line of the audit trail could not be written", { ...entry, error: reasonOf(error) });
    }
  };
}

const reasons = z.object({ reason: z.string().optional(), why: z.string().optional() });

/** The route has read the body already, so this costs no second reading; one of sources is never read for it. */
async function reasonIn(c: Context): Promise<string> {
  const length = Number(c.req.header("content-length") ?? Number.POSITIVE_INFINITY);
  if (!c.req.header("content-type")?.includes("json") || length > MAX_BODY || length === 0) return "";
  const parsed = reasons.safeParse(await c.req.json().catch(() => null));
  return parsed.data?.reason ?? parsed.data?.why ?? "";
}

const made = z.object({ id: z.string().optional(), job: z.string().optional() });

/** A token may stand beside the id: only the id is taken. */
async function madeBy(c: Context): Promise<string> {
  const type = c.res.headers.get("content-type") ?? "";
  if (c.req.method !== "POST" || !type.includes("json") || c.res.body === null) return "";
  const text = await c.res.clone().text();
  if (text.length > MAX_ANSWER) return "";
  const parsed = made.safeParse(JSON.parse(text));
  return parsed.data?.job ?? parsed.data?.id ?? "";
}
