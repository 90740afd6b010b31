import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";
import type { ReleaseManifest } from "../../internal/kit/release/manifest.ts";
import {
  SUMS,
  SUMS_SIGNATURE,
  SUMS_SSH_SIGNATURE,
  UNSUMMED,
  writeReleaseSums,
} from "../../internal/kit/release/sums.ts";
import { RunnerError } from "../../internal/protocol/errors.ts";
import { buildVersion } from "./build.ts";
import { RELEASE_HELP, type ReleaseArgs, readReleaseArgs } from "./release-args.ts";
import { buildProgram, type Program, sha256 } from "./release-programs.ts";
import { openSigner, opensshSignature, rawSignature, type Signer } from "./release-signing.ts";
import { ROOT, textOf } from "./spawn.ts";

const say = (line: string) => console.error(`release: ${line}`);

/** `npm run release`: builds, lists, signs. The last line on stdout is the folder. */
export async function release(argv: readonly string[]): Promise<number> {
  if (argv.includes("--help") || argv.includes("-h")) {
    console.log(RELEASE_HELP);
    return 0;
  }
  try {
    console.log(await makeRelease(readReleaseArgs(argv)));
    return 0;
  } catch (error) {
    if (!(error instanceof RunnerError)) throw error;
    console.error(`release: ${error.message}${error.remedy ? `\n  → ${error.remedy}` : ""}`);
    return error.kind === "usage" ? 2 : 1;
  }
}

async function makeRelease(args: ReleaseArgs): Promise<string> {
  const signer = openSigner(args.key, say);
  const version = args.version ?? buildVersion();
  const folder = resolve(args.out ?? `${ROOT}dist/release/${version}`);
  checkPlace(folder);
  const work = `${folder}.making-${process.pid}`;
  mkdirSync(work, { recursive: true });
  try {
    const programs: Program[] = [];
    for (const target of args.targets) {
      say(`building ${target}`);
      programs.push(await buildProgram(target, { version, releaseKey: signer.trusted.spki, folder: work }));
    }
    const manifest: ReleaseManifest = {
      schema: 1,
      version,
      commit: textOf(["git", "rev-parse", "HEAD"]) ?? "",
      made: madeAt(),
      artifacts: programs.map(({ artifact }) => artifact),
      tools: [],
    };
    writeFileSync(join(work, "release.json"), `${JSON.stringify(manifest, null, 2)}\n`);
    writeFileSync(join(work, "release.pub"), signer.publicText);
    putInstaller(work, version, signer);
    signFolder(work, signer);
    replaceFolder(work, folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  say(`version ${version}, signed by ${signer.trusted.fingerprint}`);
  return folder;
}

/** The time of the commit, so that the same source gives the same bytes; SOURCE_DATE_EPOCH (seconds) goes before it. */
function madeAt(): string {
  const given = process.env.SOURCE_DATE_EPOCH;
  if (given !== undefined && !/^\d{1,11}$/.test(given)) {
    throw new RunnerError("usage", `SOURCE_DATE_EPOCH is ${JSON.stringify(given)}, not seconds since 1970`);
  }
  const seconds = given ?? textOf(["git", "log", "-1", "--format=%ct"]) ?? "0";
  return new Date(Number(seconds) * 1_000).toISOString();
}

/** install.sh with this release's version and key in it. */
function putInstaller(folder: string, version: string, { trusted, publicText }: Signer): void {
  if (!existsSync(`${ROOT}install.sh`)) return;
  const words: Readonly<Record<string, string>> = {
    "@RELEASE_KEY@": trusted.spki,
    "@RELEASE_KEY_SSH@": publicText.split(" ").slice(0, 2).join(" "),
    "@RELEASE_VERSION@": version,
  };
  const text = readFileSync(`${ROOT}install.sh`, "utf8").replace(/@RELEASE_[A-Z_]+@/g, (word) => words[word] ?? word);
  writeFileSync(join(folder, "install.sh"), text, { mode: 0o755 });
  chmodSync(join(folder, "install.sh"), 0o755);
}

/** Lists every file of the folder with its SHA-256, and signs the list. */
export function signFolder(folder: string, signer: Signer): void {
  const files = filesOf(folder).filter((file) => !UNSUMMED.includes(file));
  const sums = new Map(files.map((file) => [file, sha256(readFileSync(join(folder, file)))]));
  const text = Buffer.from(writeReleaseSums(sums));
  writeFileSync(join(folder, SUMS), text);
  writeFileSync(join(folder, SUMS_SIGNATURE), rawSignature(signer, text));
  writeFileSync(join(folder, SUMS_SSH_SIGNATURE), opensshSignature(signer, text));
}

function filesOf(folder: string): string[] {
  const entries = readdirSync(folder, { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}

/** Only a release may be replaced: a folder with anything else in it is somebody's. */
function checkPlace(folder: string): void {
  if (!existsSync(folder) || readdirSync(folder).length === 0 || existsSync(join(folder, "release.json"))) return;
  throw new RunnerError("usage", `${folder} is not empty and no release`, {
    remedy: "Name another folder with --out.",
  });
}

function replaceFolder(from: string, to: string): void {
  const old = `${to}.old-${process.pid}`;
  if (existsSync(to)) renameSync(to, old);
  renameSync(from, to);
  rmSync(old, { recursive: true, force: true });
}
