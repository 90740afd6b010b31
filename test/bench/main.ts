import { parseArgs } from "node:util";
import { writeDocument } from "./lib/document.ts";
import { endEveryBed } from "./lib/processes.ts";
import type { Row } from "./lib/row.ts";
import { type Measured, missedGoals, renderTable } from "./lib/table.ts";
import { action } from "./rows/action.ts";
import { container } from "./rows/container.ts";
import { containers } from "./rows/containers.ts";
import { gitSource } from "./rows/git-source.ts";
import { helm } from "./rows/helm.ts";
import { idle } from "./rows/idle.ts";
import { install } from "./rows/install.ts";
import { kubejob } from "./rows/kubejob.ts";
import { latency } from "./rows/latency.ts";
import { liveLine } from "./rows/live-line.ts";
import { manifest } from "./rows/manifest.ts";
import { npmStart } from "./rows/npm-start.ts";
import { ociPull } from "./rows/oci-pull.ts";
import { output } from "./rows/output.ts";
import { page } from "./rows/page.ts";
import { sizes } from "./rows/sizes.ts";
import { start } from "./rows/start.ts";
import { terraform } from "./rows/terraform.ts";
import { throughput } from "./rows/throughput.ts";
import { tracing } from "./rows/tracing.ts";
import { update } from "./rows/update.ts";

/**
 * `npm run bench [-- --only NAME[,NAME] --runs N --write]`: the table on stdout. `--write` puts each row measured, with its
 * date, into docs/benchmarks.md; a run of everything with at least 20 runs does so by itself. Measures the compiled
 * program; asserts nothing.
 */
const ROWS: readonly Row[] = [
  latency,
  action,
  throughput,
  tracing,
  terraform,
  container,
  containers,
  helm,
  manifest,
  kubejob,
  gitSource,
  ociPull,
  output,
  liveLine,
  idle,
  sizes,
  install,
  update,
  start,
  npmStart,
  page,
];
const ROOT = new URL("../../", import.meta.url).pathname;
const ENOUGH_RUNS = 20;

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    runs: { type: "string", default: "20" },
    write: { type: "boolean", default: false },
  },
});
const runs = Number(values.runs);
const only = values.only?.split(",") ?? null;
const unknown = only?.filter((name) => !ROWS.some((row) => row.name === name)) ?? [];
if (!Number.isInteger(runs) || runs < 1 || unknown.length > 0) {
  console.error(`bench: --runs is a number from 1; --only one of ${ROWS.map((row) => row.name).join(", ")}`);
  process.exit(2);
}

const say = (text: string) => console.error(`bench: ${text}`);
for (const [signal, code] of [["SIGINT", 130] as const, ["SIGTERM", 143] as const]) {
  process.once(signal, () => void endEveryBed().then(() => process.exit(code)));
}

const measured: Measured[] = [];
const failed: string[] = [];
for (const row of ROWS) {
  if (only && !only.includes(row.name)) continue;
  const began = performance.now();
  say(`${row.name} …`);
  try {
    const lines = await row.measure({ runs, binary: process.env.RUNNER_BIN ?? `${ROOT}dist/runner`, say });
    measured.push({ row, lines });
    say(`${row.name} took ${((performance.now() - began) / 1_000).toFixed(0)} s`);
  } catch (error) {
    // The other rows are worth their time all the same.
    failed.push(row.name);
    say(`${row.name} could not be measured: ${error instanceof Error ? error.message : error}`);
  }
}
console.log(renderTable(measured));
for (const miss of missedGoals(measured)) console.log(`missed: ${miss}`);
if (values.write || (only === null && runs >= ENOUGH_RUNS)) {
  writeDocument(
    `${ROOT}docs/benchmarks.md`,
    measured,
    ROWS.map((row) => row.name),
  );
  say("docs/benchmarks.md is written");
}
process.exit(failed.length === 0 ? 0 : 1);
