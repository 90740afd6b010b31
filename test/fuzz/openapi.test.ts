import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { z } from "zod";
import { openApiDocument } from "../../internal/coordinator/api/operator/openapi.ts";
import { createOperator } from "../lib/operator.ts";
import { createRunnerPeer } from "../lib/runner-peer.ts";
import { fuzzEach, SEED, startVictim, type Victim } from "./openapi-bed.ts";
import { attackOn, type Operation, withBody, wordFrom } from "./openapi-requests.ts";
import { bend, type Schema, schemaShape } from "./openapi-values.ts";
import type { Random } from "./seeded.ts";

/** Requests per operation; FUZZ_ROUNDS for a long run. */
const ROUNDS = Number(process.env.FUZZ_ROUNDS ?? 60);

const media = z.record(z.string(), z.looseObject({ schema: schemaShape.optional() }));
const documentShape = z.looseObject({
  components: z.looseObject({ schemas: z.record(z.string(), schemaShape) }),
  paths: z.record(
    z.string(),
    z.record(
      z.string(),
      z.looseObject({
        parameters: z
          .array(z.looseObject({ name: z.string(), in: z.enum(["path", "query", "header"]), schema: schemaShape }))
          .default([]),
        requestBody: z.looseObject({ content: media }).optional(),
        responses: z.record(z.string(), z.looseObject({ content: media.optional() })),
      }),
    ),
  ),
});
type Document = z.infer<typeof documentShape>;
interface Documented extends Operation {
  /** By status or `default`: media type → schema. */
  readonly answers: Readonly<Record<string, z.infer<typeof media> | undefined>>;
}

const document = documentShape.parse(JSON.parse(JSON.stringify(openApiDocument())));
const operations = operationsOf(document);
/** A job file is checked by its own reader, so the document says nothing of it: real ones are bent instead. */
const JOBS: readonly Readonly<Record<string, unknown>>[] = [
  { type: "noop", name: "n", timeout: "5m", requires: { arch: "amd64", gpus: 1, labels: { site: "eu" } } },
  { type: "actions-workflow", name: "a", spec: { env: { A: "b" }, steps: [{ name: "one", run: "true" }] } },
  { type: "script", name: "s", spec: { language: "shell", code: "true", args: ["a"], stdin: "x", packages: [] } },
  { type: "terraform-deploy", operation: "plan", spec: { source: { path: "." }, workspace: "net", vars: { a: [1] } } },
  {
    type: "terraform-deploy",
    operation: "apply",
    approval: "required",
    spec: { source: { git: { url: "https://h/r" } } },
  },
  { type: "noop-deploy", operation: "exec", retry: { attempts: 2 }, resources: { cpu: 1, memory: "1GiB" } },
  { type: "health-check", plan: {} },
];

let victim: Victim;
const known = new Set<string>();
beforeAll(async () => {
  victim = await startVictim();
  await populate(victim);
}, 60_000);
afterAll(() => victim.end(), 30_000);

describe(`the operator API of a real process, by its own OpenAPI document (seed ${SEED})`, () => {
  test("serves the document that the requests below are made from", async () => {
    const served = await (await fetch(`${victim.control.url}/api/v1/openapi.json`)).json();
    expect(served).toEqual(JSON.parse(JSON.stringify(openApiDocument())));
  });

  for (const [at, operation] of operations.entries()) {
    test(
      `${operation.method} ${operation.path}: whatever is asked, an answer as documented and never a defect`,
      () =>
        fuzzEach(ROUNDS, at, async (random) => {
          const words = () => wordFrom(random, [...known]);
          const attack = attackOn({ random, refs: document.components.schemas, words }, operation);
          const submits = operation.method === "POST" && operation.path === "/api/v1/jobs" && random.int(2) === 0;
          const sent = submits ? withBody(attack, bentJob(random, [...known])) : attack;
          const answer = await victim.send(sent, `Bearer ${victim.adminKey}`);
          if (answer === "closed") throw new Error(`closed without an answer: ${sent.name}`);
          const { status, headers, body, complete } = answer;
          const type = headers["content-type"]?.split(";")[0] ?? "";
          if (type === "text/event-stream") return;
          expect({ name: sent.name, complete }).toEqual({ name: sent.name, complete: true });
          const text = body.toString("utf8");
          const trouble = misfit(operation, { status, type, text });
          if (trouble !== null) throw new Error(`${trouble}\n${sent.name}\n${text.slice(0, 500)}`);
          harvest(text);
        }),
      60_000,
    );
  }

  test("ended within its memory, and still does what it is for", async () => {
    const rss = await Bun.file(`/proc/${victim.control.proc.pid}/status`).text();
    expect(Number(/VmRSS:\s+(\d+)/.exec(rss)?.[1])).toBeLessThan(1024 * 1024);
    const operator = createOperator({ url: victim.control.url, adminKey: victim.adminKey });
    const peer = await createRunnerPeer(victim.control.url, operator);
    const id = await operator.submit({ type: "noop", name: "after" }, { runner: peer.id });
    await peer.finish(id, {});
    expect((await operator.show(id)).status).toBe("finished");
  }, 30_000);
});

