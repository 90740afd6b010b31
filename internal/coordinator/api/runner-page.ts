import type { Context } from "hono";
import { fail, ok, type Result } from "../../protocol/errors.ts";
import { badRequest } from "./runner-errors.ts";

/** Which part of a list a peer asked for (nuon-runner-api.md 1.10). */
export interface Page {
  readonly limit: number;
  readonly offset: number;
  /** 0: not asked for by number. */
  readonly page: number;
}

const LIMIT = 10;
const LIMIT_MAX = 100;

/** `limit` (10, at most 100), `offset`, and `page` from 1, which overrides the offset. 400 for what is no number. */
export function pageOf(c: Context): Result<Page, Response> {
  const numbers: Record<string, number> = {};
  for (const key of ["limit", "offset", "page"]) {
    const given = c.req.query(key);
    if (given === undefined || given === "") continue;
    if (!/^\d{1,9}$/.test(given)) {
      const cause = `strconv.Atoi: parsing ${JSON.stringify(given)}: invalid syntax`;
      return fail(badRequest(c, `invalid ${key} ${given}: ${cause}`, `invalid ${key}`));
    }
    numbers[key] = Number(given);
  }
  const limit = Math.min(numbers.limit || LIMIT, LIMIT_MAX);
  const page = numbers.page ?? 0;
  return ok({ limit, page, offset: page > 0 ? (page - 1) * limit : (numbers.offset ?? 0) });
}

/** Answers one page of `found`, of which there is one more than the limit when another page follows. */
export function pageAnswer(c: Context, found: readonly object[], page: Page): Response {
  return c.json(found.slice(0, page.limit), 200, {
    "X-Nuon-Page-Limit": String(page.limit),
    "X-Nuon-Page-Next": String(found.length > page.limit),
    "X-Nuon-Page-Offset": String(page.offset),
    ...(page.page > 0 ? { "X-Nuon-Page-Number": String(page.page) } : {}),
  });
}
