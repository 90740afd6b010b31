import { RunnerError } from "../../protocol/errors.ts";
import type { ToolFinder } from "../handler.ts";

export type EnvLayer = Readonly<Record<string, string | null>> | null | undefined;

/**
 * Environment of a program of the job: the tool environment, then `layers`, lowest first. Names that begin with RUNNER_
 * carry the execution's marker and the outputs file: those of `ours` are kept whatever a layer says. Throws RunnerError
 * (job) that begins with `who` for a name or value no process can have.
 */
export function jobEnvironment(
  tools: Pick<ToolFinder, "env">,
  input: {
    readonly who: string;
    readonly layers: readonly EnvLayer[];
    readonly ours: Readonly<Record<string, string>>;
  },
): Record<string, string> {
  const merged: Record<string, string> = {};
  for (const layer of input.layers) {
    for (const [name, value] of Object.entries(layer ?? {})) merged[checkedName(input.who, name, value)] = value ?? "";
  }
  const kept = Object.entries({ ...tools.env({}), ...input.ours }).filter(([name]) => name.startsWith("RUNNER_"));
  return { ...tools.env(merged), ...Object.fromEntries(kept) };
}

function checkedName(who: string, name: string, value: string | null): string {
  const problem =
    name === "" || /[=\0]/.test(name) ? "is not a name" : value?.includes("\0") ? "has a NUL byte in its value" : null;
  if (problem === null) return name;
  throw new RunnerError("job", `${who}: the environment variable ${JSON.stringify(name)} ${problem}`);
}
