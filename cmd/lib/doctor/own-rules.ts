import { existsSync, readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { type Profile, readProfiles } from "../../../internal/kit/containers/index.ts";
import { readPolicy } from "../../../internal/kit/policy/index.ts";
import { readTrustedKeys } from "../../../internal/kit/signing/index.ts";
import { fail, ok, type Result, RunnerError, reasonOf } from "../../../internal/protocol/errors.ts";
import type { Plugins } from "../../../internal/runner/plugins/load-plugins.ts";
import { changeableBy } from "../../../internal/runner/plugins/only-ours.ts";
import { type Finding, findings } from "./finding.ts";

/** A file in which this machine's owner says what may be worked. */
interface RulesFile {
  readonly check: string;
  /** As given; null: there is none. */
  readonly given: string | null;
  readonly cwd: string;
  readonly uid: number;
  /** The flag and its variable. */
  readonly setting: string;
  /** What is true without one. */
  readonly without: string;
  /** What somebody who could change it would decide. */
  readonly decides: string;
  /** What it says, in one line; or why it cannot be used. */
  readonly read: (text: string, file: string) => Result<string>;
}

/** Readable, valid, and nobody else's to change. */
function checkRules({ check, given, cwd, uid, setting, without, decides, read }: RulesFile): Finding {
  const say = findings(check);
  if (given === null) return say.ok(without);
  const file = resolve(cwd, given);
  let text: string;
  let openTo: number;
  try {
    text = readFileSync(file, "utf8");
    openTo = statSync(file).mode & 0o022;
  } catch (error) {
    return say.failed(`${file} cannot be read: ${reasonOf(error)}`, `Check ${setting}, owner and mode.`);
  }
  const said = read(text, file);
  if (!said.ok) return say.failed(said.error.message, said.error.remedy ?? "Correct the file.");
  const why = changeableBy(file, uid);
  const remedy = "chown and chmod go-w it.";
  // The runner itself refuses such a file; the folders above it are its owner's care.
  if (openTo !== 0)
    return say.failed(`${why ?? file}: it is not used while others than its owner can write it`, remedy);
  if (why !== null) return say.warning(`${why}: whoever can change it decides ${decides}`, remedy);
  return say.ok(`${file}, ${said.value}`);
}

type Given = Pick<RulesFile, "given" | "cwd" | "uid">;

export const checkPolicy = (given: Given): Finding =>
  checkRules({
    ...given,
    check: "policy",
    setting: "--policy (RUNNER_POLICY)",
    without: "none: every job is worked",
    decides: "what is worked",
    read: (text, file) => {
      const policy = readPolicy(text, file);
      return policy.ok ? ok(`${policy.value.rules.length} rules`) : policy;
    },
  });

export const checkTrustedKeys = (given: Given): Finding =>
  checkRules({
    ...given,
    check: "trusted keys",
    setting: "--trust-keys (RUNNER_TRUST_KEYS)",
    without: "none: work need not be signed",
    decides: "whose work is taken",
    read: (text, file) => {
      const keys = readTrustedKeys(text, file);
      return keys.ok ? ok(`only work signed by ${[...keys.value.keys()].join(", ")} is taken`) : keys;
    },
  });

export const checkProfiles = (given: Given): Finding =>
  checkRules({
    ...given,
    check: "profiles",
    setting: "--container-profiles (RUNNER_CONTAINER_PROFILES)",
    without: "none: containers get no more than they have by default",
    decides: "what containers may do",
    read: (text, file) => {
      const profiles = readProfiles(text, file);
      if (!profiles.ok) return profiles;
      const absent = Object.entries(profiles.value).flatMap(([name, profile]) =>
        namedPaths(profile).flatMap((path) => (existsSync(path) ? [] : [`${name} names ${path}, which is not there`])),
      );
      if (absent.length > 0) return fail(new RunnerError("environment", `${file}: ${absent.join("; ")}`, ABSENT));
      return ok(Object.keys(profiles.value).join(", ") || "no profile in it");
    },
  });

const ABSENT = { remedy: "Make it, or correct the file: a job with this profile would fail." };

const namedPaths = ({ mounts, devices, env_file, victoria_home }: Profile): string[] => [
  ...mounts.map(({ from }) => from),
  ...devices,
  ...(env_file === undefined ? [] : [env_file]),
  ...(victoria_home === undefined ? [] : [victoria_home]),
];

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
