import { existsSync, mkdirSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { readOutputs } from "../../../kit/outputs/read-outputs.ts";
import { RunnerError } from "../../../protocol/errors.ts";
import { packageFault, type ScriptPlan, scriptPlan } from "../../../protocol/plans-ours.ts";
import { type Handler, type JobContext, ToolError } from "../../handler.ts";
import { endedText } from "../ended-text.ts";
import { jobEnvironment } from "../job-environment.ts";
import { secretEnvValues } from "../secret-values.ts";
import { emptyFolder, folderInSource, placeInSource } from "../source-folder.ts";
import { findInterpreter, languageOf } from "./languages.ts";
import { packageFolder, removeUnfinished } from "./packages.ts";

type Context = JobContext<ScriptPlan>;
const WHO = "the script";

/** Runs one script in a language of its own choice; ours alone, a Go runner never sees the type. */
export const script: Handler<ScriptPlan> = {
  types: ["script"],
  plan: scriptPlan,

  async fetch(ctx) {
    ctx.secrets.register(...secretEnvValues(ctx.plan.env_vars, ctx.options.sensitive_vars));
    const { source, git_source: git } = ctx.plan;
    if (!source && !git?.url) return;
    const into = emptyFolder(sourceFolder(ctx));
    if (source) await ctx.sources.oci({ registry: source.registry, tag: source.tag }, into);
    else if (git?.url) {
      const { url, ref, path, recurse_submodules: submodules, known_hosts: knownHosts } = git;
      const source = { url, ref: ref ?? "", path: path ?? "", submodules: submodules ?? false, knownHosts };
      await ctx.sources.git(source, into);
    }
  },

  async validate(ctx) {
    checkPlan(ctx.plan);
    if (ctx.plan.file && !statSync(fileOf(ctx), { throwIfNoEntry: false })?.isFile()) {
      throw new RunnerError("job", `its source has no file ${ctx.plan.file}`, {
        remedy: "Check `file`; it is relative to the folder of the source.",
      });
    }
    findInterpreter(ctx.plan.language, environmentOf(ctx));
  },

  async initialize(ctx) {
    const file = fileOf(ctx);
    if (ctx.plan.code) {
      mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
      writeFileSync(file, ctx.plan.code, { mode: 0o600 });
    }
    writeFileSync(outputsFile(ctx), "", { mode: 0o600 });
    if (ctx.plan.stdin) writeFileSync(stdinFile(ctx), ctx.plan.stdin, { mode: 0o600 });
    const env = environmentOf(ctx);
    const folder = await packageFolder(ctx, findInterpreter(ctx.plan.language, env), env);
    const link = packagesLink(ctx);
    rmSync(link, { force: true });
    if (folder !== null) symlinkSync(ctx.plan.language === "python" ? folder : join(folder, "node_modules"), link);
  },

  async execute(ctx) {
    const { plan } = ctx;
    const env = environmentWithPackages(ctx);
    const program = findInterpreter(plan.language, env);
    const [first, ...rest] = languageOf(plan.language).argv(program, fileOf(ctx));
    const argv: [string, ...string[]] = [first, ...rest, ...(plan.args ?? [])];
    const stdin = plan.stdin ? { stdin: stdinFile(ctx) } : {};
    const run = () => ctx.exec({ key: "script", argv, env, cwd: workFolder(ctx), ...stdin });
    await ctx.step({ name: "script" }, () =>
      run().catch((error: unknown) => {
        if (!(error instanceof ToolError)) throw error;
        throw new ToolError("script", error.end, `${WHO} ${endedText(error.end)}`);
      }),
    );
    return null;
  },

  outputs: async (ctx) => ({ values: readOutputs(outputsFile(ctx)), sensitive: [] }),

  cleanup: async (ctx) => removeUnfinished(ctx),
};

/** Throws RunnerError (job); what a job file cannot say wrong, an exact plan can. */
function checkPlan(plan: ScriptPlan): void {
  const wrong = (what: string) => new RunnerError("job", `the plan of this script cannot be used: ${what}`);
  if (!plan.code === !plan.file) throw wrong("it needs exactly one of code and file");
  if (plan.file && !plan.source && !plan.git_source?.url) throw wrong("it names a file but no source");
  if (plan.args?.some((arg) => arg.includes("\0"))) throw wrong("an argument has a NUL byte");
  for (const name of plan.packages ?? []) {
    const fault = packageFault(plan.language, name);
    if (fault !== null) throw wrong(fault);
  }
}

const sourceFolder = (ctx: Context) => ctx.workspace.path("source");
const outputsFile = (ctx: Context) => ctx.workspace.path("outputs");
const stdinFile = (ctx: Context) => ctx.workspace.path("stdin");

/** Above the script's own folder, where both Node and Bun look for modules; a Python environment under its own name. */
const packagesLink = (ctx: Context) => ctx.workspace.path(ctx.plan.language === "python" ? "venv" : "node_modules");

/** The `path` of the source, else a folder of the script's own. */
function workFolder(ctx: Context): string {
  const { source, git_source: git } = ctx.plan;
  if (!source && !git?.url) return ctx.workspace.path("script");
  return folderInSource(sourceFolder(ctx), (source ? source.path : git?.path) || ".", WHO);
}

/** A script given as text lies in its work folder too, so that what it imports from there is found. */
function fileOf(ctx: Context): string {
  const { plan } = ctx;
  const folder = workFolder(ctx);
  if (plan.file) return placeInSource(folder, plan.file, WHO);
  const name = plan.source || plan.git_source?.url ? ".runner-script" : "script";
  return join(folder, name + languageOf(plan.language).ending(plan.code ?? ""));
}

function environmentOf(ctx: Context): Record<string, string> {
  const ours = { ...languageOf(ctx.plan.language).env, RUNNER_OUTPUT: outputsFile(ctx) };
  return jobEnvironment(ctx.tools, { who: WHO, layers: [ours, ctx.plan.env_vars], ours });
}

/** Programs that packages bring come first on PATH: a Python environment brings its own `python3`. */
function environmentWithPackages(ctx: Context): Record<string, string> {
  const env = environmentOf(ctx);
  const link = packagesLink(ctx);
  if (!existsSync(link)) return env;
  const programs = ctx.plan.language === "python" ? "bin" : ".bin";
  return { ...env, PATH: `${join(link, programs)}:${env.PATH ?? ""}` };
}
