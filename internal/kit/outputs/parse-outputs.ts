import { RunnerError } from "../../protocol/errors.ts";

/** What one step wrote: names to values; values of `key=value` are text, those of a JSON object keep their type. */
export type OutputValues = Readonly<Record<string, unknown>>;

/**
 * The grammar of RUNNER_OUTPUT, line by line (LF or CRLF):
 *
 * - `key=value`: text after the first `=`, unchanged;
 * - `{…}`: one JSON object, merged over what came before;
 * - `key<<END` … `END`: the lines between, joined by newlines;
 * - blank lines are ignored.
 *
 * A later key wins. Throws RunnerError (job) naming the line; never shows what stands in it, which may be a secret.
 */
export function parseOutputs(bytes: Uint8Array): OutputValues {
  // A Map, so that a key such as `__proto__` is a key like any other.
  const values = new Map<string, unknown>();
  const lines = decode(bytes).split("\n").map(withoutReturn);
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at] ?? "";
    const blank = line.trim() === "";
    if (blank) continue;
    if (/^\s*[{[]/.test(line)) {
      for (const [key, value] of Object.entries(jsonObject(line, at + 1))) values.set(key, value);
      continue;
    }
    const marker = /^([^=]+?)<<(.+)$/.exec(line);
    if (marker?.[1] !== undefined && marker[2] !== undefined) {
      const end = lines.indexOf(marker[2], at + 1);
      if (end < 0) throw bad(at + 1, "the line that ends this multi-line value is missing");
      values.set(marker[1], lines.slice(at + 1, end).join("\n"));
      at = end;
      continue;
    }
    const equals = line.indexOf("=");
    if (equals === 0) throw bad(at + 1, "there is no name before `=`");
    if (equals < 0) throw bad(at + 1, "it is neither key=value, key<<END nor a JSON object");
    values.set(line.slice(0, equals), line.slice(equals + 1));
  }
  return Object.fromEntries(values);
}

const withoutReturn = (line: string) => (line.endsWith("\r") ? line.slice(0, -1) : line);

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new RunnerError("job", "the outputs are not valid UTF-8", {
      remedy: "Encode binary values as base64.",
      cause,
    });
  }
}

function jsonObject(line: string, number: number): object {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    // The parser's own message quotes the text.
    throw bad(number, "it is not one complete JSON value");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw bad(number, "a JSON array has no names; write an object");
  }
  return value;
}

const bad = (line: number, what: string) =>
  new RunnerError("job", `line ${line} of the outputs cannot be read: ${what}`, {
    remedy: "Write key=value, one JSON object per line, or key<<END … END to $RUNNER_OUTPUT.",
  });
