import {
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { systemClock } from "../../../kit/base/clock.ts";
import { failpoint } from "../../../kit/base/failpoint.ts";
import { withFileLock } from "../../../kit/tools/index.ts";
import { RunnerError } from "../../../protocol/errors.ts";
import type { ScriptPlan } from "../../../protocol/plans-ours.ts";
import { type JobContext, StopError, type StopReason, ToolError } from "../../handler.ts";
import { endedText } from "../ended-text.ts";
import { AS_BUN, BUN_PROGRAM } from "./languages.ts";

type Context = JobContext<ScriptPlan>;

/** Longest wait for another job that installs the same packages. */
const LOCK_WAIT_MS = 15 * 60_000;

/** Where packages come from is part of what they are. */
const INDEX_NAMES = /^(npm_config_|bun_config_|pip_)/i;

/**
 * The folder with exactly the packages of this job, shared by all jobs that name the same ones: installed once into a
 * folder of its own and shown under its name only when it is complete, so that neither a crash nor two installs at once
 * can leave half a one. The lock only spares the second the work.
 */
export async function packageFolder(ctx: Context, program: string, env: Readonly<Record<string, string>>) {
  const packages = [...(ctx.plan.packages ?? [])].sort();
  if (packages.length === 0) return null;
  const manager = managerOf(ctx, program, env);
  const name = await nameOf(ctx, manager, packages, env);
  const shared = join(packagesRoot(ctx), name);
  if (existsSync(shared)) return realpathSync(shared);
  mkdirSync(packagesRoot(ctx), { recursive: true, mode: 0o700 });
  const wait = { clock: systemClock, maxWaitMs: LOCK_WAIT_MS, signal: ctx.signal };
  try {
    return await withFileLock(`${shared}.lock`, wait, async () => {
      if (existsSync(shared)) return realpathSync(shared);
      const own = ownFolder(ctx, name);
      await install(ctx, manager, { own, packages, env });
      const link = `${own}.link`;
      rmSync(link, { force: true });
      symlinkSync(own, link);
      failpoint("script.packages");
      renameSync(link, shared);
      return own;
    });
  } catch (error) {
    if (ctx.signal.aborted) throw new StopError(ctx.signal.reason as StopReason);
    throw error;
  }
}

/** Removes what this execution began to install and could not show. */
export function removeUnfinished(ctx: Context): void {
  const file = ctx.workspace.path("packages-folder");
  if (!existsSync(file)) return;
  const name = readFileSync(file, "utf8");
  const own = ownFolder(ctx, name);
  const shared = join(packagesRoot(ctx), name);
  if (existsSync(own) && !(existsSync(shared) && realpathSync(shared) === realpathSync(own))) {
    rmSync(own, { recursive: true, force: true });
  }
}

const packagesRoot = (ctx: Context) => join(ctx.tools.cacheDir, "packages");
const ownFolder = (ctx: Context, name: string) =>
  join(packagesRoot(ctx), `${name}.${ctx.execution.id}.${ctx.execution.epoch}`);

interface Manager {
  readonly name: "npm" | "bun" | "pip";
  /** Says what packages are built for; its answer is part of the folder's name. */
  readonly question: readonly [string, ...string[]] | null;
  readonly prepare?: (own: string) => [string, ...string[]];
  readonly install: (own: string) => [string, ...string[]];
  readonly env: (own: string) => Record<string, string>;
  readonly remedy: string;
}

function managerOf(ctx: Context, program: string, env: Readonly<Record<string, string>>): Manager {
  const cache = (name: string) => join(ctx.tools.cacheDir, "downloads", name);
  const remedy = "Check name and version of the packages, and that their registry can be reached from here.";
  if (ctx.plan.language === "python") {
    return {
      name: "pip",
      question: [program, "-c", "import sys; print(sys.version, sys.prefix, sys.platform)"],
      prepare: (own) => [program, "-m", "venv", own],
      install: (own) => [join(own, "bin", "python"), "-m", "pip", "install", "--no-input", "--progress-bar", "off"],
      env: () => ({
        PIP_DISABLE_PIP_VERSION_CHECK: "1",
        PIP_CACHE_DIR: cache("pip"),
        PIP_ROOT_USER_ACTION: "ignore",
        ...(env.SSL_CERT_FILE ? { PIP_CERT: env.SSL_CERT_FILE } : {}),
      }),
      remedy,
    };
  }
  const npm = ctx.plan.language === "node" ? Bun.which("npm", { PATH: env.PATH ?? "" }) : null;
  const node = "process.versions.modules + process.platform + process.arch";
  const question = ctx.plan.language === "node" ? ([program, "-p", node] as const) : null;
  if (npm !== null) {
    return {
      name: "npm",
      question,
      install: (own) => [
        npm,
        "install",
        "--prefix",
        own,
        "--no-audit",
        "--no-fund",
        "--no-package-lock",
        "--no-progress",
      ],
      env: () => ({
        npm_config_cache: cache("npm"),
        npm_config_update_notifier: "false",
        npm_config_logs_max: "0",
        // Its own pauses make a minute of a registry that is not trusted.
        npm_config_fetch_retry_mintimeout: "1000",
        npm_config_fetch_retry_maxtimeout: "5000",
        // npm has a list of its own; this adds the machine's.
        ...(env.SSL_CERT_FILE ? { NODE_EXTRA_CA_CERTS: env.SSL_CERT_FILE } : {}),
      }),
      remedy,
    };
  }
  return {
    name: "bun",
    question,
    install: (own) => [BUN_PROGRAM, "add", "--cwd", own, "--exact", "--no-progress"],
    env: (own) => ({ ...AS_BUN, BUN_INSTALL_CACHE_DIR: join(own, ".cache") }),
    remedy,
  };
}

/** Name of the folder: what is in it, what it is built for, and where it came from. */
async function nameOf(
  ctx: Context,
  manager: Manager,
  packages: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<string> {
  let builtFor = `${Bun.version} ${process.platform} ${process.arch}`;
  if (manager.question !== null) {
    const capture = ctx.workspace.path("runtime");
    await ctx.exec({ key: "runtime", argv: manager.question, env, cwd: ctx.workspace.root, capture });
    builtFor = readFileSync(capture, "utf8");
  }
  const index = Object.entries(env).filter(([name]) => INDEX_NAMES.test(name));
  const facts = JSON.stringify([manager.name, builtFor, packages, index.sort()]);
  const name = `${manager.name}-${new Bun.CryptoHasher("sha256").update(facts).digest("hex").slice(0, 32)}`;
  writeFileSync(ctx.workspace.path("packages-folder"), name, { mode: 0o600 });
  return name;
}

interface Install {
  readonly own: string;
  readonly packages: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

async function install(ctx: Context, manager: Manager, { own, packages, env }: Install): Promise<void> {
  ctx.log.info(`installing ${packages.join(", ")} with ${manager.name}`);
  mkdirSync(own, { recursive: true, mode: 0o700 });
  const full = { ...manager.env(own), ...env, ...(manager.name === "bun" ? AS_BUN : {}) };
  const run = async (key: string, argv: [string, ...string[]], remedy: string) => {
    try {
      await ctx.exec({ key, argv, env: full, cwd: own });
    } catch (error) {
      if (!(error instanceof ToolError)) throw error;
      throw new RunnerError("job", `the packages of this script could not be installed: ${why(manager, error)}`, {
        remedy,
        cause: error,
      });
    }
  };
  if (manager.prepare) {
    const remedy = "Install what python3 needs for it (python3-venv on Debian).";
    await run("packages-environment", manager.prepare(own), remedy);
  } else writeFileSync(join(own, "package.json"), '{"private":true}\n');
  await run("packages", [...manager.install(own), ...packages] as [string, ...string[]], manager.remedy);
}

/** The manager's own first complaint, else how it ended. */
function why({ name }: Manager, { end }: ToolError): string {
  const complaints = end.tail.matchAll(/^(?:npm (?:error|ERR!)|ERROR:|error:) (?!code |errno )(.*\S)/gm);
  const first = complaints.next().value?.[1]?.slice(0, 300);
  return first === undefined ? `${name} ${endedText(end)}` : `${name}: ${first}`;
}
