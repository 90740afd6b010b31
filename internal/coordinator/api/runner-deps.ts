import type { Context } from "hono";
import type { SystemLog } from "../../kit/base/system-log.ts";
import type { Claim } from "../../protocol/native.ts";
import type { JobSpans } from "../job-spans.ts";
import type { LogStore } from "../logs/log-store.ts";
import type { Store } from "../store/store.ts";

/** What the runner's routes need. */
export interface RunnerApiDeps {
  readonly store: Store;
  readonly logs: LogStore;
  readonly log: SystemLog;
  readonly version: string;
  /** null: the Host header of the request. */
  readonly publicUrl: string | null;
  /** Absent: no trace of jobs is recorded here. */
  readonly spans?: JobSpans;
  /** Of a claim for a runner. Absent: work is not signed. */
  readonly sign?: (claim: Claim, runnerId: string) => string;
  /** The text a runner gets of a stored plan (compile/render-plan.ts). */
  readonly renderPlan: (
    text: string,
    values: {
      readonly credentials: { readonly username: string; readonly password: string };
      readonly publicUrl: string;
    },
  ) => string;
}

/** Where the caller of this request reaches us. */
export function publicUrlOf(deps: RunnerApiDeps, c: Context): string {
  return deps.publicUrl ?? new URL(c.req.url).origin;
}

/** Bun's server, handed to Hono as its environment; absent when a test calls the app directly. */
export function holdOpen(c: Context): void {
  const server: unknown = c.env;
  if (server !== null && typeof server === "object" && "timeout" in server && typeof server.timeout === "function") {
    server.timeout(c.req.raw, 0);
  }
}
