import { copyFileSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, posix } from "node:path";
import { z } from "zod";
import { RunnerError } from "../../../protocol/errors.ts";
import { type JobContext, ToolError } from "../../handler.ts";
import { endedText } from "../ended-text.ts";
import { placeInSource } from "../source-folder.ts";
import { appCommand } from "./synth-app.ts";
import { appPackages } from "./synth-packages.ts";
import type { TerraformWork } from "./terraform-work.ts";

type Context = JobContext<unknown>;
type Workspace = Context["workspace"];

const WHO = "the cdktf app";
const stackFile = (workspace: Workspace) => workspace.path("stack-folder");

/** Folder of the synthesised stack inside the module's folder; null: the module is what the source has. */
export function synthesisedFolder(workspace: Workspace): string | null {
  const file = stackFile(workspace);
  return existsSync(file) ? readFileSync(file, "utf8") : null;
}

const projectFile = z.looseObject({
  app: z.string().min(1),
  language: z.string().optional(),
  output: z.string().min(1).default("cdktf.out"),
  context: z.record(z.string(), z.unknown()).optional(),
  codeMakerOutput: z.string().default(".gen"),
  terraformProviders: z.array(z.unknown()).optional(),
  terraformModules: z.array(z.unknown()).optional(),
});
type Project = z.infer<typeof projectFile>;

/**
 * A source with a `cdktf.json` (CDK for Terraform, or CDK Terrain): its app is run, and the one stack it writes, or the
 * one the job names, becomes the module. Does nothing for any other source. Safe to repeat. Throws RunnerError, and
 * ToolError with the app's own complaint.
 */
export async function synthesise(ctx: Context, work: TerraformWork): Promise<void> {
  const folder = ctx.workspace.path("module", work.path);
  if (!existsSync(join(folder, "cdktf.json"))) {
    if (work.stack === null) return;
    throw new RunnerError("job", `the job names the stack ${work.stack}, and its source has no cdktf.json`, {
      remedy: "Leave `stack` out, or correct the path of the source.",
    });
  }
  if (synthesisedFolder(ctx.workspace) !== null) return;
  const project = readProject(join(folder, "cdktf.json"));
  const output = placeInSource(folder, project.output, `${WHO}, output of cdktf.json`);
  if (output === folder) throw bad("output of cdktf.json is the folder itself");
  await ctx.step({ name: "synth" }, () => runApp(ctx, work, project, { folder, output }));
  const stack = chosenStack(output, work.stack);
  ownState(join(output, stack.path, "cdk.tf.json"));
  const lock = join(folder, ".terraform.lock.hcl");
  if (existsSync(lock)) copyFileSync(lock, join(output, stack.path, ".terraform.lock.hcl"));
  ctx.log.info(`the stack ${stack.name} has been synthesised`);
  writeFileSync(stackFile(ctx.workspace), posix.join(project.output, stack.path), { mode: 0o600 });
}

function readProject(path: string): Project {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, "utf8"));
  } catch {
    throw bad("cdktf.json is not JSON");
  }
  const parsed = projectFile.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw bad(`cdktf.json: ${issue?.path.join(".")}: ${issue?.message}`);
}

async function runApp(
  ctx: Context,
  work: TerraformWork,
  project: Project,
  { folder, output }: { readonly folder: string; readonly output: string },
): Promise<void> {
  const base = ctx.tools.env(work.env);
  const command = appCommand(project.app, folder, base);
  const found = command.family === "other" ? {} : await appPackages(ctx, folder, command.family, base);
  const env = {
    ...base,
    ...command.env,
    ...found,
    CDKTF_OUTDIR: project.output,
    CDKTF_CONTEXT_JSON: JSON.stringify(project.context ?? {}),
    CI: "1",
  };
  // What its author synthesised is not what the app says now. A finished run is not repeated, so its files stay.
  if (!existsSync(ctx.workspace.path("synth-began"))) {
    rmSync(output, { recursive: true, force: true });
    writeFileSync(ctx.workspace.path("synth-began"), "", { mode: 0o600 });
  }
  try {
    await ctx.exec({ key: "synth", argv: command.argv, env, cwd: folder });
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    const said = complaint(error.end.tail);
    const reason = `${WHO} (${project.app}) ${endedText(error.end)}${said === null ? "" : `: ${said}`}`;
    const hint = missingBindings(project, folder) ? `; ${BINDINGS}` : "";
    throw new ToolError("synth", error.end, reason + hint);
  }
}

const BINDINGS =
  "its provider bindings are missing: commit what `cdktf get` made, or use the prebuilt provider packages";

const missingBindings = ({ terraformProviders, terraformModules, codeMakerOutput }: Project, folder: string) =>
  (terraformProviders?.length ?? 0) + (terraformModules?.length ?? 0) > 0 && !existsSync(join(folder, codeMakerOutput));

/** The line that says what is wrong, in the manner of Node, Bun, Python and most others. */
function complaint(tail: string): string | null {
  const plain = Bun.stripANSI(tail);
  const line = /^\s*((?:Uncaught )?(?:[\w.]*(?:Error|Exception)\b: |error: ).*\S)/m.exec(plain)?.[1];
  return line === undefined ? null : line.slice(0, 300);
}

interface Stack {
  readonly name: string;
  /** Below the output folder. */
  readonly path: string;
}

function chosenStack(output: string, wanted: string | null): Stack {
  const root = join(output, "stacks");
  const names = existsSync(root)
    ? readdirSync(root).filter((name) => statSync(join(root, name, "cdk.tf.json"), { throwIfNoEntry: false })?.isFile())
    : [];
  const listed = names.sort().join(", ");
  if (names.length === 0) {
    throw bad("the app has written no stack", "Check that it ends with app.synth() and uses the output of cdktf.json.");
  }
  if (wanted === null && names.length > 1) {
    throw bad(`it has several stacks: ${listed}`, "Name one with `stack` in the job's spec.");
  }
  const name = wanted === null ? names[0] : names.find((one) => one === wanted);
  if (name === undefined) throw bad(`it has no stack ${wanted}, only ${listed}`, "Correct `stack` in the job's spec.");
  return { name, path: posix.join("stacks", name) };
}

/** A stack without a backend is written with one in a local file: state lies with the control plane instead. */
function ownState(path: string): void {
  const stack = z.looseObject({ terraform: z.looseObject({ backend: z.looseObject({}).optional() }).optional() });
  const parsed = stack.safeParse(JSON.parse(readFileSync(path, "utf8")));
  if (!parsed.success) throw bad("its stack is not one that terraform reads");
  const { terraform } = parsed.data;
  if (terraform?.backend === undefined || !("local" in terraform.backend)) return;
  const { backend: _, ...rest } = terraform;
  writeFileSync(path, JSON.stringify({ ...parsed.data, terraform: rest }, null, 2));
}

const bad = (why: string, remedy?: string) =>
  new RunnerError("job", `the cdktf app cannot be synthesised: ${why}`, remedy === undefined ? {} : { remedy });
