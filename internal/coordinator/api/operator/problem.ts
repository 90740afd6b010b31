import { HTTPException } from "hono/http-exception";
import type { z } from "zod";
import { type ErrorKind, type Result, RunnerError } from "../../../protocol/errors.ts";
import { explainIssues } from "../../../protocol/suggest.ts";
import type { Refusal } from "../../store/types.ts";

type Status = 400 | 401 | 404 | 409 | 413 | 500 | 503 | 507;

/** Status of an error by its kind; what is not named is our own defect. */
const KIND_STATUS: Partial<Record<ErrorKind, Status>> = {
  usage: 400,
  refused: 401,
  conflict: 409,
  environment: 507,
  unreachable: 503,
};

/** Thrown in a route: the answer is a problem body with this status. */
export function problem(status: Status, kind: ErrorKind, error: string, remedy?: string): HTTPException {
  const body = { error, kind, ...(remedy === undefined ? {} : { remedy }) };
  return new HTTPException(status, { res: Response.json(body, { status }) });
}

export const notFound = (what: string, remedy?: string): HTTPException =>
  problem(404, "usage", `there is no ${what}`, remedy);

/** The value, or the answer that its error deserves. */
export function unwrap<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  throw problemOf(result.error);
}

export function problemOf(error: RunnerError): HTTPException {
  return problem(KIND_STATUS[error.kind] ?? 500, error.kind, error.message, error.remedy);
}

/** The value of a transition, or the answer that its refusal deserves. */
export function granted<T>(result: Result<T, Refusal>): T {
  if (result.ok) return result.value;
  const { code, message } = result.error;
  throw code === "not_found" ? problem(404, "usage", message) : problem(409, "conflict", message);
}

type Checked =
  | { readonly success: true }
  | { readonly success: false; readonly error: z.ZodError; readonly target: string; readonly data?: unknown };

const PLACE: Readonly<Record<string, string>> = { json: "body", query: "query", param: "path" };

/** Validation hook of a route: throws 400 with one line per fault, near misses by the schemas. */
export function explained(schemas: { readonly json?: z.ZodType; readonly query?: z.ZodType } = {}) {
  return (checked: Checked): undefined => {
    if (checked.success) return;
    const schema = checked.target === "json" ? schemas.json : checked.target === "query" ? schemas.query : undefined;
    const lines = explainIssues(checked.error, checked.data, PLACE[checked.target] ?? checked.target, schema);
    throw problem(400, "usage", lines.join("\n"));
  };
}

/** A full or busy disk passes: clients shall come back. */
const STORAGE = /^(SQLITE_(FULL|BUSY|IOERR)|ENOSPC|EDQUOT|EMFILE)/;

/** What any route threw, as an answer. `report` hears of our own defects, with their text that nobody else gets. */
export function answerError(error: unknown, report: (text: string) => void): Response {
  if (error instanceof RunnerError) return problemOf(error).getResponse();
  if (error instanceof HTTPException) {
    if (error.res !== undefined) return error.getResponse();
    if (error.status === 413) return problem(413, "usage", "the body is too large").getResponse();
    if (error.status < 500) return problem(400, "usage", error.message || "the request is malformed").getResponse();
  }
  // The client left before its body was whole: no defect of ours, and nobody hears the answer.
  if (error instanceof Error && error.name === "AbortError") {
    return problem(400, "usage", "the body ended early").getResponse();
  }
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (STORAGE.test(code)) {
    report(`${code}: the request could not be stored`);
    const remedy = "Free space on its disk; then repeat the request.";
    const answer = problem(503, "environment", "the coordinator cannot write at the moment", remedy).getResponse();
    answer.headers.set("retry-after", "5");
    return answer;
  }
  report(error instanceof Error ? error.stack || error.message : String(error));
  return problem(500, "defect", "the coordinator failed at this request; its log says more").getResponse();
}
