import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BINARY } from "./build.ts";
import { type Report, readReport } from "./junit.ts";
import { BUN, run } from "./spawn.ts";
import { makeTempFolder } from "./temp-folder.ts";
import { recordTimes, testFiles, writeTimes } from "./test-times.ts";

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
  const record = args.includes("--record");
  const whole = args.length > 0 && !record ? await testRun(args) : await wholeRun(record);
  if (whole.report === null) {
    console.log(`\nthe test run ended with code ${whole.code} before it could report`);
    return whole.code || 1;
  }
  return conclude(whole.report, whole.code, await repeated(whole.report));
}

/** Files at a time in a whole run, on two cores: they mostly wait, for clusters, engines and killed processes. */
const WORKERS = 3;

/** The slowest files first: one of two minutes that begins last would run alone. */
async function wholeRun(record: boolean): Promise<Run> {
  const folder = mkdtempSync(join(tmpdir(), "runner-test-times-"));
  const times = join(folder, "times.json");
  try {
    writeTimes(times, testFiles(FOLDERS));
    const options = [`--parallel=${WORKERS}`, `--timings=${times}`, ...(record ? ["--update-timings"] : [])];
    const whole = await testRun(
      FOLDERS.map((name) => `./${name}`),
      options,
    );
    if (record) recordTimes(times);
    return whole;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Run {
  readonly code: number;
  /** null: bun ended before it wrote one. */
  readonly report: Report | null;
}

async function testRun(paths: readonly string[], options: readonly string[] = []): Promise<Run> {
  const folder = mkdtempSync(join(tmpdir(), "runner-test-"));
  const file = join(folder, "report.xml");
  const temp = makeTempFolder();
  try {
    const report = ["--reporter=junit", `--reporter-outfile=${file}`];
    const code = await run([BUN, "test", "--timeout=30000", ...options, ...report, ...paths], {
      RUNNER_BIN: BINARY,
      TMPDIR: temp.path,
    });
    return { code, report: existsSync(file) ? readReport(readFileSync(file, "utf8")) : null };
  } finally {
    rmSync(folder, { recursive: true, force: true });
    const { names, stays } = temp.end();
    if (names.length > 0) console.log(`\nleft in the temporary folder and removed with it: ${names.join(", ")}`);
    for (const why of stays) console.log(`${temp.path} is not gone: ${why}`);
  }
}

/**
 * Files of which a test failed run once more, whole and alone. What then passes is told apart, by name: it is a race of
 * ours or of the test, to be mended, but not a change that broke something. More files than this are no accident.
 */
const REPEATED_FILES = 3;

async function repeated(whole: Report): Promise<ReadonlySet<string>> {
  const files = [...whole.failedFiles];
  if (files.length === 0 || files.length > REPEATED_FILES || files.includes("")) return new Set();
  console.log(`\nonce more, alone: ${files.join(", ")}`);
  const { report } = await testRun(files.map((file) => `./${file}`));
  if (report === null) return new Set();
  // Titles may repeat within a file: one of that name that failed again counts for all.
  return new Set(whole.failed.filter((name) => report.passed.includes(name) && !report.failed.includes(name)));
}

function conclude(report: Report, code: number, flaky: ReadonlySet<string>): number {
  const strict = process.env.CI === "true";
  const broken = report.failed.filter((name) => !flaky.has(name));
  for (const name of broken) console.log(`failed: ${name}`);
  for (const name of flaky) console.log(`flaky, passed when repeated alone: ${name}`);
  for (const name of report.skipped) console.log(`skipped: ${name}`);
  const missing = strict && report.skipped.length > 0;
  if (missing) console.log("CI=true: what is skipped counts as failed; install the missing component");
  const failed = broken.length + (missing ? report.skipped.length : 0);
  // A crash outside of any test (a file that does not load) has no test to count.
  const uncounted = report.failed.length === 0 && code !== 0 ? 1 : 0;
  if (uncounted) console.log("failed: a test file that did not load; the reason stands above");
  const skipped = missing || report.skipped.length === 0 ? "" : `, ${report.skipped.length} skipped`;
  console.log(`${report.passed.length + flaky.size} passed, ${failed + uncounted} failed${skipped}`);
  return failed + uncounted > 0 ? 1 : 0;
}
