import { accessSync, constants, statSync } from "node:fs";
import { resolve, sep } from "node:path";
import { RunnerError } from "../../internal/protocol/errors.ts";
import { readFile } from "./read-file.ts";
import { resolveSecrets } from "./resolve-secrets.ts";
import { filesOf, type JobInput, sourcesOf } from "./submit.ts";

/**
 * What a job file names on this machine (secrets, source folders, vars files) is there: said with the file's name before
 * anything is started or sent. Throws RunnerError usage.
 */
export function checkNamed(
  { parsed, folder }: JobInput,
  filename: string,
  env: Readonly<Record<string, string | undefined>>,
): void {
  try {
    resolveSecrets(parsed.document, { folder, env });
    for (const [place, { root, path }] of sourcesOf(parsed)) {
      checkFolder(place, resolve(folder, root ?? path));
      if (root !== undefined) checkFolder(`${place}.path`, innerFolder(place, resolve(folder, root), path));
    }
    for (const name of filesOf(parsed) ?? []) readFile(resolve(folder, name), "values file");
  } catch (error) {
    if (!(error instanceof RunnerError) || error.kind !== "usage") throw error;
    const remedy = error.remedy === undefined ? {} : { remedy: error.remedy };
    throw new RunnerError("usage", `${filename}: ${error.message}`, { ...remedy, cause: error });
  }
}

function innerFolder(place: string, root: string, path: string): string {
  const inner = resolve(root, path);
  if (inner === root || inner.startsWith(root + sep)) return inner;
  throw new RunnerError("usage", `${place}.path: ${JSON.stringify(path)} leads out of root, ${root}`, {
    remedy: "With root, path counts from it and stays inside it.",
  });
}

function checkFolder(place: string, path: string): void {
  const refuse = (why: string) =>
    new RunnerError("usage", `${place}: the folder ${path} ${why}`, {
      remedy: "Paths count from the job file's folder.",
    });
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) throw refuse("does not exist");
  if (!found.isDirectory()) throw refuse("is not a folder");
  try {
    accessSync(path, constants.R_OK | constants.X_OK);
  } catch {
    throw refuse("cannot be read by this user");
  }
}
