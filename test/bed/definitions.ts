import { copyFileSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { BED_CACHE, goEnv, goTool } from "./go-program.ts";
import { DEFINITIONS, type DefinitionName } from "./manifest.ts";

/**
 * Definitions (CRDs) of other people's programs as they publish them, so that objects of theirs which the charts make are
 * held against the real schema. They lie in the source of those programs, which is a module; its sum is pinned here.
 */
export const definitionFiles = (): readonly string[] => Object.keys(DEFINITIONS).map((name) => pathOf(name));

export const definitionsMissing = (): string | null =>
  definitionFiles().every((path) => existsSync(path)) ? null : "definitions were not fetched (test/bed/provision.ts)";

/** Fetches what is not there yet: 6 MB. Answers what is in the way. */
export function fetchDefinitions(): string | null {
  for (const name of Object.keys(DEFINITIONS) as DefinitionName[]) {
    const fault = existsSync(pathOf(name)) ? null : fetchOne(name);
    if (fault !== null) return `the definition ${name} cannot be had: ${fault}`;
  }
  return null;
}

const pathOf = (name: string) => join(BED_CACHE, `definition-${name}.yaml`);
const answer = z.object({ Dir: z.string().optional(), Sum: z.string().optional(), Error: z.string().optional() });

function fetchOne(name: DefinitionName): string | null {
  const { module, version, sum, file } = DEFINITIONS[name];
  const go = goTool();
  if (go === null) return "there is no Go";
  mkdirSync(BED_CACHE, { recursive: true });
  const folder = mkdtempSync(join(BED_CACHE, "building-"));
  try {
    // The sum here takes the place of the public database of sums, which does not know every module that is served.
    const done = Bun.spawnSync([go, "mod", "download", "-json", `${module}@v${version}`], {
      cwd: folder,
      env: { ...goEnv(), GOSUMDB: "off" },
    });
    const got = answer.safeParse(JSON.parse(done.stdout.toString() || "{}")).data;
    if (got?.Dir === undefined) return got?.Error ?? done.stderr.toString().trim();
    if (got.Sum !== sum) return `${module} has the sum ${got.Sum}, expected ${sum}: not used`;
    copyFileSync(join(got.Dir, file), join(folder, "file"));
    renameSync(join(folder, "file"), pathOf(name));
    return null;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
