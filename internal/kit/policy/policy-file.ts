import type { SystemLog } from "../base/system-log.ts";
import { type WatchedFile, watchFile } from "../base/watched-file.ts";
import { readPolicy } from "./read-policy.ts";
import type { Policy } from "./schema.ts";

/** The policy in force. */
export type PolicyFile = WatchedFile<Policy>;

/** Throws RunnerError (usage) when the file cannot be used: a runner that has a policy never starts without it. */
export const openPolicy = (path: string, log: SystemLog): PolicyFile =>
  watchFile({ path, what: "the policy", setting: "--policy (RUNNER_POLICY)", parse: readPolicy, log });
