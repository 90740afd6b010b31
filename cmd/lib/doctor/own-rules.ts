import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { readPolicy } from "../../../internal/kit/policy/index.ts";
import { reasonOf } from "../../../internal/protocol/errors.ts";
import type { Plugins } from "../../../internal/runner/plugins/load-plugins.ts";
import { changeableBy } from "../../../internal/runner/plugins/only-ours.ts";
import { type Finding, findings } from "./finding.ts";

/** The policy of this machine's owner: readable, valid, and nobody else's to change. */
export function checkPolicy(given: string | null, cwd: string, uid: number): Finding {
  const say = findings("policy");
  if (given === null) return say.ok("none: every job is worked");
  const file = resolve(cwd, given);
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    return say.failed(`${file} cannot be read: ${reasonOf(error)}`, "Check --policy (RUNNER_POLICY), owner and mode.");
  }
  const policy = readPolicy(text, file);
  if (!policy.ok) return say.failed(policy.error.message, policy.error.remedy ?? "Correct the file.");
  const why = changeableBy(file, uid);
  if (why !== null)
    return say.warning(`${why}: whoever can change it decides what is worked`, "chown and chmod go-w it.");
  return say.ok(`${file}, ${policy.value.rules.length} rules`);
}

/** One finding for each plug-in: what it brings, or why it is not used. */
export function checkPlugins({ loaded, refused }: Plugins): Finding[] {
  const say = findings("plug-in");
  return [
    ...loaded.map(({ file, types }) => say.ok(`${types.join(", ")}, ${file}`)),
    ...refused.map(({ file, reason, remedy }) =>
      say.failed(reason.includes(file) ? reason : `${file}: ${reason}`, remedy),
    ),
  ];
}
