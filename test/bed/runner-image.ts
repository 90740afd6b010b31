import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Engine, engineMissing, startPodman } from "./engines.ts";
import { BED_CACHE } from "./go-program.ts";
import { DEBIAN_ROOT, systemdMissing } from "./systemd.ts";

/** The image `runner` as `npm run images` builds it from this tree; the program in it is RUNNER_BIN. */
export const RUNNER_IMAGE = "localhost/runner:bed";
/** What images are built on here, where no image registry is in reach: the Debian of startSystemd. */
export const BASE_IMAGE = "localhost/debian:bed";

const ROOT = join(import.meta.dir, "../..");
const program = process.env.RUNNER_BIN ?? join(ROOT, "dist/runner");

/** What is in the way of `runnerImage`; null: nothing. */
export function imageMissing(): string | null {
  if (!existsSync(program)) return `no ${program}: npm run build makes it`;
  return engineMissing("podman") ?? systemdMissing();
}

/** A docker archive with RUNNER_IMAGE, made once for each state of the recipes and the program: half a minute. */
export async function runnerImageArchive(): Promise<string> {
  const archive = join(BED_CACHE, `runner-image-${keyOf()}.tar`);
  mkdirSync(BED_CACHE, { recursive: true });
  await alone(join(BED_CACHE, "runner-image.lock"), async () => {
    if (existsSync(archive)) return;
    dropOld();
    await makeArchive(archive);
  });
  return archive;
}

async function makeArchive(archive: string): Promise<void> {
  const podman = await startPodman();
  try {
    importBase(podman);
    await buildImages(podman, ["--image", "runner"]);
    const made = `${archive}.${process.pid}`;
    podman.run("save", "-q", "-o", made, RUNNER_IMAGE);
    renameSync(made, archive);
  } finally {
    await podman.end();
  }
}

const HOUR_MS = 3_600_000;

/** Archives of other programs, but those that another run may just be reading. */
function dropOld(): void {
  for (const name of readdirSync(BED_CACHE)) {
    const path = join(BED_CACHE, name);
    if (/^runner-image-.*\.tar/.test(name) && Date.now() - statSync(path).mtimeMs > HOUR_MS)
      rmSync(path, { force: true });
  }
}

/** One process of this machine at a time: test files that want the same image wait for the first of them. */
async function alone(file: string, work: () => Promise<void>): Promise<void> {
  const holder = Bun.spawn(["flock", file, "sh", "-c", "echo held; cat"], { stdio: ["pipe", "pipe", "inherit"] });
  await holder.stdout.getReader().read();
  try {
    await work();
  } finally {
    await holder.stdin.end();
    await holder.exited;
  }
}

export function importBase(podman: Engine): void {
  const argv = ["sh", "-c", 'tar -C "$1" -c . | podman import -q - "$2"', "sh", DEBIAN_ROOT, BASE_IMAGE];
  const done = Bun.spawnSync(argv, { env: { ...process.env, ...podman.env }, stdio: ["ignore", "ignore", "pipe"] });
  if (!done.success) throw new Error(`podman import: ${done.stderr}`);
}

/** `npm run images` with this engine, this program and this base. */
export async function buildImages(
  podman: Engine,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly stdout: string; readonly stderr: string }> {
  const script = join(ROOT, "scripts/run.ts");
  const child = Bun.spawn([process.execPath, script, "images", "--base", BASE_IMAGE, "--tag", "bed", ...args], {
    cwd: ROOT,
    env: { ...process.env, ...podman.env, RUNNER_BIN: program, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  if ((await child.exited) !== 0) throw new Error(`npm run images -- ${args.join(" ")}: ${stderr.slice(-2_000)}`);
  return { stdout, stderr };
}

/** Bytes of the program that is in the image. */
export const programSize = (): number => statSync(program).size;

function keyOf(): string {
  const folder = join(ROOT, "bundle/container");
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  const { size, mtimeMs } = statSync(program);
  const facts = [`${program} ${size} ${mtimeMs}`, ...files.map((file) => `${file} ${readFileSync(file)}`)];
  return Bun.hash(facts.join("\n")).toString(16);
}
