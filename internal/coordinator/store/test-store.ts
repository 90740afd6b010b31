import type { Clock } from "../../kit/base/clock.ts";
import type { JobGroup } from "../../protocol/enums.ts";
import { newId } from "../../protocol/ids.ts";
import type { Completion, SessionRequest } from "../../protocol/native.ts";
import { DEFAULT_TIMES } from "../../protocol/times.ts";
import { openDb } from "./db.ts";
import { createStore, type Store } from "./store.ts";
import { createRunner } from "./transitions/runners.ts";
import { openSession } from "./transitions/session.ts";
import { submitJob } from "./transitions/submit.ts";
import type { NewJob } from "./types.ts";

/** What unit tests of the store share: a store in memory whose clock stands still until it is moved. */
export interface TestStore {
  readonly store: Store;
  advance(ms: number): void;
  /** Sets the wall clock: no time has passed. */
  setClock(ms: number): void;
}

export function testStore(): TestStore {
  let now = Date.parse("2026-11-21T12:00:00Z");
  let set = 0;
  const clock: Clock = { now: () => now + set, monotonic: () => now, sleep: async () => {} };
  const store = createStore({ db: openDb(":memory:"), times: DEFAULT_TIMES, clock, secret: "a secret of this test" });
  return {
    store,
    advance: (ms) => {
      now += ms;
    },
    setClock: (ms) => {
      set += ms;
    },
  };
}

export function newRunner(store: Store, name: string, labels: Record<string, string> = {}): string {
  const made = createRunner(store, { name, labels, by: "admin" });
  if (!made.ok) throw made.error;
  return made.value.id;
}

export function sessionOf(instance: string, over: Partial<SessionRequest> = {}): SessionRequest {
  return {
    instance_id: instance,
    mode: "all",
    version: "1.0.0",
    inventory: { hostname: "host-1", os: "linux", arch: "amd64", cpus: 2, memory_bytes: 1, gpus: [], labels: {} },
    slots: { operations: 4, actions: 2, deploy: 1 },
    job_types: [],
    held: [],
    ...over,
  };
}

/** A runner with a session; answers its id. */
export function onlineRunner(store: Store, name: string, over: Partial<SessionRequest> = {}): string {
  const id = newRunner(store, name);
  const opened = openSession(store, id, sessionOf(`${name}-1`, over));
  if (!opened.ok) throw new Error("the session was refused");
  return id;
}

export function newJob(over: Partial<NewJob> = {}): NewJob {
  const group: JobGroup = over.group ?? "operations";
  return {
    id: newId("job"),
    changeId: null,
    name: "a job",
    type: "noop",
    group,
    operation: "exec",
    runnerId: null,
    ownerId: "own1",
    ownerType: "tests",
    metadata: {},
    requires: {},
    options: { verify: false, cancel_grace_ms: null, sensitive_vars: [] },
    workspaceId: null,
    executionTimeoutMs: 300_000,
    maxExecutions: 1,
    plan: null,
    documents: { action_run: null, action_config: null, app_config: null },
    createdBy: "admin",
    ...over,
  };
}

export function submit(store: Store, over: Partial<NewJob> = {}): string {
  const job = newJob(over);
  submitJob(store, job);
  return job.id;
}

export function completionOf(
  execution: { readonly id: string; readonly epoch: number },
  over: Partial<Completion> = {},
): Completion {
  return {
    execution_id: execution.id,
    epoch: execution.epoch,
    status: "finished",
    reason: "",
    code: "",
    result: null,
    outputs: null,
    sensitive_outputs: [],
    steps: [],
    ...over,
  };
}

/** The statuses and marks of a job's timeline, in order. */
export function timeline(store: Store, jobId: string): string[] {
  return store.events.list({ after: 0, limit: 1_000, jobId }).map((event) => event.what);
}
