import {
  chmodSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { isReleaseVersion } from "../../kit/release/manifest.ts";

/** Which version is used, and which one was used before it; null: none. */
export interface Pointers {
  readonly current: string | null;
  readonly previous: string | null;
}

/**
 * The installed versions of this program as install.sh makes them: `PREFIX/lib/runner/versions/<version>/runner`, and
 * the links `current` and `previous` beside them. Every change is one rename, made durable.
 */
export interface Layout {
  /** `PREFIX/lib/runner`. */
  readonly root: string;
  /** What a service starts: it goes by `current`. */
  readonly program: string;
  pointers(): Pointers;
  /** The program of one version, there or not. */
  binary(version: string): string;
  has(version: string): boolean;
  /** Sets both links; what is so already is left alone. Throws what the file system throws. */
  point(to: Pointers): void;
  /** Removes the versions that neither link names. */
  prune(): void;
}

export function openLayout(prefix: string): Layout {
  const root = join(prefix, "lib", "runner");
  const binary = (version: string) => join(root, "versions", version, "runner");
  const pointers = () => ({ current: named(join(root, "current")), previous: named(join(root, "previous")) });
  return {
    root,
    program: join(root, "current", "runner"),
    pointers,
    binary,
    has: (version) => isReleaseVersion(version) && isProgram(binary(version)),
    point(to) {
      const now = pointers();
      // The way back is there before the way forward is taken.
      if (to.previous !== now.previous) link(root, "previous", to.previous);
      if (to.current !== now.current) link(root, "current", to.current);
    },
    prune() {
      const { current, previous } = pointers();
      if (current === null) return;
      for (const name of namesIn(join(root, "versions"))) {
        // An install.sh at work keeps its own half-made version aside.
        if (name.startsWith(".")) continue;
        if (name !== current && name !== previous)
          rmSync(join(root, "versions", name), { recursive: true, force: true });
      }
    },
  };
}

/** The prefix that this program was started from; null: it does not lie in a layout of versions. */
export function prefixOf(program: string): string | null {
  const [, prefix] = /^(.*)\/lib\/runner\/versions\/[^/]+\/runner$/.exec(program) ?? [];
  return prefix === undefined ? null : prefix || "/";
}

/** `versions/1.2.3` → `1.2.3`; null: no such link, or not one of ours. */
function named(path: string): string | null {
  try {
    const [, version = ""] = /^versions\/([^/]+)$/.exec(readlinkSync(path)) ?? [];
    return isReleaseVersion(version) ? version : null;
  } catch {
    return null;
  }
}

function link(root: string, name: string, version: string | null): void {
  const path = join(root, name);
  if (version === null) rmSync(path, { force: true });
  else {
    const aside = join(root, `.${name}.${process.pid}`);
    rmSync(aside, { force: true });
    symlinkSync(join("versions", version), aside);
    renameSync(aside, path);
  }
  syncFolder(root);
}

/** After a rename in it: a power cut must not bring the old name back. */
export function syncFolder(folder: string): void {
  const fd = openSync(folder, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** The folder of a new version, durable up to `root`. */
export function makeVersionFolder(layout: Pick<Layout, "root" | "binary">, version: string): string {
  const folder = dirname(layout.binary(version));
  mkdirSync(folder, { recursive: true });
  // Whatever the umask of a service: other users start it.
  for (const made of [folder, dirname(folder)]) chmodSync(made, 0o755);
  // Of a fetch that was killed: 120 MB each.
  for (const name of namesIn(folder)) if (name.endsWith(".part")) rmSync(join(folder, name), { force: true });
  syncFolder(dirname(folder));
  return folder;
}

function isProgram(path: string): boolean {
  try {
    const found = statSync(path);
    return found.isFile() && found.size > 0 && (found.mode & 0o111) !== 0;
  } catch {
    return false;
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
