import { gunzipSync } from "node:zlib";
import type { Context } from "hono";
import type { z } from "zod";
import { fail, ok, type Result } from "../../protocol/errors.ts";
import { badFormat, badRequest, tooLarge } from "./runner-errors.ts";

export const JSON_LIMIT = 16 * 1024 * 1024;

/** The whole body, or the answer that refuses it. `limit` in bytes. */
export async function readBody(c: Context, limit: number): Promise<Result<Uint8Array, Response>> {
  const declared = Number(c.req.header("content-length") ?? Number.NaN);
  if (declared > limit) return fail(tooLarge(c, limit));
  // A body never exceeds its declared length: gathered by the server itself, it is not copied piece by piece.
  if (declared <= limit) {
    try {
      return ok(new Uint8Array(await c.req.raw.arrayBuffer()));
    } catch {
      return fail(badFormat(c, "the body ended early"));
    }
  }
  const stream = c.req.raw.body;
  if (stream === null) return ok(new Uint8Array());
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of stream) {
      size += chunk.byteLength;
      if (size > limit) return fail(tooLarge(c, limit));
      chunks.push(chunk);
    }
  } catch {
    return fail(badFormat(c, "the body ended early"));
  }
  const only = chunks[0];
  return ok(chunks.length === 1 && only ? only : Buffer.concat(chunks));
}

/** Unpacks `Content-Encoding: gzip`; what it grows to is limited too. */
export function unpackBody(c: Context, body: Uint8Array, limit: number): Result<Uint8Array, Response> {
  const encoding = (c.req.header("content-encoding") ?? "identity").toLowerCase();
  if (encoding === "identity") return ok(body);
  if (encoding !== "gzip") return fail(badRequest(c, `content encoding ${encoding} is not supported`));
  try {
    return ok(gunzipSync(body, { maxOutputLength: limit }));
  } catch (error) {
    const large = error instanceof RangeError;
    return fail(large ? tooLarge(c, limit) : badRequest(c, "the body is not gzip data"));
  }
}

/** JSON of the baseline: an empty body and `null` are an empty object; unknown fields are kept. */
export async function readJson<T>(c: Context, schema: z.ZodType<T>, limit = JSON_LIMIT): Promise<Result<T, Response>> {
  const raw = await readBody(c, limit);
  return raw.ok ? parseJson(c, raw.value, schema) : raw;
}

/** As `readJson`, of a body that was read. */
export function parseJson<T>(c: Context, body: Uint8Array, schema: z.ZodType<T>): Result<T, Response> {
  const text = new TextDecoder().decode(body).trim();
  let value: unknown;
  try {
    value = text === "" ? {} : (JSON.parse(text) ?? {});
  } catch {
    return fail(badFormat(c, "invalid JSON"));
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return ok(parsed.data);
  const issue = parsed.error.issues[0];
  const where = issue?.path.join(".") ?? "";
  return fail(badRequest(c, `invalid request: ${where === "" ? "" : `${where}: `}${issue?.message ?? "not valid"}`));
}
