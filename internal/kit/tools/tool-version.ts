import { mkdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";
import type { ToolName } from "./build-config.ts";

/** How each tool is asked for its version. */
const QUESTION: Record<ToolName, readonly string[]> = {
  terraform: ["version", "-json"],
  tofu: ["version", "-json"],
  git: ["--version"],
  helm: ["version", "--short"],
  kubectl: ["version", "--client", "--output=json"],
  oras: ["version"],
  podman: ["--version"],
  docker: ["--version"],
};

const cacheSchema = z.record(z.string(), z.string());

/** Where the answers are kept, in the folder that all jobs of a machine share. */
export const versionsFile = (cacheDir: string): string => join(cacheDir, "versions.json");

export interface VersionReader {
  /** `1.11.4`; null when the file does not say. Never throws. */
  version(tool: ToolName, path: string): Promise<string | null>;
}

/**
 * Asking costs a process of 30 ms and more, so answers are kept by path, time and size: in memory, and in a file that
 * survives a restart. A script (a version manager's shim) may answer something else tomorrow and is asked every time.
 */
export function createVersionReader(cacheFile: string): VersionReader {
  let known: Promise<Record<string, string>> | undefined;
  const asked = new Map<string, Promise<string | null>>();

  const learn = async (tool: ToolName, path: string, key: string): Promise<string | null> => {
    known ??= load(cacheFile);
    const cache = await known;
    const before = cache[key];
    if (before !== undefined) return before;
    const answer = await ask(tool, path);
    if (answer !== null && !(await isScript(path))) {
      cache[key] = answer;
      await save(cacheFile, cache);
    }
    return answer;
  };

  return {
    async version(tool, path) {
      const facts = await stat(path).catch(() => null);
      if (!facts) return null;
      const key = `${path}|${facts.mtimeMs}|${facts.size}`;
      const running = asked.get(key) ?? learn(tool, path, key).finally(() => asked.delete(key));
      asked.set(key, running);
      return await running;
    },
  };
}

async function ask(tool: ToolName, path: string): Promise<string | null> {
  try {
    const child = Bun.spawn([path, ...QUESTION[tool]], {
      // The update check of terraform would call home and wait for an answer.
      env: { PATH: dirname(path), HOME: "/nonexistent", CHECKPOINT_DISABLE: "1", LC_ALL: "C" },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "ignore",
      timeout: 10_000,
    });
    const text = await new Response(child.stdout).text();
    await child.exited;
    return /"terraform_version":\s*"([^"]+)"/.exec(text)?.[1] ?? /\d+\.\d+\.\d+(?:-[\w.]+)?/.exec(text)?.[0] ?? null;
  } catch {
    return null;
  }
}

async function isScript(path: string): Promise<boolean> {
  return (await Bun.file(path).slice(0, 2).text()) === "#!";
}

async function load(file: string): Promise<Record<string, string>> {
  try {
    return cacheSchema.parse(JSON.parse(await readFile(file, "utf8")));
  } catch {
    return {}; // missing or damaged: asked again
  }
}

/** Best effort: without the file the next start asks again. */
async function save(file: string, cache: Record<string, string>): Promise<void> {
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    await writeFile(temporary, JSON.stringify(cache), { mode: 0o600 });
    await rename(temporary, file);
  } catch {
    // a full or read-only disk
  }
}
