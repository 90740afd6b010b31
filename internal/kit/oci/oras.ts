import { lstat, readdir, readlink } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import { RunnerError } from "../../protocol/errors.ts";
import { runGroup } from "../exec/index.ts";
import type { FolderPull } from "./pull.ts";

export interface OrasOptions {
  /** Absolute path of the program. */
  readonly program: string;
  /** Whole environment of oras; its HOME holds no login of a person. */
  readonly env: Readonly<Record<string, string>>;
  /** File with the PEM of a private CA. */
  readonly caFile?: string;
  readonly signal: AbortSignal;
}

/**
 * Pulls an artifact whose layers are archived folders with the oras CLI. The password goes through stdin. What it
 * unpacked is looked over before anybody uses it: links that lead out, special files and more bytes than allowed are
 * refused. Throws RunnerError: job, protocol, cancelled.
 */
export async function orasPull(pull: FolderPull, options: OrasOptions): Promise<{ files: number; bytes: number }> {
  const { source, digest, into } = pull;
  const login = source.credentials;
  const argv = [
    options.program,
    "pull",
    ...(pull.plainHttp ? ["--plain-http"] : []),
    ...(options.caFile === undefined || pull.plainHttp ? [] : ["--ca-file", options.caFile]),
    ...(login ? ["--username", login.username, "--password-stdin"] : []),
    "--no-tty",
    "--output",
    into,
    `${source.host}/${source.repository}@${digest}`,
  ];
  const done = await runGroup(options.signal)(argv, options.env, into, login?.password);
  if (options.signal.aborted) throw new RunnerError("cancelled", "the pull was stopped");
  if (done.code !== 0) {
    const said = /^Error(?: response from registry)?: (.+)$/m.exec(done.stderr)?.[1] ?? `exit code ${done.code}`;
    throw new RunnerError("job", `oras could not pull ${source.host}/${source.repository}: ${said.slice(0, 300)}`);
  }
  return await lookOver(into, pull.maxBytes);
}

async function lookOver(root: string, maxBytes: number): Promise<{ files: number; bytes: number }> {
  let files = 0;
  let bytes = 0;
  for (const name of await readdir(root, { recursive: true })) {
    const path = join(root, name);
    const facts = await lstat(path);
    if (facts.isSymbolicLink()) {
      const target = relative(root, resolve(dirname(path), await readlink(path)));
      if (target === ".." || target.startsWith(`..${sep}`)) throw refused(`the link ${name} leads out of the folder`);
    } else if (facts.isFile()) {
      files += 1;
      bytes += facts.size;
      if (bytes > maxBytes) throw refused(`it holds more than ${maxBytes} bytes`);
    } else if (!facts.isDirectory()) throw refused(`${name} is a special file`);
  }
  return { files, bytes };
}

const refused = (why: string) =>
  new RunnerError("protocol", `the artifact is refused: ${why}`, { remedy: "Have its maker pack it again." });
