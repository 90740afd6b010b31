import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BINARY } from "./build.ts";
import { readReport } from "./junit.ts";
import { BUN, ROOT, run } from "./spawn.ts";

const FOLDERS = [
  "internal",
  "cmd",
  "scripts",
  "test/conformance",
  "test/fuzz",
  "test/bench",
  "test/integration",
  "test/e2e",
  "test/faults",
];

/**
 * Every test, or the paths given. The last lines name what was skipped, then count: `N passed, N failed, N skipped`.
 * A skipped test is a missing component of this machine; on CI nothing may be missing.
 */
export async function runTests(args: readonly string[]): Promise<number> {
  const provisioned = await run([BUN, "test/bed/provision.ts"]);
  if (provisioned !== 0) return provisioned;
  const paths = args.length > 0 ? args : FOLDERS.filter(hasTests).map((folder) => `./${folder}`);
  const folder = mkdtempSync(join(tmpdir(), "runner-test-"));
  const file = join(folder, "report.xml");
  try {
    const report = ["--reporter=junit", `--reporter-outfile=${file}`];
    const code = await run([BUN, "test", "--timeout=30000", ...report, ...paths], { RUNNER_BIN: BINARY });
    if (!existsSync(file)) {
      console.log(`\nthe test run ended with code ${code} before it could report`);
      return code || 1;
    }
    return conclude(readReport(readFileSync(file, "utf8")), code);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function conclude(report: ReturnType<typeof readReport>, code: number): number {
  const strict = process.env.CI === "true";
  for (const name of report.failed) console.log(`failed: ${name}`);
  for (const name of report.skipped) console.log(`skipped: ${name}`);
  const missing = strict && report.skipped.length > 0;
  if (missing) console.log("CI=true: what is skipped counts as failed; install the missing component");
  const failed = report.failed.length + (missing ? report.skipped.length : 0);
  // A crash outside of any test (a file that does not load) has no test to count.
  const uncounted = failed === 0 && code !== 0 ? 1 : 0;
  if (uncounted) console.log("failed: a test file that did not load; the reason stands above");
  const skipped = missing || report.skipped.length === 0 ? "" : `, ${report.skipped.length} skipped`;
  console.log(`${report.passed} passed, ${failed + uncounted} failed${skipped}`);
  return failed + uncounted > 0 ? 1 : 0;
}

function hasTests(folder: string): boolean {
  const path = join(ROOT, folder);
  return existsSync(path) && readdirSync(path, { recursive: true }).some((name) => /\.test\.tsx?$/.test(String(name)));
}
