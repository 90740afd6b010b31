import type { ExtraProtocol, GitAddress } from "./address.ts";
import { type SshOptions, sshCommand } from "./ssh-command.ts";

export interface GitSurroundings {
  /** PATH, HOME, proxy and CA variables. */
  readonly env: Readonly<Record<string, string>>;
  readonly allow: readonly ExtraProtocol[];
  readonly ssh: SshOptions;
}

/**
 * Whole environment of a git process. The login lies in it and nowhere else: git asks for it by a helper that is bound
 * to the server's origin, so that neither another host behind a redirect nor a submodule elsewhere gets it.
 */
export function gitEnv(address: GitAddress, { env, allow, ssh }: GitSurroundings): Record<string, string> {
  const { login } = address;
  const helper: Record<string, string> = login ? { [`credential.${login.origin}.helper`]: TELL } : {};
  const given: Record<string, string> = login
    ? { RUNNER_GIT_USERNAME: login.username, RUNNER_GIT_PASSWORD: login.password }
    : {};
  return {
    ...env,
    ...QUIET,
    ...configVariables({ ...CONFIG, ...helper }),
    ...given,
    GIT_SSH_COMMAND: sshCommand(ssh),
    GIT_ALLOW_PROTOCOL: ["https", "ssh", ...allow].join(":"),
  };
}

const TELL =
  '!f() { test "$1" = get && printf "username=%s\\npassword=%s\\n" "$RUNNER_GIT_USERNAME" "$RUNNER_GIT_PASSWORD"; }; f';

/** Nothing may ask a person, and nothing of the host's own set-up may run. */
const QUIET = {
  GIT_TERMINAL_PROMPT: "0",
  GIT_ASKPASS: "",
  SSH_ASKPASS: "",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_LFS_SKIP_SMUDGE: "1",
  LC_ALL: "C",
};

const CONFIG: Readonly<Record<string, string>> = {
  "credential.helper": "",
  "core.askPass": "",
  "core.hooksPath": "/dev/null",
  "core.fsmonitor": "false",
  "core.protectHFS": "true",
  "core.protectNTFS": "true",
  "init.defaultBranch": "none",
  "advice.detachedHead": "false",
  "gc.auto": "0",
  "maintenance.auto": "false",
  // One pack a fetch: thousands of loose files would make the cache slow.
  "fetch.unpackLimit": "1",
  "http.lowSpeedLimit": "1000",
  "http.lowSpeedTime": "60",
};

function configVariables(config: Readonly<Record<string, string>>): Record<string, string> {
  const entries = Object.entries(config);
  const pairs = entries.flatMap(([key, value], index) => [
    [`GIT_CONFIG_KEY_${index}`, key],
    [`GIT_CONFIG_VALUE_${index}`, value],
  ]);
  return { GIT_CONFIG_COUNT: String(entries.length), ...Object.fromEntries(pairs) };
}
