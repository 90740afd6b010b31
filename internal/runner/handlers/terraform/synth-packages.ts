import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { systemClock } from "../../../kit/base/clock.ts";
import { withFileLock } from "../../../kit/tools/index.ts";
import { RunnerError } from "../../../protocol/errors.ts";
import { type JobContext, StopError, type StopReason, ToolError } from "../../handler.ts";
import { endedText } from "../ended-text.ts";
import { AS_BUN, BUN_PROGRAM } from "../script/languages.ts";
import { type Lock, lockOf } from "./synth-lock.ts";

type Context = JobContext<unknown>;
type Env = Readonly<Record<string, string>>;

/** Longest wait for another job that installs the same packages. */
const LOCK_WAIT_MS = 15 * 60_000;

/**
 * Puts the packages of an app in place, exactly as its lockfile has them, from a folder that all jobs with the same
 * lockfile share; it gets its name only when it is complete. Install scripts of packages are not run. Returns variables
 * that the app needs to find them. Throws RunnerError.
 */
export async function appPackages(ctx: Context, folder: string, family: "js" | "python", env: Env): Promise<Env> {
  if (family === "js" && existsSync(join(folder, "node_modules"))) return {};
  const lock = lockOf(folder, family, { npm: Bun.which("npm", { PATH: env.PATH ?? "" }) !== null });
  if (lock === null) return {};
  if (lock.inPlace) {
    await install(ctx, lock, folder, env);
    return {};
  }
  const shared = join(ctx.tools.cacheDir, "packages", `cdktf-${await nameOf(ctx, lock, env)}`);
  if (!existsSync(shared)) await fill(ctx, lock, shared, env);
  if (family === "python") return { PYTHONPATH: [shared, env.PYTHONPATH ?? ""].filter(Boolean).join(":") };
  const link = join(folder, "node_modules");
  if (lstatSync(link, { throwIfNoEntry: false }) === undefined) symlinkSync(join(shared, "node_modules"), link);
  return {};
}

/** Built in the workspace, which is removed whatever happens, and moved to the shared place in one step. */
async function fill(ctx: Context, lock: Lock, shared: string, env: Env): Promise<void> {
  mkdirSync(join(ctx.tools.cacheDir, "packages"), { recursive: true, mode: 0o700 });
  const own = ctx.workspace.path("app-packages");
  const wait = { clock: systemClock, maxWaitMs: LOCK_WAIT_MS, signal: ctx.signal };
  try {
    await withFileLock(`${shared}.lock`, wait, async () => {
      if (existsSync(shared)) return;
      mkdirSync(own, { recursive: true, mode: 0o700 });
      for (const [name, text] of Object.entries(lock.files)) writeFileSync(join(own, name), text, { mode: 0o600 });
      await install(ctx, lock, own, env);
      show(own, shared, ctx);
    });
  } catch (error) {
    if (ctx.signal.aborted) throw new StopError(ctx.signal.reason as StopReason);
    throw error;
  }
}

/** The cache may lie on another file system than the workspace. */
function show(own: string, shared: string, { execution }: Context): void {
  try {
    renameSync(own, shared);
  } catch {
    const near = `${shared}.${execution.id}.${execution.epoch}`;
    try {
      cpSync(own, near, { recursive: true, verbatimSymlinks: true });
      renameSync(near, shared);
    } finally {
      rmSync(near, { recursive: true, force: true });
    }
  }
}

async function install(ctx: Context, lock: Lock, cwd: string, env: Env): Promise<void> {
  ctx.log.info(`installing the packages of ${lock.name} with ${lock.manager}`);
  const { argv, own } = managerCall(ctx, lock, cwd, env);
  try {
    await ctx.exec({
      key: "app-packages",
      argv,
      env: { ...own, ...env, ...(lock.manager === "bun" ? AS_BUN : {}) },
      cwd,
    });
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    throw new RunnerError("job", `the packages of the app could not be installed: ${why(lock, error)}`, {
      remedy: `Check ${lock.name}, and that its registry can be reached from here.`,
      cause: error,
    });
  }
}

function managerCall(
  ctx: Context,
  lock: Lock,
  cwd: string,
  env: Env,
): { readonly argv: [string, ...string[]]; readonly own: Env } {
  const cache = (name: string) => join(ctx.tools.cacheDir, "downloads", name);
  if (lock.manager === "npm") {
    const argv: [string, ...string[]] = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-progress"];
    const quiet = {
      npm_config_cache: cache("npm"),
      npm_config_update_notifier: "false",
      npm_config_logs_max: "0",
      // Its own pauses make a minute of a registry that cannot be reached.
      npm_config_fetch_retry_mintimeout: "1000",
      npm_config_fetch_retry_maxtimeout: "5000",
    };
    return { argv, own: { ...quiet, ...(env.SSL_CERT_FILE ? { NODE_EXTRA_CA_CERTS: env.SSL_CERT_FILE } : {}) } };
  }
  if (lock.manager === "bun") {
    const frozen = lock.name === "bun.lock" ? ["--frozen-lockfile"] : [];
    const argv: [string, ...string[]] = [BUN_PROGRAM, "install", ...frozen, "--ignore-scripts", "--no-progress"];
    return { argv, own: { BUN_INSTALL_CACHE_DIR: cache("bun") } };
  }
  const argv: [string, ...string[]] = ["python3", "-m", "pip", "install", "--no-input", "--progress-bar", "off"];
  return {
    argv: [...argv, "--no-warn-script-location", "--target", cwd, "-r", join(cwd, "requirements.lock.txt")],
    own: {
      PIP_DISABLE_PIP_VERSION_CHECK: "1",
      PIP_CACHE_DIR: cache("pip"),
      PIP_ROOT_USER_ACTION: "ignore",
      ...(env.SSL_CERT_FILE ? { PIP_CERT: env.SSL_CERT_FILE } : {}),
    },
  };
}

/** What is in it, what it is built for, and where it came from. */
async function nameOf(ctx: Context, lock: Lock, env: Env): Promise<string> {
  const index = Object.entries(env).filter(([name]) => /^(npm_config_|bun_config_|pip_)/i.test(name));
  const runtime = lock.manager === "pip" ? await pythonOf(ctx, env) : `${process.platform} ${process.arch}`;
  const facts = JSON.stringify([lock.manager, runtime, lock.files, index.sort()]);
  return new Bun.CryptoHasher("sha256").update(facts).digest("hex").slice(0, 32);
}

async function pythonOf(ctx: Context, env: Env): Promise<string> {
  const capture = ctx.workspace.path("app-runtime");
  const argv = ["python3", "-c", "import sys; print(sys.version, sys.platform)"] as const;
  await ctx.exec({ key: "app-runtime", argv: [...argv], env, cwd: ctx.workspace.root, capture });
  return readFileSync(capture, "utf8");
}

/** The manager's own first complaint, else how it ended. */
function why({ manager }: Lock, { end }: ToolError): string {
  const complaints = end.tail.matchAll(/^(?:npm (?:error|ERR!)|ERROR:|error:) (?!code |errno )(.*\S)/gm);
  const first = complaints.next().value?.[1]?.slice(0, 300);
  return first === undefined ? `${manager} ${endedText(end)}` : `${manager}: ${first}`;
}
