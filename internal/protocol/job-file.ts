import { z } from "zod";
import { jobType, pluginType } from "./enums.ts";
import { packageFault, packageList, scriptLanguage } from "./plans-ours.ts";

/** What a person writes (DESIGN section 3, "Job file"). Strict: an unknown key is an error that names it. */

const MS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `90s`, `30m`, `1h30m`: text at the edge, milliseconds inside. A bare number is never a duration. */
export const duration = z.string({ error: "a duration such as 90s, 30m or 1h30m" }).transform((text, ctx) => {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)];
  if (parts.length === 0 || parts.map((p) => p[0]).join("") !== text.trim()) {
    ctx.addIssue({ code: "custom", message: `"${text}" is not a duration; write for example 90s, 30m or 1h30m` });
    return z.NEVER;
  }
  return parts.reduce((sum, [, n, unit]) => sum + Number(n) * (MS[unit ?? ""] ?? 0), 0);
});

const UNITS: Record<string, number> = { B: 1, KIB: 2 ** 10, MIB: 2 ** 20, GIB: 2 ** 30, KB: 1e3, MB: 1e6, GB: 1e9 };
const SIZE = "a size such as 512MiB or 4GiB";

/** `512MiB`, `4GiB`: text at the edge, bytes inside. A bare number is never a size. */
export const byteSize = z.string({ error: SIZE }).transform((text, ctx) => {
  const [, n, unit] = /^(\d+(?:\.\d+)?) ?([KMG]i?B|B)$/i.exec(text.trim()) ?? [];
  const bytes = Math.round(Number(n) * (UNITS[(unit ?? "").toUpperCase()] ?? Number.NaN));
  if (Number.isSafeInteger(bytes) && bytes > 0) return bytes;
  ctx.addIssue({ code: "custom", message: `"${text}" is not ${SIZE}` });
  return z.NEVER;
});

/** A secret is named, not written: resolved as late as possible, on the machine that submits (env, file). */
export const secretRef = z
  .union([
    z.strictObject({ env: z.string().describe("variable of the submitting machine whose value is meant") }),
    z.strictObject({ file: z.string().describe("file of the submitting machine whose content is meant") }),
  ])
  .meta({ title: "{ env: NAME } or { file: PATH }" });
export const textOrSecret = z.union([
  z.string(),
  z.number().transform(String),
  z.boolean().transform(String),
  secretRef,
]);

export const pathSource = z.strictObject({
  path: z.string().min(1).describe("folder, relative to the job file (with root: inside it); packed, uploaded once"),
  root: z
    .string()
    .min(1)
    .optional()
    .describe("pack this folder and work in `path` inside it, so that ../shared resolves"),
  include: z.array(z.string()).optional().describe("only files that match one of these patterns, such as modules/**"),
});
const credentials = z
  .strictObject({
    username: textOrSecret.optional().describe("user name; servers that take tokens often take any"),
    password: textOrSecret.describe("password or token"),
  })
  .describe("name the password: { env: NAME } or { file: PATH }");

/** Of a registry: as `credentials`, or made by its cloud. */
export const registryCredentials = z
  .strictObject({
    username: textOrSecret.optional().describe("user name; servers that take tokens often take any"),
    password: textOrSecret.optional().describe("password or token"),
    cloud: z
      .literal(true)
      .optional()
      .describe("in place of a password: made for ECR or ACR by the cloud identity of the runner's machine"),
  })
  .refine((one) => (one.password === undefined) === (one.cloud === true), "expected exactly one of password and cloud")
  .describe("name the password: { env: NAME } or { file: PATH }");

export const gitSourceSpec = z.strictObject({
  git: z
    .strictObject({
      url: z.string().min(1).describe("https or ssh address of the repository"),
      ref: z.string().min(1).optional().describe("branch, tag or full commit; the default branch when left out"),
      path: z.string().optional().describe("folder inside the repository"),
      submodules: z.boolean().optional().describe("check out submodules too, in theirs as well"),
      credentials: credentials.optional().describe("for https; a token is a password"),
      known_hosts: textOrSecret
        .optional()
        .describe("for ssh: lines of a known_hosts file with the keys of this host, or { file: PATH }"),
    })
    .describe("repository that the runner checks out"),
});
export const ociSourceSpec = z.strictObject({
  oci: z
    .strictObject({
      ref: z.string().min(1).describe("host/repository:tag or host/repository@sha256:…"),
      path: z.string().optional().describe("folder inside the artifact"),
      credentials: registryCredentials.optional().describe("of the registry; none for a public artifact"),
    })
    .describe("OCI artifact that the runner pulls"),
});
export const sourceSpec = z.union([pathSource, gitSourceSpec, ociSourceSpec]);
export type SourceSpec = z.infer<typeof sourceSpec>;

export const actionSpec = z.strictObject({
  env: z
    .record(z.string(), textOrSecret)
    .optional()
    .describe("variables of every step; a secret is { env: NAME } or { file: PATH }"),
  steps: z
    .array(
      z
        .strictObject({
          name: z.string().min(1).max(100).describe("for people; differs from the other steps"),
          source: sourceSpec.optional().describe("folder the step works in; an empty one when left out"),
          command: z.string().min(1).optional().describe("program and arguments by quoting rules; no shell sees it"),
          run: z.string().min(1).optional().describe("script: its own #! line, else sh -eu"),
          env: z.record(z.string(), textOrSecret).optional().describe("wins over env of the spec"),
        })
        .refine((step) => (step.command === undefined) !== (step.run === undefined), {
          message: "a step needs exactly one of command and run",
        }),
    )
    .min(1)
    .max(200)
    .refine((steps) => new Set(steps.map((step) => step.name)).size === steps.length, {
      message: "step names must differ",
    })
    .describe("one after another; the first that fails ends the job; each has exactly one of command and run"),
});
export type ActionSpec = z.infer<typeof actionSpec>;

