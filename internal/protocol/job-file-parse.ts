import { z } from "zod";
import { type AnyJobType, groupOfType, isPluginType, type JobGroup, type JobType } from "./enums.ts";
import { fail, ok, type Result, RunnerError } from "./errors.ts";
import {
  type ActionSpec,
  actionSpec,
  type JobFile,
  jobFile,
  type ScriptSpec,
  scriptSpec,
  type TerraformSpec,
  terraformSpec,
} from "./job-file.ts";
import { type ContainerSpec, containerSpec } from "./job-specs/container.ts";
import { type HelmSpec, helmSpec } from "./job-specs/helm.ts";
import { type JobDeploySpec, jobDeploySpec } from "./job-specs/job-deploy.ts";
import { type KubernetesManifestSpec, kubernetesManifestSpec } from "./job-specs/kubernetes-manifest.ts";
import { explainIssues, pathText } from "./suggest.ts";

/** Largest job file that is read, in bytes of UTF-8. */
export const JOB_FILE_LIMIT = 1024 * 1024;
/** Levels of a document. */
const DEPTH_LIMIT = 64;

const shutdownSpec = z.strictObject({
  shutdown_type: z
    .enum(["graceful", "force"])
    .optional()
    .describe("graceful drains the runner first, force stops it at once. Default: graceful"),
});
const emptySpec = z.strictObject({});

/** `spec` of each type that a job file can name in this version; the others take only `plan`. */
export const SPEC_SCHEMAS: Partial<Readonly<Record<JobType, z.ZodObject>>> = {
  "actions-workflow": actionSpec,
  script: scriptSpec,
  container: containerSpec,
  "job-deploy": jobDeploySpec,
  "terraform-deploy": terraformSpec,
  "helm-chart-deploy": helmSpec,
  "kubernetes-manifest-deploy": kubernetesManifestSpec,
  "shut-down": shutdownSpec,
  noop: emptySpec,
  "noop-deploy": emptySpec,
  "health-check": emptySpec,
};

/** The work of a job file by the family of its type. `plan`: the exact wire plan, or null for a type without one. */
export type JobWork =
  | { readonly kind: "action"; readonly spec: ActionSpec }
  | { readonly kind: "terraform"; readonly spec: TerraformSpec; readonly operation: "plan" | "apply" | "destroy" }
  | { readonly kind: "helm"; readonly spec: HelmSpec; readonly operation: "plan" | "apply" | "destroy" }
  | {
      readonly kind: "manifest";
      readonly spec: KubernetesManifestSpec;
      readonly operation: "plan" | "apply" | "destroy";
    }
  | { readonly kind: "script"; readonly spec: ScriptSpec }
  | { readonly kind: "container"; readonly spec: ContainerSpec }
  | { readonly kind: "kubejob"; readonly spec: JobDeploySpec }
  | { readonly kind: "shutdown"; readonly how: "graceful" | "force" }
  | { readonly kind: "plan"; readonly plan: Readonly<Record<string, unknown>> | null };

export interface ParsedJob {
  /** Durations in milliseconds, defaults not applied. */
  readonly file: JobFile;
  readonly work: JobWork;
  /** What was written, before any transform: the form a submission carries. */
  readonly document: Readonly<Record<string, unknown>>;
}

/** One job file, YAML or JSON. Errors (kind `usage`) name file, key, what was found and what is allowed. */
export function parseJobFile(text: string, filename: string): Result<ParsedJob> {
  if (Buffer.byteLength(text) > JOB_FILE_LIMIT) {
    return usage([`${filename}: larger than 1 MiB`], "Put data into files of a source folder instead of the job file.");
  }
  const document = readDocument(text, filename);
  return document.ok ? parseJobDocument(document.value, filename) : document;
}

function readDocument(text: string, filename: string): Result<unknown> {
  const body = text.replace(/^\uFEFF/, "");
  let value: unknown;
  try {
    value = filename.endsWith(".json") ? JSON.parse(body) : Bun.YAML.parse(body);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return usage([`${filename}: not ${filename.endsWith(".json") ? "JSON" : "YAML"}: ${why}`]);
  }
  // Bun gives a list for several documents; a job file with a list at its top is refused by the schema anyway.
  if (Array.isArray(value) && /^---\s*$/m.test(body)) {
    return usage([`${filename}: holds ${value.length} documents; a job file is one document`]);
  }
  if (value === null || value === undefined) return usage([`${filename}: empty; a job file needs at least "type"`]);
  return ok(value);
}

/**
 * What neither YAML nor JSON promises to carry through: cycles (aliases), extreme depth, and numbers that a double or
 * JSON would alter silently.
 */
function carryFault(value: unknown, path: readonly PropertyKey[] = []): string | null {
  if (path.length > DEPTH_LIMIT) return `${pathText(path.slice(0, 8))}…: nested deeper than ${DEPTH_LIMIT} levels`;
  if (
    typeof value === "number" &&
    (!Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value)))
  ) {
    return `${pathText(path)}: the number ${value} cannot be kept exactly; write it as text, in quotes`;
  }
  if (value === null || typeof value !== "object") return null;
  for (const [key, inner] of Object.entries(value)) {
    const fault = carryFault(inner, [...path, Array.isArray(value) ? Number(key) : key]);
    if (fault !== null) return fault;
  }
  return null;
}

