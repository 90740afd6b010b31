import type { z } from "zod";
import type { RetryRule } from "../../../protocol/retry.ts";

/** Names in braces of a route: `/v1/runners/{runner_id}` has `runner_id`. */
type ParameterOf<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? Name | ParameterOf<Rest>
  : never;
export type Parameters<Path extends string> = Readonly<Record<ParameterOf<Path>, string>>;

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/** What goes out: a JSON document, bytes as they are, or nothing. */
export type RequestBody = z.ZodType | "protobuf" | "state" | "nothing";

/** One operation of the Nuon runner API, as the real server has it (nuon-runner-api.md section 2, viewpoint S). */
export interface Operation<Path extends string, Body extends RequestBody, Answer extends z.ZodType | "text"> {
  readonly method: Method;
  readonly path: Path;
  /** Keys of the query that the server reads; `token` is terraform's and goes into its environment only. */
  readonly query: readonly string[];
  readonly body: Body;
  /** Statuses the server answers when it did it. */
  readonly success: readonly number[];
  /** The document of a success; `text`: as it is, also when it is empty. */
  readonly answer: Answer;
  /** How long it is tried where the caller does not say otherwise. */
  readonly rule: RetryRule;
}

interface Given<Path extends string, Body extends RequestBody, Answer extends z.ZodType | "text"> {
  readonly path: Path;
  readonly query?: readonly string[];
  readonly body?: Body;
  readonly success?: readonly number[];
  readonly answer: Answer;
  readonly rule: RetryRule;
}

/** An entry of the table: no query, no body and status 200 where nothing is said. */
const operation =
  (method: Method) =>
  <const Path extends string, Answer extends z.ZodType | "text", Body extends RequestBody = "nothing">(
    given: Given<Path, Body, Answer>,
  ): Operation<Path, Body, Answer> => {
    const { query = [], success = [200], body = "nothing" as Body, ...rest } = given;
    return { method, query, success, body, ...rest };
  };

export const GET = operation("GET");
export const POST = operation("POST");
export const PUT = operation("PUT");
export const PATCH = operation("PATCH");
export const DELETE = operation("DELETE");

/** The route with its parameters filled in, each escaped. */
export function pathOf(path: string, parameters: Readonly<Record<string, string>>): string {
  return path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(parameters[name] ?? ""));
}
