import { accessSync, constants, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { RunnerError } from "../../../protocol/errors.ts";
import { folderInSource } from "../source-folder.ts";
import type { ActionStep } from "./pair-steps.ts";

/** Where a step's own files lie: `<workspace>/steps/<key>/{source,run,outputs}`. */
export interface StepFiles {
  readonly folder: string;
  readonly source: string;
  readonly script: string;
  readonly outputs: string;
}

export function stepFiles(root: string, step: ActionStep): StepFiles {
  const folder = join(root, "steps", step.key);
  return { folder, source: join(folder, "source"), script: join(folder, "run"), outputs: join(folder, "outputs") };
}

/** Working folder of a step: the `path` of its source, else the workspace. */
export function stepFolder(root: string, step: ActionStep): string {
  if (step.source === null) return root;
  return folderInSource(stepFiles(root, step).source, step.source.path, `step "${step.name}"`);
}

/**
 * Program and arguments of a step. Inline contents start by their own shebang, else with `sh -eu`. In a command, a word
 * with a slash is a file of the source; a plain word too when the source has such a program, else it is looked up on
 * the PATH of `env`.
 */
export function stepArgv(
  step: ActionStep,
  at: { readonly root: string; readonly cwd: string; readonly env: Readonly<Record<string, string>> },
): [string, ...string[]] {
  if ("inline" in step.work) {
    const { script } = stepFiles(at.root, step);
    return step.work.inline.startsWith("#!") ? [script] : ["/bin/sh", "-eu", script];
  }
  const [program, ...args] = step.work.argv;
  if (program.includes("/")) return [ownProgram(step, resolve(at.cwd, program), program), ...args];
  const own = join(at.cwd, program);
  if (step.source !== null && programState(own) === "executable") return [own, ...args];
  const found = Bun.which(program, { PATH: at.env.PATH ?? "", cwd: at.cwd });
  if (found !== null) return [found, ...args];
  throw new RunnerError("job", `step "${step.name}": there is no program ${program} on the PATH`, {
    remedy: "Install it where the runner works, or call a script of the step's source as ./name.",
  });
}

function ownProgram(step: ActionStep, path: string, written: string): string {
  const state = programState(path);
  if (state === "executable") return path;
  const what = state === "missing" ? "does not exist in its source" : "is not executable";
  const remedy = state === "missing" ? "Check the path; it is relative to the source's folder." : `chmod +x ${written}`;
  throw new RunnerError("job", `step "${step.name}": ${written} ${what}`, { remedy });
}

function programState(path: string): "missing" | "not-executable" | "executable" {
  if (!statSync(path, { throwIfNoEntry: false })?.isFile()) return "missing";
  try {
    accessSync(path, constants.X_OK);
    return "executable";
  } catch {
    return "not-executable";
  }
}
