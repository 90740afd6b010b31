import { realpathSync } from "node:fs";
import { type ServiceWish, serviceDescription } from "../../../internal/kit/service/index.ts";
import { RunnerError } from "../../../internal/protocol/errors.ts";
import type { Context } from "../context.ts";

const INSTANCE = /^[a-z0-9][a-z0-9._-]{0,31}$/;
/** Their files would be another service's. */
const TAKEN = ["all", "install", "org", "mng", "runner", "runner-mng", "tools"];

/** The service that the options name. Throws RunnerError usage. */
export function wishOf({ values, sources }: Pick<Context, "values" | "sources">): ServiceWish {
  const { instance } = values;
  const mode = sources.mode.kind === "default" ? null : values.mode;
  if (mode === "mng" && instance !== null) {
    throw new RunnerError("usage", "--mode mng has no instances: one supervisor looks after the unit runner");
  }
  if (instance !== null && (!INSTANCE.test(instance) || TAKEN.includes(instance))) {
    throw new RunnerError("usage", `--instance ${instance} is no name for a runner of this machine`, {
      remedy: `Lower case letters, digits, dot, dash and underscore, 32 at most; not ${TAKEN.join(", ")}.`,
    });
  }
  if (mode === "mng") return { service: "mng", mode: null, instance: null, prefix: prefixFor(values.prefix) };
  return { service: "runner", mode, instance, prefix: prefixFor(values.prefix) };
}

/** ProtectHome hides these from the service. */
const HIDDEN = ["/home", "/root", "/run/user"];

function prefixFor(given: string | null): string {
  const prefix = given ?? installedPrefix(process.execPath) ?? serviceDescription().prefix;
  const hidden = HIDDEN.find((folder) => prefix === folder || prefix.startsWith(`${folder}/`));
  if (hidden && given !== null) {
    throw new RunnerError("usage", `--prefix ${prefix}: a service does not see what lies in ${hidden}`, {
      remedy: "Install into /usr/local or /opt.",
    });
  }
  if (!/^\/[\w./-]*$/.test(prefix)) {
    throw new RunnerError("usage", `--prefix ${prefix}: allowed is an absolute path without blanks and signs`);
  }
  return prefix;
}

/** `PREFIX/lib/runner/versions/<version>/runner`, as install.sh lays it out; null: it was not installed so. */
function installedPrefix(program: string): string | null {
  try {
    return /^(.+)\/lib\/runner\/versions\/[^/]+\/runner$/.exec(realpathSync(program))?.[1] ?? null;
  } catch {
    return null;
  }
}

/** The names of --with; null: not given. */
export function relaxationsOf({ values }: Pick<Context, "values">): readonly string[] | null {
  if (values.with === null) return null;
  const names = values.with
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  return [...new Set(names.filter((name) => name !== "none"))];
}
