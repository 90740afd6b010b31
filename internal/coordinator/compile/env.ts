import { ok, type Result } from "../../protocol/errors.ts";
import { usage } from "./sources.ts";

type EnvSpec = Readonly<Record<string, string | { env: string } | { file: string }>>;

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Environment of a submission: secret references are resolved by whoever submits, where the secret is. */
export function plainEnv(env: EnvSpec | undefined, place: string): Result<Record<string, string>> {
  const plain: Record<string, string> = {};
  for (const [name, value] of Object.entries(env ?? {})) {
    if (!NAME.test(name)) {
      return usage(`${place}: found the name ${JSON.stringify(name)}; expected letters, digits and underscore`);
    }
    if (typeof value !== "string") {
      return usage(`${place}.${name}: a secret reference cannot be resolved here`, "Submit with `runner job submit`.");
    }
    if (value.includes("\0")) return usage(`${place}.${name}: an environment value cannot hold a zero byte`);
    plain[name] = value;
  }
  return ok(plain);
}
