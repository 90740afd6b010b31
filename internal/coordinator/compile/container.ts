import { ok, type Result } from "../../protocol/errors.ts";
import type { ContainerSpec } from "../../protocol/job-specs/container.ts";
import type { Submission } from "../../protocol/operator.ts";
import type { ContainerPlan } from "../../protocol/plans-ours.ts";
import { plainEnv } from "./env.ts";
import { usage, wireSource } from "./sources.ts";

/** Everything of a container job that is not common to all jobs. Its group is ours, so a Go runner is never offered it. */
export interface CompiledContainer {
  readonly plan: ContainerPlan;
  readonly sources: readonly string[];
}

/** `gpus`: how many the job requires of its runner. */
export function compileContainer(
  spec: ContainerSpec,
  submission: Submission,
  gpus: number | undefined,
): Result<CompiledContainer> {
  const env = plainEnv(spec.env, "spec.env");
  if (!env.ok) return env;
  const files = plainTexts(spec.files, "spec.files");
  if (!files.ok) return files;
  const { cloud = false, ...login } = spec.credentials ?? {};
  const credentials = login.password === undefined ? ok(null) : plainTexts(login, "spec.credentials");
  if (!credentials.ok) return credentials;
  const { username = "", password = "" } = credentials.value ?? {};
  const { image, pull, entrypoint, command, workdir, pids, profile, victoria } = spec;
  const plan: ContainerPlan = {
    image,
    ...defined({ pull, entrypoint, command, workdir, pids, profile, victoria }),
    ...(credentials.value === null ? {} : { credentials: { username, password } }),
    ...(cloud ? { cloud_login: true } : {}),
    env_vars: env.value,
    files: files.value,
    ...(gpus ? { gpus } : {}),
  };
  if (spec.source === undefined) return ok({ plan, sources: [] });
  const found = wireSource(spec.source, "spec.source", submission);
  if (!found.ok) return found;
  const source = found.value;
  if (source.kind === "git") return ok({ plan: { ...plan, git_source: source.git }, sources: [] });
  return ok({ plan: { ...plan, source: source.artifact }, sources: source.digest === null ? [] : [source.digest] });
}

function plainTexts(
  given: Readonly<Record<string, unknown>> | undefined,
  place: string,
): Result<Record<string, string>> {
  const plain: Record<string, string> = {};
  for (const [name, value] of Object.entries(given ?? {})) {
    if (typeof value !== "string") {
      return usage(`${place}.${name}: a secret reference cannot be resolved here`, "Submit with `runner job submit`.");
    }
    plain[name] = value;
  }
  return ok(plain);
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

function defined<T extends object>(values: T): Defined<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Defined<T>;
}
