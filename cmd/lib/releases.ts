import { existsSync } from "node:fs";
import { pinnedReleaseKey, type ReleaseKey, readReleaseKey } from "../../internal/kit/release/index.ts";
import { fail, type Result, RunnerError } from "../../internal/protocol/errors.ts";
import { type Layout, openLayout, prefixOf } from "../../internal/runner/supervisor/layout.ts";
import { type Stage, stageFrom, stageInstalled } from "../../internal/runner/supervisor/stage.ts";
import { readCa } from "./ca-file.ts";
import type { Context } from "./context.ts";
import { readFile } from "./read-file.ts";

type Wanted = { readonly values: Pick<Context["values"], "releaseUrl" | "publicKey" | "caFile" | "prefix"> };

/** The installed versions of this machine: below --prefix, else those this program belongs to, else /usr/local. */
export const layoutFor = ({ values }: Pick<Wanted, "values">): Layout =>
  openLayout(values.prefix ?? prefixOf(process.execPath) ?? "/usr/local");

/** The version of the running program where it is one of the layout's; null: it was started from elsewhere. */
export function ownVersionIn(layout: Layout, version: string): string | null {
  return layout.binary(version) === process.execPath ? version : null;
}

/** Where versions come from. What is wrong with the settings is told by the first update, not at the start. */
export function stageFor(context: Wanted, layout: Layout): Stage {
  const { values } = context;
  return async (wanted) => {
    if (layout.has(wanted)) return await stageInstalled(layout, wanted);
    if (values.releaseUrl === null) {
      return fail(
        new RunnerError("usage", "there is no place that releases come from", {
          remedy: "Set RUNNER_RELEASE_URL (--release-url) to a release folder or its address.",
        }),
      );
    }
    const key = keyFor(values.publicKey);
    if (!key.ok) return key;
    return await stageFrom({ layout, base: values.releaseUrl, key: key.value, ca: readCa(values.caFile) })(wanted);
  };
}

/** The key of --public-key, else the one of this program. */
export function keyFor(path: string | null): Result<ReleaseKey> {
  return path === null ? pinnedReleaseKey() : readReleaseKey(readFile(path, "release key"), path);
}

/** A service manager in charge of this machine, not only installed on it (sd_booted(3)). */
const hasSystemd = (): boolean => existsSync("/run/systemd/system");

/** Whether the runner that mng looks after is a unit of systemd. */
export const byUnit = ({ values }: { readonly values: Pick<Context["values"], "service"> }): boolean =>
  (values.service ?? (hasSystemd() ? "systemd" : "process")) === "systemd";
