import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { gunzipSync } from "node:zlib";
import { z } from "zod";
import { healthCheck, noop } from "../../internal/runner/handlers/operations.ts";
import { goProgram } from "../bed/go-program.ts";
import { type KubeNode, nodeMissing, startNode } from "../bed/node/node.ts";
import { chartOf, change as helmChange, helmJob } from "../integration/helm/bed.ts";
import { kubejobOn } from "../integration/kubejob/bed.ts";
import { configMap, deployment, manifestBed } from "../integration/manifest/manifest-bed.ts";
import { createHarness, type Outcome } from "../lib/handler-harness.ts";
import {
  contentsOf,
  disposeTerraformJobs,
  MODULE,
  bed as moduleBed,
  job as terraformJob,
} from "../lib/terraform-jobs.ts";

/**
 * Every result and output of a real run in exactly the shape that a Nuon control plane reads (nuon-handlers.md 4.1 to
 * 4.4, 10.1, 10.2). Strict: a key that is missing, of another type, or ours without being named here, fails.
 */
const padded = z
  .string()
  .regex(/^(?:[A-Za-z0-9_-]{4})*(?:[A-Za-z0-9_-]{2}==|[A-Za-z0-9_-]{3}=)?$/, "URL-safe base64 with padding");
const bytesOf = (text: string) => Buffer.from(text, "base64url");
const gzipped = (inner: z.ZodType) =>
  padded.transform((text): unknown => JSON.parse(gunzipSync(bytesOf(text)).toString())).pipe(inner);

/** A saved plan of terraform is a zip as it is, never gzipped again. */
const zip = padded.refine((text) => bytesOf(text).subarray(0, 2).toString() === "PK", "a zip file");
const shownPlan = z.looseObject({
  format_version: z.string(),
  terraform_version: z.string(),
  planned_values: z.unknown(),
});
const terraformPlanResult = z.strictObject({
  success: z.literal(true),
  contents_compressed: zip,
  contents_display_compressed: gzipped(shownPlan),
});