/** The same checks for a document that is already an object, as the coordinator gets it. */
export function parseJobDocument(value: unknown, source: string): Result<ParsedJob> {
  const fault = carryFault(value);
  if (fault !== null) return usage([`${source}: ${fault}`]);
  const parsed = jobFile.safeParse(value);
  if (!parsed.success) return usage(explainIssues(parsed.error, value, source, jobFile));
  const file = parsed.data;
  const document = z.record(z.string(), z.unknown()).parse(value);
  const clash = combinationFault(file);
  if (clash !== null) return usage([`${source}: ${clash}`]);
  const work = workOf(file, document, source);
  return work.ok ? ok({ file, work: work.value, document }) : work;
}

/** Types with a plan operation (plan, apply, destroy) in a job file of this version. */
export const CHANGE_TYPES: readonly AnyJobType[] = [
  "terraform-deploy",
  "helm-chart-deploy",
  "kubernetes-manifest-deploy",
];
/** Groups whose wire jobs are told apart by their operation: with `plan:` the file may name it. */
const PLANNED_GROUPS: readonly JobGroup[] = ["deploy", "sandbox"];

/** Limits of `timeout`, milliseconds. */
const TIMEOUT_MS = { least: 1_000, most: 7 * 86_400_000 };

function combinationFault(file: JobFile): string | null {
  const { timeout } = file;
  if (timeout !== undefined && (timeout < TIMEOUT_MS.least || timeout > TIMEOUT_MS.most)) {
    return `timeout: found ${timeout} ms; expected between 1s and 7d`;
  }
  if (file.plan !== undefined && file.spec !== undefined) return "has both spec and plan; write one of them";
  const changes = CHANGE_TYPES.includes(file.type) && file.plan === undefined;
  const planned = file.plan !== undefined && PLANNED_GROUPS.includes(groupOfType(file.type));
  if (file.operation !== undefined && !changes && !planned) {
    return `operation: only ${CHANGE_TYPES.join(", ")} have plan, apply and destroy; leave it out for ${file.type}`;
  }
  if (file.approval !== undefined && (!changes || file.operation === "plan")) {
    return "approval: only a change (operation apply or destroy) can be approved; leave it out";
  }
  if (file.approval_expiry !== undefined && file.approval !== "required") {
    return "approval_expiry: only with approval: required does a change wait for a person; leave it out";
  }
  return null;
}

function workOf(file: JobFile, document: Readonly<Record<string, unknown>>, source: string): Result<JobWork> {
  if (file.plan !== undefined) return ok({ kind: "plan", plan: file.plan });
  // What a plug-in takes only the runner knows that has it: the spec is its plan.
  if (isPluginType(file.type)) return ok({ kind: "plan", plan: file.spec ?? {} });
  const read = <T>(schema: z.ZodType<T>): Result<T> => {
    const parsed = schema.safeParse(file.spec ?? {});
    if (parsed.success) return ok(parsed.data);
    const whole = z.strictObject({ ...jobFile.shape, spec: schema });
    const again = whole.safeParse({ ...document, spec: file.spec ?? {} });
    return usage(explainIssues(again.error ?? parsed.error, { ...document, spec: file.spec ?? {} }, source, whole));
  };
  switch (file.type) {
    case "actions-workflow":
      return then(read(actionSpec), (spec) => ({ kind: "action", spec }));
    case "terraform-deploy":
      return then(read(terraformSpec), (spec) => ({ kind: "terraform", spec, operation: file.operation ?? "apply" }));
    case "helm-chart-deploy":
      return then(read(helmSpec), (spec) => ({ kind: "helm", spec, operation: file.operation ?? "apply" }));
    case "kubernetes-manifest-deploy": {
      const operation = file.operation ?? "apply";
      return then(read(kubernetesManifestSpec), (spec) => ({ kind: "manifest", spec, operation }));
    }
    case "script":
      return then(read(scriptSpec), (spec) => ({ kind: "script", spec }));
    case "container":
      return then(read(containerSpec), (spec) => ({ kind: "container", spec }));
    case "job-deploy":
      return then(read(jobDeploySpec), (spec) => ({ kind: "kubejob", spec }));
    case "shut-down":
      return then(read(shutdownSpec), (spec) => ({ kind: "shutdown", how: spec.shutdown_type ?? "graceful" }));
    case "noop":
    case "noop-deploy":
    case "health-check":
      return then(read(emptySpec), () => ({ kind: "plan", plan: null }));
    default:
      if (file.spec === undefined) return ok({ kind: "plan", plan: null });
      return usage(
        [`${source}: spec: the job file form of ${file.type} is not built into this version`],
        "Give the exact wire plan under `plan:` instead.",
      );
  }
}

function then<T>(result: Result<T>, next: (value: T) => JobWork): Result<JobWork> {
  return result.ok ? ok(next(result.value)) : result;
}

function usage(lines: readonly string[], remedy?: string): Result<never> {
  const shown = lines.slice(0, 20);
  const more = lines.length > shown.length ? [`… and ${lines.length - shown.length} more`] : [];
  return fail(new RunnerError("usage", [...shown, ...more].join("\n"), remedy === undefined ? {} : { remedy }));
}
