import { readFileSync, statSync } from "node:fs";
import { RunnerError, reasonOf } from "../../protocol/errors.ts";
import type { SystemLog } from "../base/system-log.ts";
import { readPolicy } from "./read-policy.ts";
import type { Policy } from "./schema.ts";

/** The policy in force, from a file that its owner may change at any time. */
export interface PolicyFile {
  /** The policy as the file says it now; as it said it last, where it cannot be used any more. */
  current(): Policy;
}

/** Throws RunnerError (usage) when the file cannot be used: a runner that has a policy never starts without it. */
export function openPolicy(file: string, log: SystemLog): PolicyFile {
  let text = readSafely(file);
  let policy = policyOf(text, file);
  let told = "";
  const complain = (error: unknown) => {
    const reason = reasonOf(error);
    if (reason !== told)
      log.error("the policy was changed and cannot be used; the former one stays in force", { file, reason });
    told = reason;
  };
  return {
    current() {
      try {
        const now = readSafely(file);
        if (now === text && told === "") return policy;
        policy = policyOf(now, file);
        if (now !== text) log.info("the policy was read again", { file, rules: policy.rules.length });
        text = now;
        told = "";
      } catch (error) {
        complain(error);
      }
      return policy;
    },
  };
}

function policyOf(text: string, file: string): Policy {
  const read = readPolicy(text, file);
  if (!read.ok) throw read.error;
  return read.value;
}

/** What anybody can write is nobody's policy. */
function readSafely(file: string): string {
  try {
    if ((statSync(file).mode & 0o022) !== 0) throw new Error("others than its owner can write it (chmod go-w)");
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new RunnerError("usage", `the policy ${file} cannot be used: ${reasonOf(cause)}`, {
      remedy: "Check --policy (RUNNER_POLICY) and the file.",
      cause,
    });
  }
}
