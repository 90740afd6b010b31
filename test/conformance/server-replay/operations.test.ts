import { afterAll, describe, expect, test } from "bun:test";
import type { z } from "zod";
import { silentLog } from "../../../internal/kit/base/system-log.ts";
import type { HttpFailure } from "../../../internal/kit/http/failure.ts";
import type { HttpAnswer } from "../../../internal/kit/http/http.ts";
import type { Result } from "../../../internal/protocol/errors.ts";
import { httpOf } from "../../../internal/runner/controlplane/dialect-http.ts";
import { createNuonClient, type OperationName } from "../../../internal/runner/controlplane/nuon/client.ts";
import type { Operation, RequestBody } from "../../../internal/runner/controlplane/nuon/operation.ts";
import { NUON } from "../../../internal/runner/controlplane/nuon/operations.ts";
import { ANSWER_ONLY, type Left, NOT_OURS } from "./never-sent.ts";
import { bodyOf, RECORDED, type Recorded, TOKEN } from "./recorded.ts";
import { startReplay } from "./replay.ts";

type AnyOperation = Operation<string, RequestBody, z.ZodType | "text">;
const TABLE: Readonly<Record<string, AnyOperation>> = NUON;
const isOurs = (name: string): name is OperationName => name in NUON;

const ONCE = { tries: 1, base_ms: 0, cap_ms: 0, timeout_ms: 5_000 };
let playing: Recorded | null = null;
const server = await startReplay(() => playing);
afterAll(() => server.stop());

const named = (left: Left, one: Recorded) => left.operation === one.operation && one.note.startsWith(left.note);

/** The parameters of a route, from a path that was recorded. */
function parametersOf(operation: AnyOperation, path: string): Record<string, string> {
  const pattern = operation.path.replace(/\{(\w+)\}/g, "(?<$1>[^/]+)");
  return { ...new RegExp(`^${pattern}$`).exec(path)?.groups };
}

/** The query of the recording, but for terraform's way to say who it is. */
function queryOf({ request }: Recorded): Record<string, string> {
  const { searchParams } = new URL(request.path, server.url);
  return Object.fromEntries([...searchParams].filter(([key]) => key !== "token"));
}