/** Why this answer is none that the document names; null: it is one. */
function misfit(
  operation: Documented,
  { status, type, text }: { readonly status: number; readonly type: string; readonly text: string },
): string | null {
  // The HTTP server's own refusal of a head that is too long or malformed: it never reached the app.
  if (text === "" && type === "" && [400, 414, 431].includes(status)) return null;
  const content = operation.answers[String(status)] ?? (status === 200 ? undefined : operation.answers.default);
  if (content === undefined) return `status ${status} is not documented`;
  const found = content[type] ?? content["*/*"];
  if (found === undefined) return `${status} came as ${type}`;
  if (found.schema === undefined || type !== "application/json") return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return `${status}: not JSON`;
  }
  const parsed = schemaOf(found.schema).safeParse(value);
  return parsed.success ? null : `${status}: ${z.prettifyError(parsed.error)}`;
}

function bentJob(random: Random, words: readonly string[]): unknown {
  const sources = { "spec.source": { digest: wordFrom(random, words), path: random.pick(["", ".", "../x", "\0"]) } };
  const whole = {
    job: random.pick(JOBS),
    ...(random.int(2) === 0 ? { sources } : {}),
    ...(random.int(3) === 0 ? { runner: wordFrom(random, words) } : {}),
  };
  return random.int(4) === 0 ? whole : bend(random, whole);
}

const made = new WeakMap<Schema, z.ZodType>();
function schemaOf(schema: Schema): z.ZodType {
  const before = made.get(schema);
  if (before !== undefined) return before;
  const text = JSON.stringify({ ...schema, $defs: document.components.schemas });
  const fresh = z.fromJSONSchema(JSON.parse(text.replaceAll("#/components/schemas/", "#/$defs/")));
  made.set(schema, fresh);
  return fresh;
}

function operationsOf({ paths }: Document): Documented[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): Documented => {
      const [body] = Object.entries(operation.requestBody?.content ?? {});
      return {
        method: method.toUpperCase(),
        path: `/api/v1${path}`,
        parameters: operation.parameters,
        body: body === undefined ? null : { type: body[0], schema: body[1].schema ?? {} },
        answers: Object.fromEntries(
          Object.entries(operation.responses).map(([status, answer]) => [status, answer.content]),
        ),
      };
    }),
  );
}

function harvest(text: string): void {
  if (known.size > 400) return;
  for (const [id] of text.matchAll(/\b[a-z]{3}[a-z0-9]{23}\b/g)) known.add(id);
}

/** Jobs in many states, a change that waits, workspaces with a state: ids and names that lead somewhere. */
async function populate({ control, adminKey }: Victim): Promise<void> {
  const operator = createOperator({ url: control.url, adminKey });
  const peer = await createRunnerPeer(control.url, operator);
  const action = { type: "actions-workflow", name: "act", spec: { steps: [{ name: "one", run: "true" }] } };
  const pin = { runner: peer.id };
  const done = await operator.submit(action, pin);
  const claim = await peer.claim(done);
  await peer.log(claim, [{ text: "a line\n" }, { text: "another\n" }]);
  await peer.finish(done, { outputs: { answer: 42 }, steps: ["one"] });
  const failed = await operator.submit(action, pin);
  await peer.finish(failed, { status: "failed", reason: "no" });
  const running = await operator.submit(action, pin);
  await peer.claim(running);
  const digest = await operator.upload({ "main.tf": 'output "x" { value = 1 }\n' });
  const spec = { source: { path: "." }, workspace: "net" };
  const change = await operator.submit(
    { type: "terraform-deploy", operation: "apply", approval: "required", spec },
    { ...pin, sources: { "spec.source": { digest, path: "" } } },
  );
  const queued = await operator.submit({ type: "noop", requires: { labels: { none: "such" } } });
  for (const word of [done, failed, running, change, queued, peer.id, digest, "net", "act", "net.tfvars"])
    known.add(word);
}
