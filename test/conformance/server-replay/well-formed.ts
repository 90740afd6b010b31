import type { z } from "zod";
import type { Operation, RequestBody } from "../../../internal/runner/controlplane/nuon/operation.ts";
import { NUON } from "../../../internal/runner/controlplane/nuon/operations.ts";
import { unnamedKeys } from "../named-keys.ts";
import { TOKEN } from "./recorded.ts";
import type { Arrived } from "./replay.ts";

type AnyOperation = Operation<string, RequestBody, z.ZodType | "text">;
const TABLE: Readonly<Record<string, AnyOperation>> = NUON;

/** What the real server would not take, or not understand, in a request: route, query, header fields, body and its keys. */
export function faultsOf(request: Arrived): string[] {
  const { pathname, searchParams } = new URL(request.path, "http://x");
  const found = Object.entries(TABLE).find(([, one]) => one.method === request.method && fits(one.path, pathname));
  const at = `${request.method} ${request.path}: `;
  if (found === undefined) return [`${at}no operation of the runner API`];
  const [name, operation] = found;
  const { headers } = request;
  const byTerraform = searchParams.get("token") === TOKEN;
  const keys = [...searchParams.keys()].filter((key) => !operation.query.includes(key));
  const type = { protobuf: "application/x-protobuf", state: "application/json", nothing: undefined };
  const wanted = typeof operation.body === "string" ? type[operation.body] : "application/json";
  const checks: readonly (readonly [boolean, string])[] = [
    [keys.length === 0, `query keys ${keys}`],
    [byTerraform || headers.authorization === `Bearer ${TOKEN}`, "no bearer token"],
    [byTerraform || headers.accept === "application/json", `accepts ${headers.accept}`],
    [byTerraform || /^runner:0\.1\.0(\/|$)/.test(headers["x-nuon-client-version"] ?? ""), "no client version"],
    [headers["x-nuon-org-id"] === undefined, "names an org"],
    [headers["content-encoding"] === undefined, "is compressed"],
    [request.body.length === 0 ? wanted === undefined : headers["content-type"] === wanted, "content type or body"],
  ];
  const faults = checks.filter(([fine]) => !fine).map(([, what]) => what);
  if (typeof operation.body !== "string") faults.push(...bodyFaults(operation.body, request.body.toString()));
  return faults.map((what) => `${at}${name}: ${what}`);
}

function bodyFaults(schema: z.ZodType, text: string): string[] {
  try {
    const json: unknown = JSON.parse(text);
    const fits = schema.safeParse(json);
    return fits.success ? unnamedKeys(schema, json).map((key) => `unknown key ${key}`) : [fits.error.message];
  } catch {
    return ["the body is no JSON"];
  }
}

const fits = (path: string, given: string) => new RegExp(`^${path.replace(/\{\w+\}/g, "[^/]*")}$`).test(given);
