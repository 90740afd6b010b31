import { parseArgs } from "node:util";
import { buildConfig, type ToolConfig, type ToolName } from "../../internal/kit/tools/build-config.ts";
import { RunnerError } from "../../internal/protocol/errors.ts";

export const IMAGES = ["runner", "runner-tools"] as const;
export type ImageName = (typeof IMAGES)[number];
export const ARCHES = ["amd64", "arm64"] as const;
/** The engines' word; of a release it is `x64` for amd64. */
export type Arch = (typeof ARCHES)[number];

export interface ImagesArgs {
  readonly images: readonly ImageName[];
  readonly arches: readonly Arch[];
  /** The image that `runner-tools` stands on, of one architecture; null: the `runner` that is built with it. */
  readonly on: string | null;
  /** A Debian 12 whose apt is used while building. */
  readonly base: string | null;
  /** What stands before the images' names, `registry.example.com/team/`. */
  readonly prefix: string;
  /** null: the version, with a dash for its plus. */
  readonly tag: string | null;
  /** A release folder that has the programs; null: dist/runner, for this machine only. */
  readonly release: string | null;
  /** Instead of the pinned versions. */
  readonly tools: ReadonlyMap<ToolName, string>;
  /** Where the repository can be read, for the label. */
  readonly source: string | null;
  /** Folder for OCI layouts, `DIR/<image>`, each with every architecture in one index. */
  readonly layout: string | null;
  /** Write the build context there and build nothing. */
  readonly context: string | null;
}

export const IMAGES_HELP = `npm run images -- [--image NAME]… [--arch ARCH]… [--release DIR] [--tool NAME=VERSION]… [--layout DIR]

  --image NAME        runner or runner-tools; may be repeated (default: both)
  --arch ARCH         amd64 or arm64; may be repeated (default: that of this machine); programs of another one are
                      gathered, never run
  --release DIR       take the programs from this release folder (default: dist/runner, of this machine)
  --on IMAGE          build runner-tools on this image instead of a runner built with it
  --base IMAGE        a Debian 12 whose apt fetches the packages (default: that of bundle/container/Containerfile)
  --prefix TEXT       stands before the names, as in registry.example.com/team/ (default: localhost/)
  --tag TAG           default: the version
  --tool NAME=VERSION another version of a tool of runner-tools; none: leave it out. RUNNER_TOOLS_MIRROR and
                      RUNNER_TOOLS_SUMS count as for the runner: what has no known SHA-256 is refused
  --source URL        where the repository can be read, for the label org.opencontainers.image.source
  --layout DIR        also write OCI layouts, DIR/runner and DIR/runner-tools, every architecture in one index;
                      oras cp --from-oci-layout DIR/runner:TAG REF pushes one
  --context DIR       write the build context into DIR for another builder, and build nothing`;

/** Throws RunnerError usage. */
export function readImagesArgs(argv: readonly string[], machine: string = process.arch): ImagesArgs {
  const values = parse(argv);
  const images = oneOf("image", IMAGES, values.image ?? IMAGES);
  const arches = oneOf("architecture", ARCHES, values.arch ?? [machine === "x64" ? "amd64" : machine]);
  if (values.on !== undefined && arches.length > 1) {
    throw new RunnerError("usage", "--on names an image of one architecture", { remedy: "Give one --arch at a time." });
  }
  return {
    // What stands on `runner` needs it, and comes after it.
    images: images.includes("runner-tools") && values.on === undefined ? IMAGES : images,
    arches,
    on: values.on ?? null,
    base: values.base ?? null,
    prefix: values.prefix ?? "localhost/",
    tag: values.tag ?? null,
    release: values.release ?? null,
    tools: wantedTools(values.tool ?? []),
    source: values.source ?? null,
    layout: values.layout ?? null,
    context: values.context ?? null,
  };
}

/** Tool → version of the image `runner-tools`: what was asked for, else the pinned one that has a sum for this platform. */
export function toolVersions(asked: ReadonlyMap<ToolName, string>, arch: Arch): Map<ToolName, string> {
  const versions = new Map<ToolName, string>();
  for (const [tool, config] of Object.entries(buildConfig().tools) as [ToolName, ToolConfig][]) {
    const version = asked.get(tool) ?? pinned(config, `linux_${arch}`);
    if (version !== undefined && version !== "none") versions.set(tool, version);
  }
  return versions;
}

function pinned({ default: preferred, sha256 = {} }: ToolConfig, platform: string): string | undefined {
  const known = Object.keys(sha256).filter((version) => sha256[version]?.[platform] !== undefined);
  return known.find((version) => version === preferred) ?? known.at(-1);
}

function wantedTools(texts: readonly string[]): Map<ToolName, string> {
  const tools = new Map<ToolName, string>();
  for (const text of texts) {
    const [name = "", version = ""] = text.split("=");
    const known = Object.entries(buildConfig().tools).filter(([, { download }]) => download !== undefined);
    const found = known.find(([tool]) => tool === name)?.[0];
    if (found === undefined || version === "") {
      throw new RunnerError("usage", `--tool ${JSON.stringify(text)} is not NAME=VERSION`, {
        remedy: `One of ${known.map(([tool]) => tool).join(", ")}, as in --tool terraform=1.11.4.`,
      });
    }
    tools.set(found as ToolName, version);
  }
  return tools;
}

function oneOf<T extends string>(what: string, known: readonly T[], given: readonly string[]): T[] {
  return [...new Set(given)].map((word) => {
    const found = known.find((one) => one === word);
    if (found !== undefined) return found;
    throw new RunnerError("usage", `there is no ${what} ${JSON.stringify(word)}`, {
      remedy: `One of ${known.join(", ")}.`,
    });
  });
}

function parse(argv: readonly string[]) {
  const many = { type: "string", multiple: true } as const;
  const one = { type: "string" } as const;
  try {
    return parseArgs({
      args: [...argv],
      strict: true,
      options: {
        image: many,
        arch: many,
        tool: many,
        on: one,
        base: one,
        prefix: one,
        tag: one,
        release: one,
        source: one,
        layout: one,
        context: one,
      },
    }).values;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new RunnerError("usage", why, { remedy: "`npm run images -- --help` lists the options.", cause });
  }
}
