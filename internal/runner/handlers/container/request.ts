import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import {
  type ContainerRequest,
  type Engine,
  EXECUTION_LABEL,
  envCarriers,
  INSTANCE_LABEL,
  type Mount,
  type Profile,
} from "../../../kit/containers/index.ts";
import { RunnerError } from "../../../protocol/errors.ts";
import { folderInSource } from "../source-folder.ts";
import { type Context, chosenImage, containerName, limitsOf, places, profileOf, userOf, WHO } from "./container-job.ts";
import { victoriaCommand, victoriaEnvironment, victoriaMounts, writeTaskFiles } from "./victoria.ts";

const WORKSPACE = "/workspace";
const OUTPUT = "/runner/output";

/** Everything a container gets, as files of the workspace; may be called again. Throws RunnerError. */
export function writeInputs(ctx: Context, engine: Engine): void {
  const { plan } = ctx;
  const at = places(ctx);
  const profile = profileOf(ctx);
  const user = userOf(engine, profile);
  const ownUser = profile.user === undefined && engine.rootless;
  mkdirSync(at.source, { recursive: true, mode: 0o700 });
  handOver(workFolder(ctx), user, engine, ownUser);
  writeFileSync(at.outputs, "", { mode: 0o600 });
  handOver(at.outputs, user, engine, ownUser);
  rmSync(at.files, { recursive: true, force: true });
  mkdirSync(at.files, { mode: 0o700 });
  for (const [index, [, text]] of Object.entries(plan.files ?? {}).entries()) {
    const file = join(at.files, String(index));
    writeFileSync(file, text, { mode: 0o600 });
    handOver(file, user, engine, ownUser);
  }
  if (plan.victoria) writeTaskFiles(ctx, plan.victoria);
  writeFileSync(at.envFile, envCarriers(engine, variables(ctx)).file, { mode: 0o600 });
}

/** What the engine is asked for, and what its client's environment must carry. */
export function requestOf(
  ctx: Context,
  engine: Engine,
): { request: ContainerRequest; passed: Readonly<Record<string, string>> } {
  const { plan, execution } = ctx;
  const profile = profileOf(ctx);
  const { passed } = envCarriers(engine, variables(ctx));
  const limits = limitsOf(ctx, profile);
  const envFiles = [...(profile.env_file === undefined ? [] : [profile.env_file]), places(ctx).envFile];
  const request: ContainerRequest = {
    name: containerName(ctx),
    labels: { [INSTANCE_LABEL]: ctx.containers.instance, [EXECUTION_LABEL]: execution.id },
    image: chosenImage(ctx).id,
    entrypoint: plan.entrypoint ?? [],
    command: plan.victoria ? victoriaCommand(plan.victoria) : (plan.command ?? []),
    workdir: plan.workdir || WORKSPACE,
    user: userOf(engine, profile),
    ownUser: profile.user === undefined && engine.rootless,
    mounts: mountsOf(ctx, profile),
    envFiles,
    envNames: Object.keys(passed),
    ...limits,
    gpus: (ctx.options.gpus ?? []).slice(0, plan.gpus ?? 0),
    profile,
  };
  return { request, passed };
}

function mountsOf(ctx: Context, profile: Profile): Mount[] {
  const { plan } = ctx;
  const at = places(ctx);
  const own = (from: string, to: string, writable: boolean): Mount => ({ from, to, writable, own: true });
  if (ctx.workspace.root.includes(":")) {
    throw new RunnerError(
      "environment",
      `${WHO}: the state directory has a colon in its path, which ends a path for engines`,
      {
        remedy: "Start the runner with another --state-dir.",
      },
    );
  }
  const files = Object.keys(plan.files ?? {}).map((path, index) => own(join(at.files, String(index)), path, false));
  return [
    own(workFolder(ctx), WORKSPACE, true),
    own(at.outputs, OUTPUT, true),
    ...profile.mounts.map((mount): Mount => ({ ...mount, own: false })),
    ...(plan.victoria ? victoriaMounts(ctx, plan.victoria, profile) : []),
    ...files,
  ];
}

/** The source's folder, or an empty one. */
function workFolder(ctx: Context): string {
  const { source, git_source: git } = ctx.plan;
  const path = (source ? source.path : git?.path) || ".";
  return folderInSource(places(ctx).source, path, WHO);
}

function variables(ctx: Context): Record<string, string> {
  const { env_vars: own, victoria } = ctx.plan;
  return { HOME: "/tmp", ...(victoria ? victoriaEnvironment(victoria) : {}), ...own, RUNNER_OUTPUT: OUTPUT };
}

/** Values of an operator's env file. Throws RunnerError environment when it is missing. */
export function operatorSecrets({ env_file: file }: Profile): string[] {
  if (file === undefined) return [];
  if (!existsSync(file)) {
    throw new RunnerError("environment", `${WHO}: its profile names the env file ${file}, which is not there`);
  }
  const lines = readFileSync(file, "utf8").split(/\r?\n/);
  return lines.flatMap((line) => (/^\s*(?:#|$)/.test(line) ? [] : [line.slice(line.indexOf("=") + 1)]));
}

/**
 * Lets the container's user at a file or folder: it becomes the owner, or, where the runner has not the rights for that
 * or does not know the user, everybody may. The folder above is private.
 */
function handOver(path: string, user: string | null, engine: Engine, ownUser: boolean): void {
  // Without root rights the image's root is the runner's own user.
  if (ownUser || (engine.rootless && engine.name === "podman" && user === null)) return;
  const [uid = 0, gid = 0] = (user ?? "").split(":").map(Number);
  const give = (one: string): void => {
    const facts = lstatSync(one);
    const link = facts.isSymbolicLink();
    if (user !== null && !engine.rootless) {
      if (link) lchownSync(one, uid, gid);
      else chownSync(one, uid, gid);
    } else if (!link) chmodSync(one, (facts.mode & 0o7777) | (facts.isDirectory() ? 0o777 : 0o666));
    if (facts.isDirectory()) for (const name of readdirSync(one)) give(join(one, name));
  };
  give(path);
}
