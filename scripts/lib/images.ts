import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RunnerError } from "../../internal/protocol/errors.ts";
import { buildVersion } from "./build.ts";
import { fromBuild, fromRelease, type ProgramSource, putRecipes, putTools } from "./image-context.ts";
import {
  type Arch,
  IMAGES_HELP,
  type ImageName,
  type ImagesArgs,
  readImagesArgs,
  toolVersions,
} from "./images-args.ts";
import { run, textOf } from "./spawn.ts";

const say = (line: string) => console.error(`images: ${line}`);
const RECIPE: Readonly<Record<ImageName, string>> = { runner: "Containerfile", "runner-tools": "Containerfile.tools" };

/** `npm run images`: builds them with podman. Each line on stdout is the name of an image. */
export async function images(argv: readonly string[]): Promise<number> {
  if (argv.includes("--help") || argv.includes("-h")) {
    console.log(IMAGES_HELP);
    return 0;
  }
  try {
    await makeImages(readImagesArgs(argv));
    return 0;
  } catch (error) {
    if (!(error instanceof RunnerError)) throw error;
    console.error(`images: ${error.message}${error.remedy ? `\n  → ${error.remedy}` : ""}`);
    return error.kind === "usage" ? 2 : 1;
  }
}

async function makeImages(args: ImagesArgs): Promise<void> {
  const programs = args.release
    ? fromRelease(args.release)
    : await fromBuild(buildVersion(), textOf(["git", "rev-parse", "HEAD"]) ?? "");
  const context = args.context ?? mkdtempSync(join(tmpdir(), "runner-images-"));
  try {
    mkdirSync(context, { recursive: true });
    putRecipes(context);
    const withTools = args.images.includes("runner-tools");
    for (const arch of args.arches) {
      programs.put(arch, context);
      if (withTools) await putTools(toolsFor(args, arch), arch, context);
    }
    if (args.context) return console.log(context);
    for (const image of args.images) await makeImage(image, args, programs, context);
  } finally {
    if (!args.context) rmSync(context, { recursive: true, force: true });
  }
}

function toolsFor(args: ImagesArgs, arch: Arch) {
  const versions = toolVersions(args.tools, arch);
  const left = [...toolVersions(args.tools, "amd64").keys()].filter((tool) => !versions.has(tool));
  if (left.length > 0) say(`no SHA-256 of ${left.join(" and ")} for ${arch} is pinned: not in runner-tools`);
  return versions;
}

async function makeImage(image: ImageName, args: ImagesArgs, programs: ProgramSource, context: string): Promise<void> {
  const tag = args.tag ?? programs.version.replaceAll("+", "-");
  const name = (of: ImageName, arch: Arch) => `${args.prefix}${of}:${tag}${args.arches.length > 1 ? `-${arch}` : ""}`;
  for (const arch of args.arches) {
    const labels = labelsOf(programs, args, image, arch);
    await build(image, name(image, arch), arch, { args, context, labels, runner: args.on ?? name("runner", arch) });
  }
  const names = args.arches.map((arch) => name(image, arch));
  if (args.layout) await writeLayout(args.layout, image, tag, names);
  for (const one of names) console.log(one);
}

function labelsOf(
  { version, commit }: ProgramSource,
  { source, tools }: ImagesArgs,
  image: ImageName,
  arch: Arch,
): Record<string, string> {
  const versions = [...toolVersions(tools, arch)].map(([tool, its]) => `${tool}=${its}`).join(" ");
  const oci = {
    version,
    created: new Date(committedAt() * 1_000).toISOString(),
    ...(commit === "" ? {} : { revision: commit }),
    ...(source === null ? {} : { source }),
  };
  return {
    ...Object.fromEntries(Object.entries(oci).map(([key, value]) => [`org.opencontainers.image.${key}`, value])),
    ...(image === "runner-tools" ? { "runner.tools": versions } : {}),
  };
}

interface Build {
  readonly args: ImagesArgs;
  readonly context: string;
  readonly labels: Readonly<Record<string, string>>;
  /** The image on which `runner-tools` stands. */
  readonly runner: string;
}

/** docker's format, because OCI's has no health check; a layout or a registry converts it. */
async function build(image: ImageName, name: string, arch: Arch, { args, context, labels, runner }: Build) {
  say(`building ${name}`);
  const mine = process.arch === "x64" ? "amd64" : process.arch;
  const given = {
    BUILDPLATFORM: `linux/${mine}`,
    ...(args.base === null ? {} : { BASE: args.base }),
    ...(image === "runner-tools" ? { RUNNER: runner } : {}),
  };
  await podman([
    "build",
    "--quiet",
    // Of this machine, so that apt goes the way that apt goes here.
    "--network=host",
    "--format=docker",
    `--platform=linux/${arch}`,
    // Every file and layer has the time of the commit: the same source and packages give the same image.
    `--timestamp=${committedAt()}`,
    ...Object.entries(given).map(([key, value]) => `--build-arg=${key}=${value}`),
    ...Object.entries(labels).map(([key, value]) => `--label=${key}=${value}`),
    `--tag=${name}`,
    `--file=${join(context, RECIPE[image])}`,
    context,
  ]);
}

/** Every architecture in one index, which podman keeps only meanwhile: `podman images` of 4.3 fails where one lies. */
async function writeLayout(layout: string, image: ImageName, tag: string, names: readonly string[]) {
  const folder = join(layout, image);
  const index = `localhost/${image}-index:${process.pid}`;
  mkdirSync(folder, { recursive: true });
  await podman(["manifest", "create", index, ...names.map((name) => `containers-storage:${name}`)]);
  try {
    await podman(["manifest", "push", "--quiet", "--all", "--format=oci", index, `oci:${folder}:${tag}`]);
  } finally {
    await podman(["manifest", "rm", index]);
  }
  say(`wrote the OCI layout ${folder}`);
}

/** What podman prints on stdout (ids) is nobody's business; its errors are. */
async function podman(argv: readonly string[]): Promise<void> {
  if (Bun.which("podman") === null) {
    throw new RunnerError("environment", "no podman on PATH", {
      remedy: "Install podman, or write the context with --context and give it to another builder (docs/images.md).",
    });
  }
  const code = await run(["sh", "-c", 'exec "$@" >/dev/null', "sh", "podman", ...argv]);
  if (code !== 0) throw new RunnerError("job", `podman ${argv[0]} failed; the reason stands above`);
}

const committedAt = (): number =>
  Number(process.env.SOURCE_DATE_EPOCH ?? textOf(["git", "log", "-1", "--format=%ct"]) ?? "0");