/** What our client is given to send the recorded body; null: it never sends that. */
function sendable(one: Recorded, operation: AnyOperation): { readonly json?: unknown; readonly bytes?: Buffer } | null {
  const body = bodyOf(one.request);
  const { Authorization: auth, "Content-Type": type, "Content-Encoding": encoding } = one.request.headers ?? {};
  const withToken = auth === undefined ? one.request.path.includes(`token=${TOKEN}`) : auth.startsWith("Bearer ");
  if (!withToken || encoding !== undefined) return null;
  if (operation.body === "nothing") return body.length === 0 ? {} : null;
  if (operation.body === "protobuf") return type === "application/x-protobuf" ? { bytes: body } : null;
  if (operation.body === "state") return { bytes: body };
  const json = parsed(body.toString());
  return json !== undefined && type === "application/json" && operation.body.safeParse(json).success ? { json } : null;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function properBody(name: string, operation: AnyOperation): { readonly json?: unknown; readonly bytes?: Buffer } {
  const proper = RECORDED.find(
    (one) => one.operation === name && one.response.status < 300 && sendable(one, operation),
  );
  return (proper && sendable(proper, operation)) || {};
}

async function ask(one: Recorded, name: OperationName): Promise<Result<HttpAnswer<unknown>, HttpFailure>> {
  const operation: AnyOperation = NUON[name];
  const { Authorization: auth = "" } = one.request.headers ?? {};
  const token = auth.startsWith("Bearer ") ? auth.slice("Bearer ".length) : TOKEN;
  const http = httpOf({ url: server.url, runnerId: "-", token, version: "0.1.0", log: silentLog }, server.url);
  const { pathname } = new URL(one.request.path, server.url);
  const body = sendable(one, operation) ?? properBody(name, operation);
  playing = one;
  // Which operation it is comes from the recording: the types of the call are the table's to check.
  const call = { path: parametersOf(operation, pathname), query: queryOf(one), rule: ONCE, ...body } as never;
  return createNuonClient(http).call(name, call);
}

/** What the real server got and took; what it got from us is compared with it. */
function expectSame(one: Recorded, name: OperationName): void {
  const sent = server.arrived.at(-1);
  const at = (path: string) => new URL(path, server.url);
  const [ours, theirs] = [at(sent?.path ?? ""), at(one.request.path)];
  theirs.searchParams.delete("token");
  expect(`${sent?.method} ${ours.pathname}`).toBe(`${one.request.method} ${theirs.pathname}`);
  expect(Object.fromEntries(ours.searchParams)).toEqual(Object.fromEntries(theirs.searchParams));
  const { Accept: accept, Authorization: auth, "Content-Type": type } = one.request.headers ?? {};
  expect(sent?.headers.accept).toBe(accept ?? "");
  // Where terraform spoke it said who it is in the query; we say it in the header, which the server reads first.
  expect(sent?.headers.authorization).toBe(auth ?? `Bearer ${TOKEN}`);
  expect(sent?.headers["content-type"]).toBe(type);
  const body = bodyOf(one.request);
  if (TABLE[name]?.body === "protobuf" || TABLE[name]?.body === "state") expect(sent?.body).toEqual(body);
  else expect(parsed(sent?.body.toString() ?? "")).toEqual(parsed(body.toString()));
}

for (const [name, operation] of Object.entries(TABLE)) {
  if (!isOurs(name)) continue;
  const entries = RECORDED.filter((one) => one.operation === name && !NOT_OURS.some((left) => named(left, one)));
  describe(name, () => {
    for (const one of entries) {
      const { status } = one.response;
      const done = operation.success.includes(status);
      const says = done ? "is understood without loss" : "is told as what it is";
      test(`${one.note}: the real server's answer ${says}`, async () => {
        const answer = await ask(one, name);
        if (sendable(one, operation)) expectSame(one, name);
        else expect(ANSWER_ONLY.filter((left) => named(left, one)).map((left) => left.why)).toHaveLength(1);
        expect(server.arrived.at(-1)?.headers["x-nuon-client-version"]).toBe("runner:0.1.0");
        expect(server.arrived.at(-1)?.headers["x-nuon-org-id"]).toBeUndefined();
        const body = bodyOf(one.response).toString();
        if (!done) {
          expect(answer.ok ? null : answer.error.status).toBe(status);
          const said = parsed(body);
          const message = said !== null && typeof said === "object" && "error" in said ? String(said.error) : body;
          expect(answer.ok ? "" : answer.error.message).toContain(message.replace(/[\s\x00-\x1f]+/g, " ").slice(0, 60));
          return;
        }
        if (!answer.ok) throw answer.error;
        expect(answer.value.status).toBe(status);
        if (operation.answer === "text") expect(answer.value.value).toBe(body);
        else expect(JSON.parse(JSON.stringify(answer.value.value))).toEqual(JSON.parse(body));
      });
    }
  });
}

test("the table has all 45 operations of the runner API, each of them recorded", () => {
  expect(Object.keys(NUON)).toHaveLength(45);
  const seen = new Set(RECORDED.map((one) => one.operation));
  expect(Object.keys(NUON).filter((name) => !seen.has(name))).toEqual([]);
});

test("every recorded answer is played to the runner, or stands in the list with the reason why not", () => {
  const left = RECORDED.filter((one) => !isOurs(one.operation) && !NOT_OURS.some((reason) => named(reason, one)));
  // Played in routes.test.ts.
  expect(left.map((one) => one.note)).toEqual(["404: path that is not registered"]);
  const stale = [...NOT_OURS, ...ANSWER_ONLY].filter((reason) => !RECORDED.some((one) => named(reason, one)));
  expect(stale).toEqual([]);
});

test("what the runner never sends is what the table cannot send, each with its reason", () => {
  const unsendable = RECORDED.filter((one) => isOurs(one.operation)).filter((one) => {
    const operation = TABLE[one.operation];
    return operation !== undefined && sendable(one, operation) === null;
  });
  expect(unsendable.map((one) => `${one.operation} ${one.note}`)).toEqual(
    RECORDED.filter((one) => ANSWER_ONLY.some((left) => named(left, one))).map((one) => `${one.operation} ${one.note}`),
  );
});
