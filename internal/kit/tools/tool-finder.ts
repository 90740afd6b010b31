import { basename, delimiter, isAbsolute, join } from "node:path";
import { RunnerError, reasonOf } from "../../protocol/errors.ts";
import { RETRY, type RetryRule } from "../../protocol/retry.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import { resolveProgram } from "../exec/index.ts";
import type { Fetch } from "../oci/index.ts";
import { archiveAddress, inWords } from "./archive-address.ts";
import { buildConfig, type ToolConfig, type ToolName } from "./build-config.ts";
import { downloadTool } from "./download.ts";
import { platformName } from "./platform.ts";
import { sumName, type ToolSums } from "./tool-sums.ts";
import { createVersionReader, versionsFile } from "./tool-version.ts";

export interface ToolFinderOptions {
  /** Folders to look in, as in PATH. */
  readonly path: string;
  /** Shared by all jobs of this machine: `<tool>/<version>/<platform>/<tool>`. */
  readonly cacheDir: string;
  /** Base address that takes the vendor's place, same layout below it (RUNNER_TOOLS_MIRROR). */
  readonly mirror?: string | null;
  /** Checksums of the machine's operator, beside those of build-config.yaml (RUNNER_TOOLS_SUMS). */
  readonly sums?: ToolSums;
  /** false: PATH and cache only. Default true. */
  readonly allowDownload?: boolean;
  /** PEM of a private CA, for a mirror. */
  readonly ca?: string;
  readonly fetch?: Fetch;
  readonly clock?: Clock;
  readonly rule?: RetryRule;
  /** Default: those of build-config.yaml. */
  readonly tools?: Readonly<Record<ToolName, ToolConfig>>;
  readonly platform?: string;
}

export interface FoundTool {
  readonly path: string;
  /** null: the tool does not say. */
  readonly version: string | null;
  readonly from: "path" | "cache" | "download";
}

export interface ToolLocator {
  /** Exactly the version asked for; null: what PATH has, else the default of build-config.yaml. */
  locate(tool: ToolName, version: string | null): Promise<FoundTool>;
  /** Its absolute path. */
  find(tool: ToolName, version: string | null): Promise<string>;
}

/**
 * Finds the programs that jobs need: on PATH, in the cache, or fetched once with a checked SHA-256. Never another
 * version than the one asked for. Throws RunnerError `environment` that says what was tried and what to do.
 */
export function createToolFinder(options: ToolFinderOptions): ToolLocator {
  const tools = options.tools ?? buildConfig().tools;
  const platform = options.platform ?? platformName();
  const reader = createVersionReader(versionsFile(options.cacheDir));
  const running = new Map<string, Promise<FoundTool>>();

  const search = async (tool: ToolName, asked: string | null): Promise<FoundTool> => {
    const tried: string[] = [];
    const config = tools[tool];
    for (const path of [tool, ...(config.also ?? [])].flatMap((name) => onPath(name, options.path))) {
      const version = await reader.version(tool, path);
      if (asked === null || version === asked) return { path, version, from: "path" };
      tried.push(`${path} is ${version === null ? "of an unknown version" : `version ${version}`}`);
    }
    if (tried.length === 0) tried.push("PATH has none");
    const version = asked ?? config.default;
    if (version === undefined) throw missing(tool, asked, tried, `install ${tool} and put it on PATH`);
    // The version becomes part of a path and of an address.
    if (!/^\d+\.\d+\.\d+(?:-[A-Za-z0-9.]+)?$/.test(version)) {
      throw new RunnerError("job", `${tool} version ${JSON.stringify(version)} is not an exact version`, {
        remedy: "write it out, for example 1.11.4",
      });
    }
    const path = join(options.cacheDir, tool, version, platform, tool);
    if (await Bun.file(path).exists()) return { path, version, from: "cache" };
    tried.push(`the cache ${options.cacheDir} has none`);
    await fetchInto(path, tool, version, config, tried, { ...options, platform });
    return { path, version, from: "download" };
  };

  const locate = (tool: ToolName, version: string | null): Promise<FoundTool> => {
    const key = `${tool} ${version ?? ""}`;
    const work = running.get(key) ?? search(tool, version).finally(() => running.delete(key));
    running.set(key, work);
    return work;
  };
  return { locate, find: async (tool, version) => (await locate(tool, version)).path };
}

async function fetchInto(
  path: string,
  tool: ToolName,
  version: string,
  config: ToolConfig,
  tried: string[],
  options: ToolFinderOptions & { readonly platform: string },
): Promise<void> {
  const install = `install ${tool} ${version} and put it on PATH, or place it at ${path}`;
  if (!config.download) throw missing(tool, version, tried, install);
  const name = (text: string) => inWords(text, tool, version, options.platform);
  const archive = name(config.download.archive);
  const file = basename(archive);
  const sha256 = config.sha256?.[version]?.[options.platform] ?? options.sums?.get(sumName(file, tool, version));
  if (!sha256) {
    tried.push(`no checksum of it for ${options.platform} is known, so it is not downloaded`);
    const sums = `or name its SHA-256 in the file of RUNNER_TOOLS_SUMS: "<sum>  ${sumName(file, tool, version)}"`;
    throw missing(tool, version, tried, `${install}; ${sums}`);
  }
  if (options.allowDownload === false) {
    throw missing(tool, version, [...tried, "downloads are switched off"], install);
  }
  const url = archiveAddress(options.mirror || config.download.from, archive);
  try {
    await downloadTool({
      url,
      sha256,
      entry: name(config.download.entry ?? tool),
      into: path,
      rule: options.rule ?? DOWNLOAD_RULE,
      clock: options.clock ?? systemClock,
      fetch: options.fetch ?? ((address, init) => fetch(address, init)),
      ca: options.ca,
    });
  } catch (cause) {
    const elsewhere = options.mirror ? install : `${install}; or name a mirror with RUNNER_TOOLS_MIRROR`;
    const remedy = cause instanceof RunnerError && cause.remedy ? `${cause.remedy}; or ${install}` : elsewhere;
    throw missing(tool, version, [...tried, `download failed: ${reasonOf(cause)}`], remedy, cause);
  }
}

/** A person waits for the first start: three tries, then it is said. */
const DOWNLOAD_RULE: RetryRule = { ...RETRY.fetch, tries: 3, cap_ms: 2_000 };

function onPath(tool: string, path: string): string[] {
  const folders = path.split(delimiter).filter((folder) => isAbsolute(folder));
  return [...new Set(folders)].flatMap((folder) => {
    try {
      return [resolveProgram(tool, folder, folder)];
    } catch {
      return [];
    }
  });
}

function missing(
  tool: string,
  version: string | null,
  tried: readonly string[],
  remedy: string,
  cause?: unknown,
): RunnerError {
  const name = version === null ? tool : `${tool} ${version}`;
  return new RunnerError("environment", `${name} was not found: ${tried.join("; ")}`, { remedy, cause });
}
