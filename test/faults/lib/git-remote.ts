import { mkdirSync, writeFileSync } from "node:fs";
import { startGitServer } from "../../lib/git-server.ts";
import { makePki } from "../../lib/pki.ts";
import type { Sample } from "./jobs.ts";
import { sampleOf } from "./jobs.ts";
import type { Bed } from "./processes.ts";
import { startWire, type Wire } from "./tcp-proxy.ts";

const MIB = 1024 * 1024;
/** Asked for by the remote; a password of this kind must be found nowhere afterwards. */
export const GIT_TOKEN = "tok3n-of-the-remote-9131";

/** A private repository behind TLS, a login, and a wire that can be cut. */
export interface Remote {
  readonly wire: Wire;
  /** Answers in place of git while it is set. */
  answer: (() => Response) | null;
  /** Requests that the server saw. */
  readonly requests: () => number;
  /** Flags and environment of a runner that trusts it. */
  readonly flags: string[];
  readonly env: Record<string, string>;
  /** A job whose script lies in the repository. */
  job(name: string, options?: { timeout?: string }): Sample;
  stop(): void;
}

export async function startRemote(bed: Bed): Promise<Remote> {
  const pki = makePki(bed.path("pki"));
  const repositories = bed.path("repositories");
  const work = bed.path("repositories", "team");
  mkdirSync(work, { recursive: true });
  // Two MiB that do not pack: a fetch that can be met in its middle.
  writeFileSync(`${work}/large.bin`, crypto.getRandomValues(new Uint8Array(65_536)));
  for (let at = 0; at < (2 * MIB) / 65_536; at++) {
    writeFileSync(`${work}/large-${at}.bin`, crypto.getRandomValues(new Uint8Array(65_536)));
  }
  writeFileSync(
    `${work}/run.sh`,
    'echo begin >> "$TRACE"\necho "line one"\necho worked >> "$TRACE"\necho "answer=42" >> "$RUNNER_OUTPUT"\n',
  );
  const env = { PATH: process.env.PATH ?? "", HOME: "/nonexistent", GIT_CONFIG_NOSYSTEM: "1" };
  for (const args of [
    ["init", "--quiet", "--initial-branch=main"],
    ["add", "."],
    ["-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "--quiet", "-m", "first"],
  ]) {
    const done = Bun.spawnSync(["git", "-C", work, ...args], { env });
    if (!done.success) throw new Error(`git ${args[0]}: ${done.stderr}`);
  }
  const remote = { answer: null as Remote["answer"] };
  const server = startGitServer({
    root: repositories,
    login: () => `deploy:${GIT_TOKEN}`,
    tls: pki.issue("git"),
    before: () => remote.answer?.() ?? null,
  });
  const wire = await startWire({ port: server.port ?? 0 });
  return Object.assign(remote, {
    wire,
    requests: () => server.seen.length,
    flags: ["--ca-file", pki.ca],
    env: { SSL_CERT_FILE: pki.ca },
    job: (name: string, options: { timeout?: string } = {}) => {
      const trace = bed.path(`${name}.trace`);
      const file = bed.path(`${name}.yaml`);
      const login = "credentials: { username: deploy, password: { env: GIT_TOKEN } }";
      const git = `{ url: "https://127.0.0.1:${wire.port}/team.git", ref: main, ${login} }`;
      const timeout = options.timeout ? `timeout: ${options.timeout}\n` : "";
      writeFileSync(
        file,
        `type: script\nname: ${name}\n${timeout}spec:\n  language: shell\n  file: run.sh\n  env: { TRACE: "${trace}" }\n  source: { git: ${git} }\n`,
      );
      return sampleOf(file, trace, bed.path(`${name}.gate`));
    },
    stop: () => {
      wire.stop();
      void server.stop();
    },
  });
}
