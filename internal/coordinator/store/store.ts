import type { Clock } from "../../kit/base/clock.ts";
import type { Times } from "../../protocol/times.ts";
import { type Credentials, createCredentials } from "./credentials.ts";
import type { Db } from "./db.ts";
import { createEvents, type Events } from "./events.ts";
import { createNuonPolls, type NuonPolls } from "./nuon-polls.ts";
import { createRunnerRegistry, type RunnerRegistry } from "./runner-registry.ts";
import { createStatements, type JobRow, type Statements } from "./statements.ts";
import type { FinishedJob } from "./types.ts";
import { createWake, type Wake } from "./wake.ts";

/**
 * Everything a transition needs. Transitions are plain functions `(store, input)`; each runs in one transaction with
 * its event and joins an open one, so callers compose them inside `store.db.transaction` or `store.db.group`.
 */
export interface Store {
  readonly db: Db;
  readonly clock: Clock;
  readonly times: Times;
  readonly events: Events;
  readonly sql: Statements;
  readonly runners: RunnerRegistry;
  /** Signs of life of Go runners that no row keeps. */
  readonly nuonPolls: NuonPolls;
  readonly credentials: Credentials;
  /** Tells waiting requests of this process that something they wait for may have happened. */
  readonly wake: Wake;
  /** State versions kept per workspace; 0: all of them. */
  readonly keepStates: number;
  /** Asked inside the transaction that would start a job: a reason fails it instead, and nothing runs. */
  readonly startChecks: ((job: JobRow) => string | null)[];
  /** Called inside the transaction that ends a job, after its row is final. `finished`: what spares a hook the reading. */
  readonly jobEnded: ((jobId: string, finished?: FinishedJob) => void)[];
}

export interface StoreOptions {
  readonly db: Db;
  readonly times: Times;
  readonly clock: Clock;
  /** Secret of this data folder; execution passwords are derived from it. */
  readonly secret: string;
  /** See Store; default 100. */
  readonly keepStates?: number;
}

const KEEP_STATES = 100;

export function createStore({ db, times, clock, secret, keepStates = KEEP_STATES }: StoreOptions): Store {
  return {
    db,
    clock,
    times,
    events: createEvents(db, clock),
    sql: createStatements(db),
    runners: createRunnerRegistry(db, clock, times),
    nuonPolls: createNuonPolls(clock.monotonic),
    credentials: createCredentials(secret),
    wake: createWake(db),
    keepStates,
    startChecks: [],
    jobEnded: [],
  };
}
