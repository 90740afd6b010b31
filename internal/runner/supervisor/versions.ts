import type { Clock } from "../../kit/base/clock.ts";
import type { Result } from "../../protocol/errors.ts";
import { isVersion } from "../../protocol/runner-wishes.ts";
import { withInstallLock } from "./install-lock.ts";
import type { Layout, Pointers } from "./layout.ts";
import type { Stage } from "./stage.ts";

/** What an update replaces, and how: a program of the layout, or a container's image. Steps may be repeated. */
export interface Versions {
  readonly kind: "binary" | "image";
  /** Tools that a runner had started live on when it is ended, and are taken up again by the next one. */
  readonly toolsOutlive: boolean;
  pointers(): Pointers;
  /** Whether `version` is the one that people call `wanted`. */
  is(wanted: string, version: string): boolean;
  /** Whether asking for `wanted` anew could bring anything but `version`. */
  settled(wanted: string, version: string): boolean;
  /** Fetches, verifies and tries; nothing that runs is touched. */
  stage(wanted: string): Promise<Result<{ readonly version: string }>>;
  /** It lies here and can be started. */
  has(version: string): Promise<boolean>;
  /** Durable when it resolves. Rejects when it cannot be written. */
  point(to: { readonly current: string; readonly previous: string | null }): Promise<void>;
  /** Removes what was brought for earlier updates and is used no more. */
  prune(): Promise<void>;
  /** Why nothing can be updated while there is no current version, with what to do. */
  readonly missing: string;
}

/** An install.sh at work is waited for. */
const INSTALL_MS = 120_000;

/** The programs that install.sh lays out. */
export function binaryVersions(layout: Layout, stage: Stage, clock: Clock): Versions {
  return {
    kind: "binary",
    toolsOutlive: true,
    pointers: layout.pointers,
    is: isVersion,
    settled: isVersion,
    stage,
    has: async (version) => layout.has(version),
    // Not while install.sh is at work. It may have removed what is no version of its own.
    point: ({ current, previous }) =>
      withInstallLock(layout.root, clock, INSTALL_MS, () => {
        if (!layout.has(current)) throw new Error(`version ${current} is not there any more`);
        layout.point({ current, previous });
      }),
    prune: async () => layout.prune(),
    missing: `${layout.root}/current is missing: only what install.sh has installed can be updated; where the runner is an image, mng needs --update-kind image`,
  };
}
