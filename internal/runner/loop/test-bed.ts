import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Clock } from "../../kit/base/clock.ts";
import type { JobGroup } from "../../protocol/enums.ts";
import type { RunnerJob } from "../../protocol/nuon/jobs.ts";
import type { ControlPlane, Work } from "../controlplane/control-plane.ts";
import type { Documents, StateBackend } from "../handler.ts";

/** What unit tests of the loop share. */
const folders: string[] = [];

export function tempFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "runner-loop-"));
  folders.push(folder);
  return folder;
}

export function removeFolders(): void {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}

export interface ManualClock extends Clock {
  /** Lets time pass; everything due wakes up and does what it does at once. */
  advance(ms: number): Promise<void>;
  /** Sets the wall clock; no time passes. */
  set(ms: number): void;
}

/** A clock that stands still until it is moved. */
export function manualClock(): ManualClock {
  let wall = Date.parse("2026-11-21T12:00:00Z");
  let steady = 0;
  let sleepers: { readonly at: number; readonly wake: () => void }[] = [];
  return {
    now: () => wall,
    monotonic: () => steady,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted) return resolve();
        sleepers.push({ at: steady + ms, wake: resolve });
        signal?.addEventListener("abort", () => resolve(), { once: true });
      }),
    set: (ms) => {
      wall += ms;
    },
    async advance(ms) {
      await turns();
      steady += ms;
      wall += ms;
      const due = sleepers.filter((one) => one.at <= steady);
      sleepers = sleepers.filter((one) => one.at > steady);
      for (const one of due) one.wake();
      await turns();
    },
  };
}

/** Everything that can happen without time passing has happened. */
export async function turns(): Promise<void> {
  for (let n = 0; n < 10; n++) await new Promise((resolve) => setImmediate(resolve));
}

export function workOf(id: string, type = "noop", group: JobGroup = "operations"): Work {
  const job: RunnerJob = { id: `job-${id}`, created_by_id: "test", type };
  const execution = { id, jobId: job.id, epoch: 1, logStreamId: null, group, jobType: type, sealed: {} };
  const options = { verify: false, cancelGraceMs: null, sensitiveVars: [] };
  return { job, execution, leaseTtlMs: 30_000, plan: null, loadPlan: null, options, sealed: {} };
}

/** Any call of it fails the test. */
function refusing<T extends object>(name: string, unexpected: (what: string) => () => never): T {
  return new Proxy({}, { get: (_target, method) => unexpected(`${name}.${String(method)}`) }) as T;
}

/** A control plane that answers what the test says; what the test does not expect fails it. */
export function scriptedPlane(parts: Partial<ControlPlane>): ControlPlane {
  const unexpected = (name: string) => (): never => {
    throw new Error(`the loop asked for ${name}`);
  };
  return {
    dialect: "native",
    connect: unexpected("connect"),
    claim: unexpected("claim"),
    renew: unexpected("renew"),
    status: async () => {},
    workStep: async () => {},
    logs: unexpected("logs"),
    complete: unexpected("complete"),
    documents: () => refusing<Documents>("documents", unexpected),
    state: () => refusing<StateBackend>("state", unexpected),
    secrets: () => [],
    ...parts,
  };
}
