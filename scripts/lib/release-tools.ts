import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { systemClock } from "../../internal/kit/base/clock.ts";
import type { ReleaseManifest } from "../../internal/kit/release/manifest.ts";
import { archiveAddress, inWords } from "../../internal/kit/tools/archive-address.ts";
import { buildConfig, type ToolConfig } from "../../internal/kit/tools/build-config.ts";
import { fetchArchive } from "../../internal/kit/tools/download.ts";
import { platformName } from "../../internal/kit/tools/platform.ts";
import { RunnerError } from "../../internal/protocol/errors.ts";
import { RETRY } from "../../internal/protocol/retry.ts";

type ReleaseTool = ReleaseManifest["tools"][number];

export interface ToolsOptions {
  /** The release folder. */
  readonly folder: string;
  /** Targets whose platforms get their tools. */
  readonly targets: readonly string[];
  /** Takes the vendors' place: an address or the absolute path of a folder. */
  readonly mirror: string | undefined;
  readonly tools?: Readonly<Record<string, ToolConfig>>;
  readonly say: (line: string) => void;
}

/**
 * Puts every pinned archive for the platforms of the targets into FOLDER/tools, where RUNNER_TOOLS_MIRROR looks for it.
 * Throws RunnerError `environment` when one cannot be had: a release without a tool it names would fail far from here.
 */
export async function putTools(options: ToolsOptions): Promise<ReleaseTool[]> {
  const wanted = pinnedTools(options);
  for (const { url, path, sha256, says } of wanted) {
    options.say(`fetching ${says}`);
    const into = join(options.folder, path);
    mkdirSync(dirname(into), { recursive: true });
    if (existsSync(into)) continue;
    try {
      await fetchArchive(
        {
          url,
          sha256,
          rule: { ...RETRY.fetch, tries: 3, cap_ms: 2_000 },
          clock: systemClock,
          fetch: (address, init) => fetch(address, init),
        },
        `${into}.part`,
      );
      renameSync(`${into}.part`, into);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new RunnerError("environment", `${says} could not be fetched: ${why}`, {
        remedy: "Name a mirror that has it with RUNNER_TOOLS_MIRROR, or leave --tools away.",
        cause,
      });
    } finally {
      rmSync(`${into}.part`, { force: true });
    }
  }
  return wanted.map(({ tool }) => tool);
}

interface Wanted {
  readonly url: string;
  readonly path: string;
  readonly sha256: string;
  readonly says: string;
  readonly tool: ReleaseTool;
}

function pinnedTools({ targets, mirror, tools }: ToolsOptions): Wanted[] {
  const config: Readonly<Record<string, ToolConfig>> = tools ?? buildConfig().tools;
  const platforms = new Set(
    targets.flatMap((name) => {
      const target = buildConfig().targets[name];
      return target ? [platformName(target.os, target.arch)] : [];
    }),
  );
  return Object.entries(config).flatMap(([tool, { download, sha256: sums = {} }]) =>
    Object.entries(sums).flatMap(([version, byPlatform]) =>
      Object.entries(byPlatform).flatMap(([platform, sha256]) => {
        if (download === undefined || !platforms.has(platform)) return [];
        const archive = inWords(download.archive, tool, version, platform);
        const path = `tools/${archive}`;
        const url = archiveAddress(mirror || download.from, archive);
        const says = `${tool} ${version} for ${platform}`;
        return [{ url, path, sha256, says, tool: { tool, version, platform, file: path, sha256 } }];
      }),
    ),
  );
}
