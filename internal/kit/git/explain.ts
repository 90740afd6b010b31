import { RunnerError } from "../../protocol/errors.ts";
import type { GitAddress } from "./address.ts";

type Cause = readonly [RegExp, RunnerError["kind"], string, string];

/** What git says → what it means and what to do. The first that fits. */
const CAUSES: readonly Cause[] = [
  [
    /REMOTE HOST IDENTIFICATION HAS CHANGED|host key for .* has changed/i,
    "refused",
    "its host key is another one than the known one: somebody may stand in between",
    "ask its operator whether the key was changed; then replace the line of this host in known_hosts",
  ],
  [
    /could not read (Username|Password)|Authentication failed|HTTP 40[13]|error: 40[13]|Permission denied \(/i,
    "refused",
    "it asks for credentials that were not given, or refuses those that were",
    "check the token or key and its rights on this repository",
  ],
  [
    /repository .*not found|does not appear to be a git repository|error: 404|does not exist/i,
    "job",
    "there is no such repository, or it is not visible without credentials",
    "check the address, and whether the token may read it",
  ],
  [
    /couldn't find remote ref|not our ref|Server does not allow request/i,
    "job",
    "it does not have this ref",
    "name a branch, a tag or a full commit that exists there",
  ],
  [
    /Could not resolve host|Couldn't connect|Failed to connect|Connection (refused|timed out|reset)|unreachable|Operation too slow|early EOF|hung up/i,
    "unreachable",
    "it cannot be reached",
    "check the address, the network and the proxy settings of this machine",
  ],
  [/certificate|SSL/i, "unreachable", "its certificate is not trusted", "set SSL_CERT_FILE to the CA of this server"],
  [/protocol .* not allowed|transport .* not allowed/i, "job", "its protocol is not allowed", "use https or ssh"],
  [/No space left/i, "environment", "the disk is full", "free some space"],
];

/**
 * One line about a failed git command, with git's own words and without credentials. `knownHosts`: the file that host
 * keys are held to, null for that of the user.
 */
export function explain(
  command: string,
  stderr: string,
  address: GitAddress,
  knownHosts: string | null = null,
): RunnerError {
  const words = hide(lastWords(stderr), address);
  const unknown = unknownHost(stderr, address.url, knownHosts ?? "~/.ssh/known_hosts");
  if (unknown !== null) {
    return new RunnerError("refused", `git ${command} of ${address.url} failed: its host key is not known here`, {
      remedy: unknown,
    });
  }
  for (const [pattern, kind, meaning, remedy] of CAUSES) {
    if (pattern.test(stderr)) {
      return new RunnerError(kind, `git ${command} of ${address.url} failed: ${meaning} (${words})`, { remedy });
    }
  }
  return new RunnerError("job", `git ${command} of ${address.url} failed: ${words}`, {
    remedy: "try the same address and ref with git by hand",
  });
}

/** How to make a host known, for a person at its console. */
function unknownHost(stderr: string, url: string, file: string): string | null {
  if (!/Host key verification failed/i.test(stderr) || /HAS CHANGED/.test(stderr)) return null;
  const parsed = URL.parse(url);
  const host = parsed ? parsed.hostname : (/@([^:]+):/.exec(url)?.[1] ?? "HOST");
  const port = parsed?.port ? `-p ${parsed.port} ` : "";
  return (
    `compare the key of ${host} with the one its operator publishes, then add it: ` +
    `ssh-keyscan ${port}${host} >> ${/^[\w./~-]+$/.test(file) ? file : JSON.stringify(file)}`
  );
}

function lastWords(stderr: string): string {
  const lines = stderr
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean);
  const fatal = lines.findLast((line) => /^(fatal|error):/.test(line)) ?? lines.at(-1) ?? "it said nothing";
  return fatal.replace(/^(fatal|error):\s*/, "").slice(0, 300);
}

function hide(text: string, address: GitAddress): string {
  const shown = address.secrets.reduce((rest, secret) => rest.replaceAll(secret, "[redacted]"), text);
  return shown.replace(/(\w+:\/\/)[^\s/@]+@/g, "$1");
}
