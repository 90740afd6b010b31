import { z } from "zod";
import { jobType } from "./enums.ts";

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

/** A secret is named, not written: resolved as late as possible, on the machine that submits (env, file). */
export const secretRef = z.union([z.strictObject({ env: z.string() }), z.strictObject({ file: z.string() })]);
export const textOrSecret = z.union([
  z.string(),
  z.number().transform(String),
  z.boolean().transform(String),
  secretRef,
]);

export const pathSource = z.strictObject({
  /** Relative to the job file; packed and uploaded once by digest. */
  path: z.string().min(1),
  /** Pack this folder instead and work in `path` inside it, so that `../shared` resolves. */
  root: z.string().min(1).optional(),
  include: z.array(z.string()).optional(),
});
export const gitSourceSpec = z.strictObject({
  git: z.strictObject({ url: z.string().min(1), ref: z.string().min(1).optional(), path: z.string().optional() }),
});
export const sourceSpec = z.union([pathSource, gitSourceSpec]);
export type SourceSpec = z.infer<typeof sourceSpec>;

export const actionSpec = z.strictObject({
  env: z.record(z.string(), textOrSecret).optional(),
  steps: z
    .array(
      z
        .strictObject({
          name: z.string().min(1).max(100),
          source: sourceSpec.optional(),
          command: z.string().min(1).optional(),
          run: z.string().min(1).optional(),
          env: z.record(z.string(), textOrSecret).optional(),
        })
        .refine((step) => (step.command === undefined) !== (step.run === undefined), {
          message: "a step needs exactly one of command and run",
        }),
    )
    .min(1)
    .max(200)
    .refine((steps) => new Set(steps.map((step) => step.name)).size === steps.length, {
      message: "step names must differ",
    }),
});
export type ActionSpec = z.infer<typeof actionSpec>;

export const terraformSpec = z.strictObject({
  source: sourceSpec,
  version: z
    .string()
    .regex(/^\d+\.\d+\.\d+(-[0-9A-Za-z.]+)?$/, "an exact version such as 1.11.4")
    .optional(),
  workspace: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, "letters, digits, dot, dash and underscore"),
  vars: z.record(z.string(), z.unknown()).optional(),
  /** Relative to the job file; contents travel in the plan and override vars. */
  vars_files: z.array(z.string()).optional(),
  env: z.record(z.string(), textOrSecret).optional(),
  /** Names in vars whose values are secret. */
  sensitive: z.array(z.string()).optional(),
  verify: z.boolean().optional(),
});
export type TerraformSpec = z.infer<typeof terraformSpec>;

export const jobFile = z.strictObject({
  type: jobType,
  operation: z.enum(["plan", "apply", "destroy"]).optional(),
  approval: z.enum(["auto", "required"]).optional(),
  name: z.string().min(1).max(200).optional(),
  timeout: duration.optional(),
  /** Between the first signal and KILL when the job is stopped; the handler's own grace when left out. */
  cancel_grace: duration.optional(),
  retry: z.strictObject({ attempts: z.number().int().min(1).max(20) }).optional(),
  requires: z
    .strictObject({
      arch: z.enum(["amd64", "arm64"]).optional(),
      gpus: z.number().int().min(0).optional(),
      labels: z.record(z.string(), z.string()).optional(),
    })
    .optional(),
  resources: z.strictObject({ cpu: z.number().positive().optional(), memory: z.string().optional() }).optional(),
  spec: z.record(z.string(), z.unknown()).optional(),
  /** The exact wire plan of one job, instead of `spec`. */
  plan: z.record(z.string(), z.unknown()).optional(),
});
export type JobFile = z.infer<typeof jobFile>;
