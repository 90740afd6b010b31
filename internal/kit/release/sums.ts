import { fail, ok, type Result, RunnerError } from "../../protocol/errors.ts";
import { isReleasePath } from "./manifest.ts";

export const SUMS = "SHA256SUMS";
export const SUMS_SIGNATURE = "SHA256SUMS.sig";
export const SUMS_SSH_SIGNATURE = "SHA256SUMS.sshsig";
/** What `ssh-keygen -Y verify -n` is told. */
export const SSH_NAMESPACE = "runner-release";
/** Not in the sums: they are made from them. */
export const UNSUMMED: readonly string[] = [SUMS, SUMS_SIGNATURE, SUMS_SSH_SIGNATURE];

/** File in the release → SHA-256, lower-case hex. */
export type ReleaseSums = ReadonlyMap<string, string>;

/** Reads SHA256SUMS as strictly as it is written: what two programs could read differently is refused (`policy`). */
export function readReleaseSums(text: string, place: string): Result<ReleaseSums> {
  const sums = new Map<string, string>();
  const lines = text.split("\n");
  if (lines.pop() !== "" || lines.length === 0) return refuse(place, lines.length, "it does not end with a line");
  for (const [index, line] of lines.entries()) {
    const [, sum, file = ""] = /^([0-9a-f]{64}) {2}(\S+)$/.exec(line) ?? [];
    if (sum === undefined || !isReleasePath(file))
      return refuse(place, index + 1, "not a SHA-256 and a plain file name");
    if (sums.has(file)) return refuse(place, index + 1, `${file} stands there twice`);
    sums.set(file, sum);
  }
  return ok(sums);
}

export function writeReleaseSums(sums: ReleaseSums): string {
  return [...sums]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([file, sum]) => `${sum}  ${file}\n`)
    .join("");
}

function refuse(place: string, line: number, why: string): Result<never> {
  return fail(
    new RunnerError("policy", `${place}/${SUMS}, line ${line}: ${why}`, {
      remedy: "Nothing was taken from it. Fetch the release again from where it was published.",
    }),
  );
}