const diffType = z.number().int().min(0).max(3);
const entryType = z.union([z.literal(0), z.literal(1), z.literal(2)]);
const helmDiff = z.strictObject({
  _version: z.literal("2"),
  name: z.string(),
  namespace: z.string(),
  kind: z.string(),
  api: z.string().regex(/^[^/]+$/, "the group alone"),
  /** A Go runner leaves it 0; ours says what the lines say, which is what 4.2 gives it to mean. */
  type: diffType,
  entries: z.array(z.strictObject({ payload: z.string(), type: entryType })),
});
const helmPlan = z.strictObject({
  plan: z.string().min(1),
  op: z.enum(["install", "upgrade", "uninstall"]),
  helm_content_diff: z.array(helmDiff),
  /** Ours: what the plan was made for, so that nothing else is applied by it. A Go server lets it pass. */
  runner_binding: z.record(z.string(), z.unknown()),
});
const manifestDiff = z.strictObject({
  _version: z.literal("2"),
  name: z.string(),
  namespace: z.string(),
  kind: z.string(),
  api: z.string().regex(/\//, "group/version, /v1 for the core group"),
  resource: z.string().regex(/^[a-z]+$/),
  op: z.enum(["apply", "delete"]),
  type: diffType,
  dry_run: z.literal(true).optional(),
  entries: z.array(z.strictObject({ path: z.string().optional(), payload: z.string().optional(), type: entryType })),
});
const manifestPlan = z.strictObject({
  plan: z.string().min(1),
  op: z.enum(["apply", "delete"]),
  k8s_content_diff: z.array(manifestDiff).optional(),
  /** Ours, as above. */
  runner: z.record(z.string(), z.unknown()),
});
/** Contents and display are one text. */
const sameTwice = (inner: z.ZodType) =>
  z
    .strictObject({ success: z.literal(true), contents_compressed: padded, contents_display_compressed: padded })
    .refine((one) => one.contents_compressed === one.contents_display_compressed, "the same text twice")
    .transform((one): unknown => one)
    .pipe(z.object({ contents_compressed: gzipped(inner) }));

/** `success: true` only, or nothing: a server stores neither. */
const onlySuccess = z.union([z.strictObject({ success: z.literal(true) }), z.null()]);
const objects = z.record(
  z.string(),
  z.record(
    z.string(),
    z.looseObject({
      apiVersion: z.string(),
      kind: z.string(),
      metadata: z.looseObject({ name: z.string() }),
      spec: z.strictObject({}),
    }),
  ),
);
const installed = z.strictObject({
  manifest: z.string().startsWith("---\n"),
  resources: z.record(
    z.string().regex(/^[\w-]+, [\w.-]+, \w+ \([\w.]+\)$/, "<ns>, <name>, <Kind> (<api>)"),
    z.strictObject({ Name: z.string(), Kind: z.string(), Content: z.string(), ResourcePolicy: z.string() }),
  ),
  ingresses: objects,
  services: objects,
  deployments: objects,
});
const empty = z.strictObject({});
/** Go's nil; the dialect sends an empty map in its place. */
const nothing = z.null().or(empty);

const faults = (shape: z.ZodType, value: unknown): string[] =>
  (shape.safeParse(value).error?.issues ?? []).map((issue) => `${issue.path.join(".")}: ${issue.message}`);

interface Shape {
  readonly result: z.ZodType;
  readonly outputs: z.ZodType;
}
const SHAPES = {
  "terraform plan": { result: terraformPlanResult, outputs: empty },
  "terraform apply": {
    result: onlySuccess,
    outputs: z.strictObject({
      greeting: z.string(),
      list: z.tuple([z.number(), z.strictObject({ a: z.boolean() })]),
      secret: z.string(),
    }),
  },
  "terraform teardown plan": {
    result: terraformPlanResult,
    outputs: z.looseObject({ greeting: z.string(), secret: z.string() }),
  },
  "helm plan": { result: sameTwice(helmPlan), outputs: z.strictObject({ diff: z.base64() }) },
  "helm install": { result: onlySuccess, outputs: installed },
  "helm teardown plan": { result: sameTwice(helmPlan), outputs: z.strictObject({ diff: z.base64() }) },
  "helm uninstall": { result: onlySuccess, outputs: nothing },
  "manifest plan": { result: sameTwice(manifestPlan), outputs: nothing },
  "manifest apply": {
    result: sameTwice(manifestPlan),
    outputs: z.strictObject({ diff: z.array(manifestDiff).min(1) }),
  },
  "manifest teardown plan": { result: sameTwice(manifestPlan), outputs: nothing },
  "manifest delete": {
    result: onlySuccess.or(sameTwice(manifestPlan)),
    outputs: z.strictObject({ diff: z.array(manifestDiff).min(1) }),
  },
  job: { result: onlySuccess, outputs: empty },
  "health check": {
    result: onlySuccess,
    outputs: z.strictObject({ job_loops: z.record(z.string(), z.number().int()) }),
  },
  noop: { result: onlySuccess, outputs: empty },
} as const satisfies Readonly<Record<string, Shape>>;
type Run = keyof typeof SHAPES;

const missing = nodeMissing() ?? (goProgram("helm3") && goProgram("helm4") ? null : "helm is not built");
const skip = (missing !== null || Bun.which("terraform") === null) && process.env.CI !== "true";

describe.skipIf(skip)("what a Nuon control plane gets of a real run of", () => {
  const outcomes = new Map<Run, Outcome>();
  let node: KubeNode;
  let objectsOf: ReturnType<typeof manifestBed>;

  beforeAll(async () => {
    node = await startNode();
    objectsOf = manifestBed(node);
    await Promise.all([terraformRuns(), helmRuns(), manifestRuns(), others()]);
  }, 180_000);
  afterAll(async () => {
    disposeTerraformJobs();
    objectsOf?.dispose();
    await node?.end();
  }, 60_000);

  async function terraformRuns(): Promise<void> {
    const at = moduleBed({ "main.tf": MODULE });
    const plan = await terraformJob(at).run();
    outcomes.set("terraform plan", plan);
    outcomes.set(
      "terraform apply",
      await terraformJob(at, { operation: "apply-plan", contents: contentsOf(plan) }).run(),
    );
    outcomes.set("terraform teardown plan", await terraformJob(at, { operation: "create-teardown-plan" }).run());
  }

  async function helmRuns(): Promise<void> {
    const wanted = { chart: chartOf(), release: "shapes" };
    const { plan, apply } = await helmChange(node, wanted);
    outcomes.set("helm plan", plan);
    outcomes.set("helm install", apply);
    const down = await helmJob(node, { ...wanted, operation: "create-teardown-plan" }).run();
    outcomes.set("helm teardown plan", down);
    const contents = down.result?.contents_compressed ?? "";
    outcomes.set("helm uninstall", await helmJob(node, { ...wanted, operation: "apply-plan", contents }).run());
  }

  async function manifestRuns(): Promise<void> {
    const manifest = configMap("shapes", { a: "1" }) + deployment("shapes");
    const { plan, end } = await objectsOf.change(manifest);
    outcomes.set("manifest plan", plan);
    outcomes.set("manifest apply", end);
    const down = await objectsOf.planned(manifest, { operation: "create-teardown-plan" });
    outcomes.set("manifest teardown plan", down);
    outcomes.set("manifest delete", await objectsOf.applied(manifest, down.contents));
  }

  async function others(): Promise<void> {
    outcomes.set("job", await kubejobOn(node, {}).run());
    outcomes.set("health check", await createHarness({ handler: healthCheck }).run());
    outcomes.set("noop", await createHarness({ handler: noop }).run());
  }

  for (const [run, { result, outputs }] of Object.entries(SHAPES)) {
    test(`${run}: its result and its outputs, key by key`, () => {
      const ended = outcomes.get(run as Run);
      expect([ended?.status, ended?.reason]).toEqual(["finished", ""]);
      expect(faults(result, ended?.result)).toEqual([]);
      expect(faults(outputs, ended?.outputs)).toEqual([]);
    });
  }
});
