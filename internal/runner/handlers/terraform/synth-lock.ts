import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { RunnerError } from "../../../protocol/errors.ts";

/** What an app says its packages are, to the last digit. */
export interface Lock {
  /** File that names them. */
  readonly name: string;
  readonly manager: "npm" | "bun" | "pip";
  /** What the manager reads, by file name. */
  readonly files: Readonly<Record<string, string>>;
  /** It names folders of the source, so that its packages cannot lie anywhere else. */
  readonly inPlace: boolean;
}

const NPM_LOCKS = ["npm-shrinkwrap.json", "package-lock.json"];
const BUN_LOCKS = ["bun.lock", "yarn.lock", "pnpm-lock.yaml"];

/** null: the app has no packages. Throws RunnerError (job) for packages without a lockfile: never the newest. */
export function lockOf(folder: string, family: "js" | "python", has: { readonly npm: boolean }): Lock | null {
  return family === "js" ? javascriptLock(folder, has.npm) : pythonLock(folder);
}

const packageJson = z.looseObject({
  dependencies: z.record(z.string(), z.string()).optional(),
  devDependencies: z.record(z.string(), z.string()).optional(),
  workspaces: z.unknown().optional(),
});

function javascriptLock(folder: string, npm: boolean): Lock | null {
  const text = read(folder, "package.json");
  if (text === null) return null;
  const parsed = packageJson.safeParse(json(text, "package.json"));
  if (!parsed.success) throw bad("package.json is not one");
  const wanted = { ...parsed.data.devDependencies, ...parsed.data.dependencies };
  if (Object.keys(wanted).length === 0) return null;
  const names = npm ? [...NPM_LOCKS, ...BUN_LOCKS] : [...BUN_LOCKS, ...NPM_LOCKS];
  const name = names.find((one) => existsSync(join(folder, one)));
  if (name === undefined) {
    throw bad(
      "package.json names packages, and there is no lockfile beside it",
      "Commit package-lock.json (npm install) or bun.lock (bun install).",
    );
  }
  const inPlace =
    parsed.data.workspaces !== undefined || Object.values(wanted).some((one) => /^(file|link):/.test(one));
  const registry = read(folder, ".npmrc");
  return {
    name,
    manager: npm && NPM_LOCKS.includes(name) ? "npm" : "bun",
    files: {
      "package.json": text,
      [name]: read(folder, name) ?? "",
      ...(registry === null ? {} : { ".npmrc": registry }),
    },
    inPlace,
  };
}

const pipfileLock = z.looseObject({
  default: z.record(
    z.string(),
    z.looseObject({
      version: z
        .string()
        .regex(/^==\S+$/)
        .optional(),
      hashes: z.array(z.string().regex(/^sha256:[0-9a-f]{64}$/)).optional(),
      markers: z.string().optional(),
      extras: z.array(z.string()).optional(),
    }),
  ),
});

function pythonLock(folder: string): Lock | null {
  const pipfile = read(folder, "Pipfile.lock");
  if (pipfile !== null) return pipLock("Pipfile.lock", fromPipfile(pipfile));
  const requirements = read(folder, "requirements.txt");
  if (requirements !== null) return pipLock("requirements.txt", pinned(requirements));
  const foreign = ["poetry.lock", "uv.lock", "Pipfile", "pyproject.toml"].find((one) => existsSync(join(folder, one)));
  if (foreign === undefined) return null;
  throw bad(
    `the packages of the app are named in ${foreign}, which is not read here`,
    "Commit a requirements.txt with exact versions (pip freeze, uv export, poetry export), or a Pipfile.lock.",
  );
}

const pipLock = (name: string, text: string): Lock | null =>
  text.trim() === "" ? null : { name, manager: "pip", files: { "requirements.lock.txt": text }, inPlace: false };

function fromPipfile(text: string): string {
  const parsed = pipfileLock.safeParse(json(text, "Pipfile.lock"));
  if (!parsed.success) throw bad("Pipfile.lock names something else than exact versions");
  const lines = Object.entries(parsed.data.default).map(([name, { version, hashes, markers, extras }]) => {
    if (version === undefined) throw bad(`Pipfile.lock names no version of ${name}`);
    const extra = extras && extras.length > 0 ? `[${extras.join(",")}]` : "";
    const marker = markers === undefined ? "" : ` ; ${markers}`;
    return `${name}${extra}${version}${marker}${(hashes ?? []).map((hash) => ` --hash=${hash}`).join("")}`;
  });
  return lines.sort().join("\n");
}

/** Every line an exact version or an address; options of pip other than hashes have no place in a job's file. */
function pinned(text: string): string {
  const lines = text.replace(/\\\r?\n/g, " ").split(/\r?\n/);
  return lines
    .map((line) => line.replace(/(^|\s)#.*$/, "").trim())
    .filter((line) => line !== "")
    .map((line) => {
      if (
        /^[A-Za-z0-9][A-Za-z0-9._-]*(\[[^\]]*\])?\s*(===?\s*[^\s;*,<>]+|@\s*https:\/\/\S+)(\s*;[^#]*?)?(\s+--hash=\S+)*$/.test(
          line,
        )
      ) {
        return line;
      }
      throw bad(
        `requirements.txt: ${JSON.stringify(line.slice(0, 100))} is not an exact version`,
        "Write it as name==version (pip freeze does).",
      );
    })
    .join("\n");
}

function json(text: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw bad(`${name} is not JSON`);
  }
}

function read(folder: string, name: string): string | null {
  const path = join(folder, name);
  return existsSync(path) ? readFileSync(path, "utf8") : null;
}

const bad = (why: string, remedy?: string) =>
  new RunnerError("job", `the cdktf app cannot be synthesised: ${why}`, remedy === undefined ? {} : { remedy });
