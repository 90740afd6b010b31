import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { settingsTable } from "../internal/config/help.ts";
import { openApiDocument } from "../internal/coordinator/api/operator/openapi.ts";
import { serviceBundle } from "../internal/kit/service/index.ts";
import { BED_CACHE } from "../test/bed/go-program.ts";
import { bootScripts } from "./lib/boot-scripts.ts";
import { ECS_BUNDLE, ecsApp, synthesised } from "./lib/ecs-bundle.ts";
import { handlerDocs, putPart } from "./lib/handler-docs.ts";
import { ROOT } from "./lib/spawn.ts";

/**
 * Writes everything that is generated; with `--check` writes nothing and fails when something is out of step.
 * `npm run generate -- ecs` writes the ECS bundle too. A part of a document stands between `<!-- generated: NAME -->` and `<!-- end -->`.
 */
const PARTS: readonly (readonly [string, string, () => string])[] = [["README.md", "configuration", settingsTable]];

const outOfStep: string[] = [];
const checking = process.argv.includes("--check");

function put(file: string, text: string): void {
  const path = ROOT + file;
  if (existsSync(path) && readFileSync(path, "utf8") === text) return;
  outOfStep.push(file);
  if (checking) return;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

for (const [file, name, make] of PARTS) {
  const text = putPart(readFileSync(ROOT + file, "utf8"), name, make());
  if (text === null) throw new Error(`${file} has no place for ${name}`);
  put(file, text);
}

for (const [file, text] of handlerDocs()) put(file, text);

/** The types that authors of plug-ins get: the interface the loader checks against, as it is. */
function handlerTypes(): string {
  const text = readFileSync(`${ROOT}internal/runner/plugins/plugin-api.ts`, "utf8");
  return `// Generated from internal/runner/plugins/plugin-api.ts by npm run generate.\n${text}`;
}
put("examples/handlers/handler.d.ts", handlerTypes());
for (const [name, text] of serviceBundle()) put(`bundle/service/${name}`, text);
for (const [name, text] of bootScripts()) put(`bundle/boot/${name}`, text);
put("docs/openapi.json", `${JSON.stringify(openApiDocument(), null, 2)}\n`);

// Its packages are half a gigabyte: only when asked for; test/e2e/ecs-bundle.test.ts holds it in step.
if (process.argv.includes("ecs")) put(ECS_BUNDLE, synthesised(ecsApp(BED_CACHE)));

if (checking && outOfStep.length > 0) {
  console.error(`out of step: ${outOfStep.join(", ")}\n  → Run npm run generate and commit what it wrote.`);
  process.exit(1);
}
console.log(checking ? "in step" : outOfStep.length > 0 ? `written: ${outOfStep.join(", ")}` : "nothing to write");
