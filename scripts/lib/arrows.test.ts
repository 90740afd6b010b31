import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { z } from "zod";
import { program, ROOT } from "./spawn.ts";

/** File, what it imports, whether the layers allow it. */
const IMPORTS: readonly (readonly [string, string, boolean])[] = [
  ["internal/protocol/a.ts", "../kit/base/clock.ts", false],
  ["internal/protocol/b.ts", "../runner/runner.ts", false],
  ["internal/protocol/c.ts", "node:fs", false],
  ["internal/protocol/nuon/d.ts", "../enums.ts", true],
  ["internal/config/a.ts", "../kit/base/clock.ts", false],
  ["internal/config/b.ts", "../protocol/enums.ts", true],
  ["internal/kit/exec/a.ts", "../../runner/runner.ts", false],
  ["internal/kit/exec/b.ts", "../../coordinator/coordinator.ts", false],
  ["internal/kit/exec/c.ts", "../../protocol/enums.ts", true],
  ["internal/coordinator/api/a.ts", "../../runner/handler.ts", false],
  ["internal/coordinator/api/b.ts", "../../kit/base/clock.ts", true],
  ["internal/coordinator/queue/c.ts", "../store/store.ts", false],
  ["internal/coordinator/queue/d.ts", "node:fs", false],
  ["internal/runner/a.ts", "../coordinator/coordinator.ts", false],
  ["internal/runner/loop/a.ts", "../handlers/registry.ts", false],
  ["internal/runner/loop/b.ts", "../controlplane/native.ts", false],
  ["internal/runner/loop/c.ts", "../controlplane/control-plane.ts", true],
  ["internal/runner/loop/d.ts", "../../coordinator/coordinator.ts", false],
  ["internal/runner/loop/e.ts", "../handler.ts", true],
  ["internal/runner/handlers/a.ts", "../loop/journal.ts", false],
  ["internal/runner/handlers/b.ts", "../controlplane/control-plane.ts", false],
  ["internal/runner/handlers/terraform/c.ts", "../../loop/journal.ts", false],
  ["internal/runner/controlplane/a.ts", "../loop/journal.ts", false],
  ["internal/runner/controlplane/b.ts", "../handlers/registry.ts", false],
  ["internal/runner/controlplane/c.ts", "../handler.ts", true],
  ["internal/kit/base/d.ts", "../../../cmd/main.ts", false],
  ["internal/coordinator/e.ts", "../../cmd/main.ts", false],
  ["internal/runner/e.ts", "../../cmd/main.ts", false],
  ["test/e2e/a.ts", "../../cmd/main.ts", false],
  ["cmd/a.ts", "../internal/runner/start.ts", true],
  ["cmd/b.ts", "../internal/coordinator/start.ts", true],
];

const report = z.object({
  diagnostics: z.array(
    z.object({
      category: z.string(),
      location: z.object({ path: z.union([z.string(), z.object({ file: z.string() })]) }),
    }),
  ),
});

describe("the layers of the design are enforced by the linter", () => {
  const folder = mkdtempSync(join(tmpdir(), "runner-arrows-"));
  const found = new Map<string, string[]>();

  beforeAll(() => {
    copyFileSync(`${ROOT}biome.json`, join(folder, "biome.json"));
    for (const [file, target] of IMPORTS) {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(join(folder, file), `import type { x } from "${target}";\nexport type { x };\n`);
    }
    writeFileSync(join(folder, "internal/kit/base/env.ts"), "export const home = process.env.HOME;\n");
    writeFileSync(join(folder, "cmd/env.ts"), "export const home = process.env.HOME;\n");
    const argv = [
      ...program("biome"),
      "lint",
      `--config-path=${folder}`,
      "--vcs-enabled=false",
      "--max-diagnostics=none",
      "--reporter=json",
      folder,
    ];
    const done = Bun.spawnSync(argv, { cwd: ROOT, env: process.env });
    for (const { category, location } of report.parse(JSON.parse(done.stdout.toString())).diagnostics) {
      const path = typeof location.path === "string" ? location.path : location.path.file;
      found.set(category, [...(found.get(category) ?? []), path]);
    }
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const flagged = (rule: string, file: string) => (found.get(rule) ?? []).some((path) => path.endsWith(file));

  for (const [file, target, allowed] of IMPORTS) {
    test(`${file} ${allowed ? "may" : "may not"} import ${target}`, () => {
      expect(flagged("lint/style/noRestrictedImports", file)).toBe(!allowed);
    });
  }

  test("only cmd reads the environment", () => {
    expect(flagged("lint/style/noProcessEnv", "internal/kit/base/env.ts")).toBe(true);
    expect(flagged("lint/style/noProcessEnv", "cmd/env.ts")).toBe(false);
  });
});
