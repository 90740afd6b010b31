import type { z } from "zod";
import type { HttpFailure } from "../../../kit/http/failure.ts";
import type { Http, HttpAnswer, HttpRequest } from "../../../kit/http/http.ts";
import type { Result } from "../../../protocol/errors.ts";
import { type Operation, type Parameters, pathOf, type RequestBody } from "./operation.ts";
import { NUON } from "./operations.ts";

type Table = typeof NUON;
export type OperationName = keyof Table;
type PathOf<Name extends OperationName> = Table[Name]["path"];
type BodyOf<Body extends RequestBody> = Body extends z.ZodType
  ? { readonly json: z.input<Body> }
  : Body extends "nothing"
    ? { readonly json?: never }
    : { readonly bytes: Uint8Array };
type Answered<Name extends OperationName> = Table[Name]["answer"] extends z.ZodType<infer T> ? T : string;

/** What a caller may decide about one call; everything else is the table's. */
export type CallOptions = Partial<
  Pick<HttpRequest, "rule" | "headers" | "signal" | "letTryEnd" | "fresh" | "tag" | "maxBytes">
>;

type Query = Readonly<Record<string, string | number | undefined>>;

type Call<Name extends OperationName> = CallOptions &
  BodyOf<Table[Name]["body"]> & {
    readonly path: Parameters<PathOf<Name>>;
    readonly query?: Query;
  };

export type NuonAnswer<Name extends OperationName> = Result<HttpAnswer<Answered<Name>>, HttpFailure>;

/** Every operation of the Nuon runner API; its failures are those of kit/http. */
export interface NuonClient {
  call<Name extends OperationName>(name: Name, call: Call<Name>): Promise<NuonAnswer<Name>>;
}

const TYPE = { protobuf: "application/x-protobuf", state: "application/json" } as const;

export function createNuonClient(http: Http): NuonClient {
  async function call(
    name: OperationName,
    given: CallOptions & {
      readonly path: Readonly<Record<string, string>>;
      readonly query?: Query;
      readonly json?: unknown;
      readonly bytes?: Uint8Array;
    },
  ): Promise<Result<HttpAnswer<unknown>, HttpFailure>> {
    const operation: Operation<string, RequestBody, z.ZodType | "text"> = NUON[name];
    const { path, json, bytes, tag = name, rule = operation.rule, ...rest } = given;
    const type = operation.body === "protobuf" || operation.body === "state" ? TYPE[operation.body] : null;
    const body = type !== null && bytes ? { bytes: { data: bytes, type } } : json === undefined ? {} : { json };
    const request = { method: operation.method, path: pathOf(operation.path, path), tag, rule, ...body, ...rest };
    const { answer } = operation;
    return answer === "text"
      ? http.request({ ...request, decode: answer })
      : http.request({ ...request, decode: answer });
  }
  // The table's entry decides the types of a call; inside, they are those of any entry.
  return { call: call as NuonClient["call"] };
}

/**
 * The server has no such route: its router answers so in plain text, its handlers in JSON (nuon-runner-api.md 1.6).
 */
export const isNoRoute = (error: HttpFailure): boolean => error.status === 404 && error.body === undefined;
