import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createVersionReader, versionsFile } from "../../../kit/tools/index.ts";
import { RunnerError } from "../../../protocol/errors.ts";
import { type JobContext, ToolError } from "../../handler.ts";
import type { HelmWork } from "./helm-work.ts";

/** The helm of one job. */
export interface Helm {
  readonly major: 3 | 4;
  /** stdout goes into `capture` (a file of the workspace) when given, else into the log. Throws ToolError with helm's own words. */
  run(call: HelmCall): Promise<void>;
}

export interface HelmCall {
  /** Unique within the execution; names the call in reasons. */
  readonly key: string;
  readonly args: readonly [string, ...string[]];
  readonly capture?: string;
}

/** `kubeconfig` null: commands that reach no cluster. */
export async function openHelm(ctx: JobContext<unknown>, work: HelmWork, kubeconfig: string | null): Promise<Helm> {
  const program = await findProgram(ctx, work);
  const env = helmEnv(ctx, work, kubeconfig);
  const cwd = ctx.workspace.root;
  const run = async ({ key, args, capture }: HelmCall) => {
    try {
      const file = capture === undefined ? {} : { capture: ctx.workspace.path(capture) };
      await ctx.exec({ key, argv: [program, ...args], env, cwd, ...file });
    } catch (error) {
      throw error instanceof ToolError ? new ToolError(key, error.end, failureReason(key, error)) : error;
    }
  };
  return { major: majorOf((await knownVersion(ctx, program)) ?? (await askVersion(ctx, run))), run };
}

/** As the finder keeps it: helm is asked once per machine, not with every job. null: a script that says nothing there. */
const knownVersion = ({ tools }: JobContext<unknown>, program: string) =>
  createVersionReader(versionsFile(tools.cacheDir)).version("helm", program);

async function askVersion(ctx: JobContext<unknown>, run: Helm["run"]): Promise<string> {
  await run({ key: "version", args: ["version", "--template={{.Version}}"], capture: "helm-version" });
  return readFileSync(ctx.workspace.path("helm-version"), "utf8");
}

/** Asked once per execution: the same program runs every step, also after a restart with another PATH. */
async function findProgram(ctx: JobContext<unknown>, { options }: HelmWork): Promise<string> {
  const path = ctx.workspace.path("program");
  const known = existsSync(path) ? readFileSync(path, "utf8") : "";
  if (known !== "" && existsSync(known)) return known;
  const program = await ctx.tools.find("helm", options.version);
  writeFileSync(path, program, { mode: 0o600 });
  return program;
}

function majorOf(version: string): Helm["major"] {
  const major = /^v?(\d+)\./.exec(version.trim())?.[1];
  if (major === "3" || major === "4") return major === "3" ? 3 : 4;
  throw new RunnerError("environment", `this helm says it is ${JSON.stringify(version.trim().slice(0, 40))}`, {
    remedy: "Install helm 3 or 4, or name an exact version in the job (spec.version).",
  });
}

/** Nothing of the machine's own helm is read or changed: no repositories, no plug-ins, no logins. */
function helmEnv(ctx: JobContext<unknown>, work: HelmWork, kubeconfig: string | null): Record<string, string> {
  const home = ctx.workspace.path("helm-home");
  const folder = (name: string) => {
    const path = `${home}/${name}`;
    mkdirSync(path, { recursive: true, mode: 0o700 });
    return path;
  };
  return ctx.tools.env({
    HELM_CACHE_HOME: folder("cache"),
    HELM_CONFIG_HOME: folder("config"),
    HELM_DATA_HOME: folder("data"),
    HELM_PLUGINS: folder("plugins"),
    DOCKER_CONFIG: folder("docker"),
    HELM_NAMESPACE: work.namespace,
    HELM_DRIVER: work.driver === "configmap" ? "configmap" : "secret",
    HELM_MAX_HISTORY: String(work.options.historyLimit),
    ...(kubeconfig === null ? {} : { KUBECONFIG: kubeconfig }),
  });
}

function failureReason(key: string, { end }: ToolError): string {
  const failed = `helm ${key} failed (${end.code === null ? "exit code lost" : `exit ${end.code}`})`;
  const said = helmError(end.tail);
  return said === null ? failed : `${failed}: ${said}`;
}

/** Helm's last `Error: …`, with the lines that go on from it. */
export function helmError(tail: string): string | null {
  const at = tail.lastIndexOf("Error: ");
  if (at === -1) return null;
  const lines = tail.slice(at + "Error: ".length).split("\n");
  const said = lines.map((line) => line.trim()).filter(Boolean);
  return said.join("; ").slice(0, 600) || null;
}
