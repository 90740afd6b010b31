import { z } from "zod";
import { gitSource, ociRegistry } from "./nuon/plans.ts";

/** Plan documents of our own job types. Strict: a runner refuses what it does not know rather than leave it out. */

/** Languages of a script job; `typescript` is another word for `bun`. */
export const SCRIPT_LANGUAGES = ["shell", "node", "python", "powershell", "bun", "typescript"] as const;
export const scriptLanguage = z.enum(SCRIPT_LANGUAGES);
export type ScriptLanguage = z.infer<typeof scriptLanguage>;

/** One exact package, as its manager writes it: `left-pad@1.3.0`, `@scope/name@2.0.1`, `requests[socks]==2.32.3`. */
const EXACT: Readonly<Partial<Record<ScriptLanguage, RegExp>>> = {
  node: /^(?:@[a-z0-9][a-z0-9._-]*\/)?[a-z0-9][a-z0-9._-]*@\d+\.\d+\.\d+(?:[-+][0-9A-Za-z.+-]+)?$/i,
  python: /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?(?:\[[A-Za-z0-9._,-]+\])?==[0-9][0-9A-Za-z.+!]*$/,
};

/** Why `name` is not one exact package of the language; null: it is. An exact name can never be taken for an option. */
export function packageFault(language: ScriptLanguage, name: string): string | null {
  const manager = language === "bun" || language === "typescript" ? "node" : language;
  const pattern = EXACT[manager];
  if (pattern === undefined) return `a script in ${language} has no packages; use node, bun, typescript or python`;
  if (pattern.test(name)) return null;
  const example = manager === "node" ? "left-pad@1.3.0" : "requests==2.32.3";
  return `"${name}" is not one package with its exact version; write it as ${example}`;
}

const MAX_PACKAGES = 200;

/** What a plan and a job file say about packages is checked alike. */
export const packageList = z.array(z.string().max(300)).max(MAX_PACKAGES);

export const scriptPlan = z.strictObject({
  language: scriptLanguage,
  /** The script itself; or `file` names one of the source. Exactly one of them. */
  code: z.string().nullish(),
  /** Relative to the source's folder. */
  file: z.string().nullish(),
  /** A packed folder in the coordinator's `/v2/`, or a repository; the script works in its `path`. */
  source: z.object({ registry: ociRegistry, tag: z.string(), path: z.string().nullish() }).nullish(),
  git_source: gitSource.nullish(),
  args: z.array(z.string()).nullish(),
  stdin: z.string().nullish(),
  env_vars: z.record(z.string(), z.string()).nullish(),
  packages: packageList.nullish(),
});
export type ScriptPlan = z.infer<typeof scriptPlan>;

/** A task in the form Victoria's runners take (victoria-protocol.md 3): the image's entry point understands it. */
export const victoriaTask = z.strictObject({
  /** Its first eight characters name the task's folder, so it should be a UUID. */
  task_id: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{7,99}$/, "8 letters, digits, dots or dashes at least")
    .describe("a UUID; its first eight characters name the task's folder"),
  prompt: z.string().min(1).describe("what the agent is asked to do"),
  /** Where a reporter inside the container reports to; its key comes as NODE_API_KEY of the environment. */
  orchestrator_url: z.string().nullish().describe("where a reporter inside the container reports to"),
  files: z
    .array(
      z.strictObject({
        /** Reduced to its last part. */
        name: z.string().min(1).describe("file name; a path is reduced to its last part"),
        content_base64: z.base64().describe("content, base64"),
        /** SHA-256 of the content, hexadecimal. */
        sha256: z
          .string()
          .regex(/^[0-9a-fA-F]{64}$/)
          .describe("SHA-256 of the content, hexadecimal; checked"),
      }),
    )
    .nullish()
    .describe("files laid beside the task"),
});
export type VictoriaTask = z.infer<typeof victoriaTask>;

export const PULL_POLICIES = ["missing", "always", "never"] as const;

export const containerPlan = z.strictObject({
  /** With or without host (docker.io), tag (latest) and digest. */
  image: z.string(),
  /** Default: missing. */
  pull: z.enum(PULL_POLICIES).nullish(),
  /** Of the image's registry. */
  credentials: z.strictObject({ username: z.string(), password: z.string() }).nullish(),
  /** The cloud of that registry makes the login, by the identity of the runner's machine. */
  cloud_login: z.boolean().exactOptional(),
  /** In place of the image's entry point. */
  entrypoint: z.array(z.string()).nullish(),
  /** In place of the image's command: arguments of the entry point. */
  command: z.array(z.string()).nullish(),
  /** Absolute; default /workspace. */
  workdir: z.string().nullish(),
  env_vars: z.record(z.string(), z.string()).nullish(),
  /** Contents by absolute path inside; read-only there. */
  files: z.record(z.string(), z.string()).nullish(),
  /** Lies at /workspace, writable. */
  source: z.object({ registry: ociRegistry, tag: z.string(), path: z.string().nullish() }).nullish(),
  git_source: gitSource.nullish(),
  /** Most processes and threads. */
  pids: z.number().int().positive().nullish(),
  /** GPUs that the lease must grant. */
  gpus: z.number().int().min(0).nullish(),
  /** Name of a relaxation that the runner's operator approved. */
  profile: z.string().nullish(),
  victoria: victoriaTask.nullish(),
});
export type ContainerPlan = z.infer<typeof containerPlan>;
