import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { BUN, ROOT, run, textOf } from "./spawn.ts";

export const BINARY = `${ROOT}dist/runner`;
const STAMP = `${ROOT}dist/.built-from`;
const SOURCES = [
  "cmd",
  "scripts/lib/build.ts",
  "internal",
  "examples",
  "build-config.yaml",
  "service.yml",
  "package.json",
  "bun.lock",
  "tsconfig.json",
];

/** How the one binary is compiled, here and for a release. */
export const COMPILE: readonly string[] = [
  BUN,
  "build",
  "--compile",
  // Not the identifiers: with --splitting Bun 1.4.5 gives an import of another chunk a name that is taken (the AWS SDK broke).
  "--minify-syntax",
  "--minify-whitespace",
  // Halves the start: `version` and every operator command are over before a parser would be.
  "--bytecode",
  // A command loads its own half only: saves an idle runner 2.5 MiB.
  "--splitting",
  "--format=esm",
  // A .env or bunfig.toml (whose `preload` is code) of the folder it is started in is none of its business.
  "--no-compile-autoload-dotenv",
  "--no-compile-autoload-bunfig",
  "cmd/main.ts",
];

/** What the binary knows of itself. */
export const defines = (facts: Readonly<Record<string, string>>): string[] =>
  Object.entries(facts).map(([name, value]) => `--define=${name}=${JSON.stringify(value)}`);

/** Full id; "": outside of git. */
export const headCommit = (): string => textOf(["git", "rev-parse", "HEAD"]) ?? "";

/** dist/runner, one file with everything in it; skipped when no source changed. Ends the process when it fails. */
export async function ensureBuilt(): Promise<void> {
  const version = buildVersion();
  const fingerprint = fingerprintOf(version);
  if (existsSync(BINARY) && existsSync(STAMP) && readFileSync(STAMP, "utf8") === fingerprint) return;
  mkdirSync(`${ROOT}dist`, { recursive: true });
  const facts = { RUNNER_BUILD_VERSION: version, RUNNER_BUILD_COMMIT: headCommit() };
  const code = await run([...COMPILE, ...defines(facts), `--outfile=${BINARY}`]);
  if (code !== 0) {
    console.error("runner: the build failed; the reason stands above");
    process.exit(code);
  }
  writeFileSync(STAMP, fingerprint);
}

/** The version of package.json and the commit, `0.1.0+1a2b3c4`; without git only the version. */
export function buildVersion(commit = headCommit()): string {
  const { version } = JSON.parse(readFileSync(`${ROOT}package.json`, "utf8"));
  return commit ? `${version}+${commit.slice(0, 7)}` : version;
}

/** Names, sizes and times: reading every file would take longer than the build it saves. */
function fingerprintOf(version: string): string {
  const files = SOURCES.flatMap((name) => walk(`${ROOT}${name}`)).sort();
  const facts = files.map((path) => {
    const { mtimeMs, size } = statSync(path);
    return `${path} ${size} ${mtimeMs}`;
  });
  return `${Bun.version} ${version} ${Bun.hash(facts.join("\n")).toString(16)}`;
}

function walk(path: string): string[] {
  if (!existsSync(path)) return [];
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path).flatMap((name) => (name === ".runner" ? [] : walk(`${path}/${name}`)));
}
