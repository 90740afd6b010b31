import { watch } from "node:fs";
import { join } from "node:path";

/** A change shortly after another one belongs to it: editors write more than once. */
const SETTLE_MS = 300;
/** Ours, git's own bookkeeping, and what editors put down beside a file. */
const NOT_MEANT = /(^|\/)(\.runner|\.git)(\/|$)|~$|\.sw[a-z]$|(^|\/)(4913|\.#[^/]*|#[^/]*#)$/;

export interface Change {
  /** Settles once, when something has changed and it has been quiet for a moment. */
  readonly happened: Promise<void>;
  /** Stops looking; `happened` then never settles. */
  stop(): void;
}

/** The next change of a file below `folders`. `ignored`: paths that this process writes itself. */
export function nextChange(folders: readonly string[], ignored: readonly string[]): Change {
  const { promise, resolve } = Promise.withResolvers<void>();
  let timer: Timer | null = null;
  const watchers = folders.map((folder) =>
    watch(folder, { recursive: true }, (_, name) => {
      if (name === null || NOT_MEANT.test(name) || ignored.includes(join(folder, name))) return;
      if (timer !== null) clearTimeout(timer);
      timer = setTimeout(resolve, SETTLE_MS);
    }),
  );
  const stop = () => {
    for (const watcher of watchers) watcher.close();
    if (timer !== null) clearTimeout(timer);
  };
  return { happened: promise.then(stop), stop };
}
