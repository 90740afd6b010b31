import { RunnerError } from "../../protocol/errors.ts";

/** File name of an archive → SHA-256, lower-case hex. */
export type ToolSums = ReadonlyMap<string, string>;

/**
 * Reads what `sha256sum` writes: one `<sum>  <file name>` a line; empty lines and lines that begin with `#` are left out.
 * Throws RunnerError usage that names file and line.
 */
export function readSums(text: string, file: string): ToolSums {
  const sums = new Map<string, string>();
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (/^\s*(?:#|$)/.test(line)) continue;
    const [, sum, path] = /^([0-9a-fA-F]{64})[ \t]+\*?(\S+)\s*$/.exec(line) ?? [];
    const refuse = (why: string) =>
      new RunnerError("usage", `${file}: line ${index + 1}: ${why}`, {
        remedy: "Write one `<sha256>  <file name>` a line, as sha256sum does.",
      });
    if (sum === undefined || path === undefined) throw refuse("not a SHA-256 and a file name");
    const name = path.replace(/^.*\//, "");
    const before = sums.get(name);
    if (before !== undefined && before !== sum.toLowerCase()) throw refuse(`a second, different sum of ${name}`);
    sums.set(name, sum.toLowerCase());
  }
  return sums;
}

/** The name a sum stands under. A vendor's file without the version in its name gets it: `kubectl-1.34.1`. */
export function sumName(file: string, tool: string, version: string): string {
  return file.includes(version) ? file : `${tool}-${version}`;
}
