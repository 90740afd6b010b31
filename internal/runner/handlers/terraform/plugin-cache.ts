import {
  cpSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { dirname, join } from "node:path";
import type { JobContext } from "../../handler.ts";
import type { TerraformWork } from "./terraform-work.ts";

/**
 * Provider plug-ins shared by the jobs of this machine. Terraform's own cache folder is not safe under parallel `init`,
 * so each job gets one of its own: it begins as links to what the shared one has, and what `init` adds is shown in the
 * shared one afterwards, complete and by one rename. So no job waits for another, none sees half a plug-in, and a crash
 * leaves nothing but a temporary folder.
 */
export interface PluginCache {
  readonly env: Readonly<Record<string, string>>;
  /** Before `init`; safe to repeat. */
  prepare(): void;
  /** After `init`; safe to repeat. */
  publish(): void;
}

/** `host/namespace/type/version/platform` */
const LEVELS = 5;

export function pluginCache(ctx: JobContext<unknown>, work: TerraformWork): PluginCache {
  const own = ctx.workspace.path("plugins");
  // Where plug-ins come from is part of what they are: those of a mirror are never given to a job without it.
  const origin = new Bun.CryptoHasher("sha256").update(ctx.tools.providerMirror ?? "registries").digest("hex");
  const shared = join(ctx.tools.cacheDir, "plugins", origin.slice(0, 16));
  const env = {
    TF_PLUGIN_CACHE_DIR: own,
    // A module without a lock file would otherwise download again; the file of one that has it is still obeyed.
    TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE: "1",
  };
  // A job that says by itself where plug-ins come from shares none.
  const apart = ctx.tools.providerMirror === null && work.env.TF_CLI_CONFIG_FILE !== undefined;
  return {
    env,
    prepare() {
      mkdirSync(own, { recursive: true, mode: 0o700 });
      for (const name of apart ? [] : packagesIn(shared)) {
        const link = join(own, name);
        if (lstatSync(link, { throwIfNoEntry: false })) continue;
        mkdirSync(dirname(link), { recursive: true, mode: 0o700 });
        symlinkSync(join(shared, name), link);
      }
    },
    publish() {
      for (const name of apart ? [] : packagesIn(own)) {
        // A link leads to the shared cache or to a mirror.
        if (!lstatSync(join(own, name)).isSymbolicLink()) show(join(own, name), join(shared, name), ctx.execution);
      }
    },
  };
}

function show(from: string, to: string, execution: { readonly id: string; readonly epoch: number }): void {
  if (existsSync(to)) return;
  const temporary = `${to}.${execution.id}.${execution.epoch}`;
  rmSync(temporary, { recursive: true, force: true });
  mkdirSync(dirname(to), { recursive: true, mode: 0o700 });
  copyTree(from, temporary);
  try {
    renameSync(temporary, to);
  } catch {
    rmSync(temporary, { recursive: true, force: true }); // another job was first
  }
}

/** Hard links where both lie on one file system: a plug-in may have hundreds of megabytes. */
function copyTree(from: string, to: string): void {
  mkdirSync(to, { mode: 0o700 });
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) copyTree(source, target);
    else {
      try {
        linkSync(source, target);
      } catch {
        cpSync(source, target);
      }
    }
  }
}

/** Paths of the complete packages in a cache, relative to it. A temporary folder has a dot in its platform's name. */
function packagesIn(root: string, level = 1): string[] {
  if (!existsSync(root)) return [];
  return readdirSync(root, { withFileTypes: true }).flatMap((entry) => {
    const folder = entry.isDirectory() || (level === LEVELS && entry.isSymbolicLink());
    if (!folder) return [];
    if (level === LEVELS) return entry.name.includes(".") ? [] : [entry.name];
    return packagesIn(join(root, entry.name), level + 1).map((name) => join(entry.name, name));
  });
}
