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
