import type { JobGroup } from "../../protocol/enums.ts";
import type { JobView, RunnerView, Running } from "../queue/evaluate.ts";
import type { KnownRunner } from "./runner-registry.ts";
import type { JobRow } from "./statements.ts";
import type { Store } from "./store.ts";
import type { JobOptions, JobRequires } from "./types.ts";

const NO_REQUIRES: JobRequires = {};

/** Documents of our own columns were checked when they were written. */
export function requiresOf(row: JobRow): JobRequires {
  return row.requires === "{}" ? NO_REQUIRES : (JSON.parse(row.requires) as JobRequires);
}

export function optionsOf(row: JobRow): JobOptions {
  return JSON.parse(row.options) as JobOptions;
}

export interface QueuedView extends JobView {
  readonly row: JobRow;
}

export function jobView(row: JobRow): QueuedView {
  return {
    id: row.id,
    type: row.type,
    group: row.job_group,
    runnerId: row.runner_id,
    requires: requiresOf(row),
    row,
  };
}

export function runnerView(store: Store, runner: KnownRunner): RunnerView {
  const session = runner.session;
  return {
    id: runner.row.id,
    live: store.runners.contact(runner) === "online",
    draining: runner.row.draining === 1,
    dialect: session?.row.dialect ?? "native",
    mode: session?.row.mode ?? "",
    slots: session?.slots ?? {},
    stopping: session?.row.dialect === "nuon" ? store.nuonPolls.stoppingGroups(runner.row.id) : [],
    jobTypes: session?.jobTypes ?? [],
    labels: { ...session?.inventory?.labels, ...runner.labels },
    arch: session?.inventory?.arch ?? null,
    gpus: session?.inventory?.gpus.length ?? 0,
    freeGpus: freeGpus(store, runner),
  };
}

/** UUIDs of a runner's GPUs that no running execution holds, in the order of its inventory. */
function freeGpus(store: Store, runner: KnownRunner): string[] {
  const gpus = runner.session?.inventory?.gpus ?? [];
  if (gpus.length === 0) return [];
  const inUse = new Set(gpusInUse(store, runner.row.id));
  return gpus.map((gpu) => gpu.uuid).filter((uuid) => !inUse.has(uuid));
}

/** UUIDs that running executions of a runner hold. */
export function gpusInUse(store: Store, runnerId: string): string[] {
  return store.sql.gpusInUse.all(runnerId).flatMap(gpusOf);
}

export function gpusOf(row: { readonly gpus: string }): string[] {
  return row.gpus === "[]" ? [] : (JSON.parse(row.gpus) as string[]);
}

export function runnerViews(store: Store): RunnerView[] {
  return store.runners.all().map((runner) => runnerView(store, runner));
}

/** Counts of running executions, read once. */
export function runningNow(store: Store): Running {
  const perGroup = new Map<string, number>();
  const perRunner = new Map<string, number>();
  for (const row of store.sql.running.all()) {
    perGroup.set(`${row.runner_id} ${row.job_group}`, row.n);
    perRunner.set(row.runner_id, (perRunner.get(row.runner_id) ?? 0) + row.n);
  }
  return (runnerId: string, group?: JobGroup) =>
    (group === undefined ? perRunner.get(runnerId) : perGroup.get(`${runnerId} ${group}`)) ?? 0;
}
