export interface SshOptions {
  /** File with the host keys that are trusted; null: those of the runner's user and of the machine. */
  readonly knownHosts: string | null;
  /** File with host keys that the job itself names, beside those. */
  readonly alsoKnown?: string;
  /** Whether the key of a host that is not known yet is taken and remembered. A key that changed never is. */
  readonly acceptNew: boolean;
}

export const STRICT_SSH: SshOptions = { knownHosts: null, acceptNew: false };

/** For GIT_SSH_COMMAND, which a shell reads. */
export function sshCommand({ knownHosts, alsoKnown, acceptNew }: SshOptions): string {
  const own = knownHosts === null ? "~/.ssh/known_hosts" : sshPath(knownHosts);
  const files = alsoKnown === undefined ? [own] : [own, sshPath(alsoKnown)];
  const options = [
    "BatchMode=yes",
    "ConnectTimeout=20",
    `StrictHostKeyChecking=${acceptNew ? "accept-new" : "yes"}`,
    ...(knownHosts === null && alsoKnown === undefined ? [] : [`UserKnownHostsFile=${files.join(" ")}`]),
    ...(knownHosts === null ? [] : ["GlobalKnownHostsFile=/dev/null"]),
  ];
  return ["ssh", ...options.map((option) => `-o ${quoted(option)}`)].join(" ");
}

/** Ssh splits the value at spaces and puts other things in place of `%`. */
const sshPath = (path: string) => `"${path.replaceAll("%", "%%")}"`;
const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
