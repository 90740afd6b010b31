import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { RunnerError } from "../../../protocol/errors.ts";
import type { JobContext } from "../../handler.ts";
import { type ModuleFacts, moduleFacts } from "./module-facts.ts";
import { synthesisedFolder } from "./synth.ts";
import type { TerraformWork } from "./terraform-work.ts";
import { isJsonObject } from "./variables.ts";

type Workspace = JobContext<unknown>["workspace"];

/** Folder that the job names inside its unpacked source. */
export const sourceFolder = (workspace: Workspace, work: TerraformWork) => workspace.path("module", work.path);

/** Working folder of terraform: the same, or that of the stack that was synthesised from it. */
export const moduleFolder = (workspace: Workspace, work: TerraformWork) =>
  workspace.path("module", work.path, synthesisedFolder(workspace) ?? ".");

/** An empty folder for the source; what an interrupted fetch left there is removed. */
export function emptySourceFolder(workspace: Workspace): string {
  const folder = workspace.path("module");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return folder;
}

/** Check the unpacked module. Throws RunnerError (job) for what would make terraform use other state than the job's. */
export function checkedModule(workspace: Workspace, work: TerraformWork): ModuleFacts {
  const folder = moduleFolder(workspace, work);
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
    throw new RunnerError("job", `the source has no folder ${work.path}`, { remedy: "Check the source's path." });
  }
  const facts = moduleFacts(folder);
  if (facts.files === 0) {
    throw new RunnerError("job", `there is no .tf file in ${work.path === "." ? "the source" : work.path}`, {
      remedy: "Name the module's own folder as the path of the source.",
    });
  }
  const own = facts.ownBackend;
  if (own !== null && !isOurs(folder, own.file)) {
    throw new RunnerError("job", `the module configures its own ${own.kind} backend in ${own.file}`, {
      remedy: "Remove that block: the state of a job lies in its workspace on the control plane.",
    });
  }
  return facts;
}

/** Every setting of the backend comes in TF_HTTP_*, so that a saved plan holds neither address nor credential. */
const BACKEND = 'terraform {\n  backend "http" {}\n}\n';

/** Files of ours beside and in the module. Safe to repeat. */
export function prepareModule(workspace: Workspace, work: TerraformWork): void {
  const folder = moduleFolder(workspace, work);
  // A packed working copy may bring the state and plug-ins of its author.
  rmSync(join(folder, ".terraform"), { recursive: true, force: true });
  rmSync(join(folder, "terraform.tfstate"), { force: true });
  writeFileSync(join(folder, backendFile(folder)), BACKEND, { mode: 0o600 });
  const files = varFiles(workspace, work);
  mkdirSync(workspace.path("vars"), { recursive: true, mode: 0o700 });
  for (const file of files) writeFileSync(file.path, file.text, { mode: 0o600 });
  if (work.savedPlan !== null) writeFileSync(planFile(workspace), work.savedPlan, { mode: 0o600 });
}

export const planFile = (workspace: Workspace) => workspace.path("tfplan");

/** In the order terraform gets them: `vars` first, then each file, so that files override `vars`. */
export function varFiles(
  workspace: Workspace,
  work: TerraformWork,
): { readonly path: string; readonly text: string }[] {
  const texts = work.varsFiles.map((text, index) => ({
    path: workspace.path("vars", `vars-${index + 1}.${isJsonObject(text) ? "json" : "tfvars"}`),
    text,
  }));
  return [{ path: workspace.path("vars", "vars-0.json"), text: JSON.stringify(work.vars) }, ...texts];
}

/** A name the module does not use yet. */
function backendFile(folder: string): string {
  for (let n = 0; ; n += 1) {
    const name = `runner_backend${n === 0 ? "" : `_${n}`}.tf`;
    if (!existsSync(join(folder, name)) || isOurs(folder, name)) return name;
  }
}

function isOurs(folder: string, name: string): boolean {
  return name.startsWith("runner_backend") && readFileSync(join(folder, name), "utf8") === BACKEND;
}