export const terraformSpec = z.strictObject({
  tool: z.enum(["terraform", "tofu"]).optional().describe("terraform when left out"),
  source: sourceSpec.describe("the module"),
  version: z
    .string()
    .regex(/^\d+\.\d+\.\d+(-[0-9A-Za-z.]+)?$/, "an exact version such as 1.11.4")
    .optional()
    .describe("exact; found on PATH, else fetched with a checked SHA-256; the terraform on PATH when left out"),
  workspace: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, "letters, digits, dot, dash and underscore")
    .describe("name under which the coordinator keeps state and lock"),
  vars: z
    .record(z.string(), z.unknown())
    .optional()
    .describe("input variables; a secret is { env: NAME } or { file: PATH }"),
  vars_files: z
    .array(z.string())
    .optional()
    .describe("tfvars files, relative to the job file; contents travel in the plan and override vars"),
  env: z.record(z.string(), textOrSecret).optional().describe("variables of terraform's process"),
  sensitive: z.array(z.string()).optional().describe("names in vars whose values are secret"),
  stack: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, "letters, digits, dot, dash and underscore")
    .optional()
    .describe("stack of a source with a cdktf.json; not needed when there is one only"),
  hooks: z
    .strictObject({
      env: z.record(z.string(), textOrSecret).optional().describe("variables of the hooks, on top of env"),
    })
    .optional()
    .describe("run pre-apply.sh, post-apply.sh, error-apply.sh of the module (…-destroy.sh) around the apply"),
  verify: z.boolean().optional().describe("after an apply plan again; changes fail the job. Default: false"),
});
export type TerraformSpec = z.infer<typeof terraformSpec>;

export const scriptSpec = z
  .strictObject({
    language: scriptLanguage.describe("what reads it"),
    code: z.string().min(1).optional().describe("the script itself; or file"),
    file: z.string().min(1).optional().describe("file of the source, relative to its folder; or code"),
    source: sourceSpec.optional().describe("folder the script works in; an empty one when left out"),
    args: z
      .array(z.union([z.string(), z.number().transform(String)]))
      .optional()
      .describe("arguments, as they are"),
    stdin: z.string().optional().describe("text on standard input; nothing when left out"),
    env: z
      .record(z.string(), textOrSecret)
      .optional()
      .describe("variables of the script; a secret is { env: NAME } or { file: PATH }"),
    packages: packageList
      .optional()
      .describe("exact versions only, as the package manager of the language writes them"),
  })
  .superRefine((spec, ctx) => {
    if ((spec.code === undefined) === (spec.file === undefined)) {
      ctx.addIssue({ code: "custom", message: "a script needs exactly one of code and file" });
    }
    if (spec.file !== undefined && spec.source === undefined) {
      ctx.addIssue({ code: "custom", path: ["file"], message: "file is a file of the source; source is missing" });
    }
    for (const [index, name] of (spec.packages ?? []).entries()) {
      const fault = packageFault(spec.language, name);
      if (fault !== null) ctx.addIssue({ code: "custom", path: ["packages", index], message: fault });
    }
  });
export type ScriptSpec = z.infer<typeof scriptSpec>;

export const jobFile = z.strictObject({
  type: z.union([jobType, pluginType]).describe("what kind of work; `runner explain` lists the types"),
  operation: z
    .enum(["plan", "apply", "destroy"])
    .optional()
    .describe("for types with a plan: plan only, or a change. Default: apply"),
  approval: z
    .enum(["auto", "required"])
    .optional()
    .describe("required: a person approves the plan first. Default: auto"),
  approval_expiry: duration
    .optional()
    .describe("with approval: required, how long it waits for a person, such as 4h. Default: the coordinator's, 24h"),
  name: z.string().min(1).max(200).optional().describe("for people"),
  timeout: duration.optional().describe("of one attempt, such as 90s, 30m or 1h30m; a bare number is refused"),
  cancel_grace: duration
    .optional()
    .describe(
      "between the first signal and KILL when the job is stopped. Default: terraform 10m, helm 60s, others 10s",
    ),
  retry: z
    .strictObject({ attempts: z.number().int().min(1).max(20).describe("1 to 20. Default: 1") })
    .optional()
    .describe("attempts after a failure, a time-out or a lost runner; an apply is never repeated by itself"),
  requires: z
    .strictObject({
      arch: z.enum(["amd64", "arm64"]).optional().describe("processor of the machine"),
      gpus: z.number().int().min(0).optional().describe("at least this many"),
      labels: z
        .record(z.string(), z.string())
        .optional()
        .describe("labels that the runner must have, such as site: eu-1"),
    })
    .optional()
    .describe("which runners may take the job"),
  resources: z
    .strictObject({
      cpu: z.number().positive().optional().describe("processors, such as 2 or 0.5"),
      memory: byteSize.optional().describe("such as 4GiB or 512MiB"),
      pids: z.number().int().min(1).max(4_194_304).optional().describe("most processes and threads at once"),
    })
    .optional()
    .describe("limits of the work; what the machine cannot enforce stands in the log"),
  outputs: z
    .record(
      z.string().min(1),
      z.strictObject({
        required: z.boolean().optional().describe("fails the job when it is missing at the end. Default: false"),
        sensitive: z.boolean().optional().describe("shown as [redacted]. Default: as the work itself says"),
      }),
    )
    .optional()
    .describe("what is asked of outputs by name; others are kept too"),
  spec: z.record(z.string(), z.unknown()).optional().describe("the work itself"),
  plan: z.record(z.string(), z.unknown()).optional().describe("instead of spec: the exact wire plan of one job"),
});
export type JobFile = z.infer<typeof jobFile>;
