import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { ReleaseManifest } from "../../internal/kit/release/manifest.ts";
import { RunnerError } from "../../internal/protocol/errors.ts";
import { RELEASE_HELP, type ReleaseArgs, readReleaseArgs } from "./release-args.ts";
import { checkPlace, replaceFolder, signFolder } from "./release-folder.ts";
import { checkNamedByVersion, promote, writeLatest } from "./release-latest.ts";
import { buildProgram, type Program } from "./release-programs.ts";
import { makeProvenance } from "./release-provenance.ts";
import { findOras, pushRelease } from "./release-push.ts";
import { makeSbom } from "./release-sbom.ts";
import { openSigner, type Signer } from "./release-signing.ts";
import { readSource } from "./release-source.ts";
import { putTools } from "./release-tools.ts";
import { ROOT } from "./spawn.ts";

const say = (line: string) => console.error(`release: ${line}`);

/** `npm run release`: builds, lists, signs. The last line on stdout is the folder. */
export async function release(argv: readonly string[]): Promise<number> {
  if (argv.includes("--help") || argv.includes("-h")) {
    console.log(RELEASE_HELP);
    return 0;
  }
  try {
    const args = readReleaseArgs(argv);
    console.log(args.promote === null ? await makeRelease(args) : await promoteRelease(args.promote, args));
    return 0;
  } catch (error) {
    if (!(error instanceof RunnerError)) throw error;
    console.error(`release: ${error.message}${error.remedy ? `\n  → ${error.remedy}` : ""}`);
    return error.kind === "usage" ? 2 : 1;
  }
}

async function promoteRelease(place: string, { key }: ReleaseArgs): Promise<string> {
  const folder = resolve(place);
  say(`latest is ${await promote(folder, openSigner(key, say))}`);
  return folder;
}

/** Answers the folder, which appears in one step when everything is in it. */
async function makeRelease(args: ReleaseArgs): Promise<string> {
  const source = readSource();
  const version = args.version ?? source.version;
  const folder = resolve(args.out ?? `${ROOT}dist/release/${version}`);
  checkPlace(folder);
  if (args.latest) checkNamedByVersion(folder, version);
  const oras = args.push === null ? "" : findOras();
  const signer = openSigner(args.key, say);
  if (source.changed) say("the checkout has changes that no commit has: nobody else can make this release again");
  const work = `${folder}.making-${process.pid}`;
  mkdirSync(work, { recursive: true });
  try {
    const mirror = process.env.RUNNER_TOOLS_MIRROR;
    const tools = args.tools ? await putTools({ folder: work, targets: args.targets, mirror, say }) : [];
    const programs: Program[] = [];
    for (const target of args.targets) {
      say(`building ${target}`);
      const facts = { version, commit: source.commit, releaseKey: signer.trusted.spki, folder: work };
      programs.push(await buildProgram(target, facts));
    }
    const artifacts = programs.map(({ artifact }) => artifact);
    const manifest: ReleaseManifest = {
      schema: 1,
      version,
      commit: source.commit,
      made: source.made,
      artifacts,
      tools,
    };
    putJson(work, "release.json", manifest);
    putJson(work, "sbom.cdx.json", makeSbom(manifest, programs));
    putJson(work, "provenance.json", makeProvenance(manifest, programs, source));
    writeFileSync(join(work, "release.pub"), signer.publicText);
    putInstaller(work, version, signer);
    signFolder(work, signer);
    replaceFolder(work, folder);
    if (args.latest) writeLatest(folder, signer);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  say(`version ${version}, signed by ${signer.trusted.fingerprint}`);
  if (args.push !== null) {
    await pushRelease({ folder, reference: args.push, plainHttp: args.plainHttp, oras, made: source.made });
  }
  return folder;
}

function putJson(folder: string, file: string, value: object): void {
  writeFileSync(join(folder, file), `${JSON.stringify(value, null, 2)}\n`);
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
  const path = join(folder, "install.sh");
  writeFileSync(path, text, { mode: 0o755 });
  chmodSync(path, 0o755);
}
