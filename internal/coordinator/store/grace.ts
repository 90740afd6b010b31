import type { JobRow } from "./statements.ts";
import { optionsOf } from "./views.ts";

/** Time for the last report after a tool has been stopped. */
const REPORT_MS = 30_000;
/** A Go runner never reports a time-out: its context has ended (nuon-runner-api.md 5.6). */
const NUON_MS = 5_000;

/** Cancel grace by kind of tool (DESIGN invariant 4). */
export function cancelGraceMs(job: JobRow): number {
  const own = optionsOf(job).cancel_grace_ms;
  if (own !== null) return own;
  if (job.type.includes("terraform")) return 600_000;
  return job.type.includes("helm") ? 60_000 : 10_000;
}

/** How long after its execution timeout the server itself ends an execution, milliseconds. */
export function executionGraceMs(job: JobRow, dialect: "native" | "nuon"): number {
  return dialect === "nuon" ? NUON_MS : cancelGraceMs(job) + REPORT_MS;
}
