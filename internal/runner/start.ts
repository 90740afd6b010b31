import { type Clock, systemClock } from "../kit/base/clock.ts";
import type { Gpu } from "../kit/base/gpus.ts";
import { inventoryOf } from "../kit/base/inventory.ts";
import { freeBytes } from "../kit/workspace/index.ts";
import { type JobGroup, MODE_GROUPS } from "../protocol/enums.ts";
import { EXIT, type ExitCode, KIND_EXIT, ok, RunnerError } from "../protocol/errors.ts";
import { DEFAULT_TIMES, type Times } from "../protocol/times.ts";
import type { Wish, Work } from "./controlplane/control-plane.ts";
import type { RunnerControl, SourceFetcher, SourceScope } from "./handler.ts";
import { openAudit } from "./loop/audit.ts";
import { createClaimLoop } from "./loop/claim-loop.ts";
import { type Begin, deadlineOf, type ExecutionDeps } from "./loop/execution.ts";
import { handlerFor } from "./loop/handler-for.ts";
import { type Journal, openJournal } from "./loop/journal.ts";
import { createLeaseKeeper } from "./loop/lease-keeper.ts";
import { createLiveJobs } from "./loop/live-jobs.ts";
import { observedPlane } from "./loop/observed-plane.ts";
import { createRecorder } from "./loop/recorder.ts";
import { type Found, findExecutions } from "./loop/recovery.ts";
import { createSettings } from "./loop/settings.ts";
import { createSlots } from "./loop/slots.ts";
import { executionViews, slotViews } from "./loop/status.ts";
import { createStopOrders } from "./loop/stop-orders.ts";
import { createTeller } from "./loop/teller.ts";
import { tracedSources } from "./loop/traced-sources.ts";
import { createVitals, type Vitals } from "./loop/vitals.ts";
import type { RunnerDeps, RunnerOptions, RunnerProcess } from "./runner.ts";

/** Reports of what had ended go out before the first sign of life, but never hold it up longer than this. */
const RECOVERY_REPORT_MS = 5_000;

export interface StartDeps extends RunnerDeps {
  readonly sources: (scope: SourceScope) => SourceFetcher;
  /** Opened before the control plane was asked anything, so that a folder in use is said first. Default: opened here. */
  readonly journal?: Journal;
  /** Counted into from before the control plane was asked anything. Default: made here. */
  readonly vitals?: Vitals;
  readonly clock?: Clock;
}

/**
 * The instance: starting → recovering → idle ⇄ busy → draining → stopped | failed (DESIGN section 4).
 * Throws RunnerError (environment) before anything is touched when the state directory cannot be used.
 */
export function startRunner(options: RunnerOptions, deps: StartDeps): RunnerProcess {
  const clock = deps.clock ?? systemClock;
  const { log } = deps;
  const vitals = deps.vitals ?? createVitals(clock);
  const journal = deps.journal ?? openJournal(options.stateDir);
  const instanceId = journal.instanceId();
  const groups = MODE_GROUPS[options.mode].filter((group) => (options.slots[group] ?? 0) > 0);
  const processStart = clock.now();
  const draining = new AbortController();
  const going = new AbortController();
  const ready = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<ExitCode>();
  let times: Times = DEFAULT_TIMES;
  let connectedMs: number | null = null;
  const audit = openAudit({ stateDir: options.stateDir, log, now: clock.now });
  const settings = createSettings({
    controlPlane: deps.controlPlane,
    version: options.version,
    log,
    clock,
    signal: going.signal,
  });
  const controlPlane = observedPlane(deps.controlPlane, vitals, settings.current);

  const orders = createStopOrders({
    jobs: () => jobs,
    clock,
    log,
    drainTimeoutMs: options.drainTimeoutMs,
    draining,
    going,
  });
  const obey = (wish: Wish) => {
    if (wish.kind === "cancel") jobs.get(wish.execution_id)?.stop({ kind: "cancelled", why: wish.reason });
    if (wish.kind === "drain") orders.drain(wish.reason);
    if (wish.kind === "settings") void settings.reread();
  };

  const control: RunnerControl = {
    version: options.version,
    settings: settings.current,
    checkLoops: createLoopChecks(groups, clock),
    shutdown: (how) => (how === "force" ? orders.cancel("a forced shut-down job") : orders.drain("a shut-down job")),
    freshSettings: async () => {
      await settings.reread();
      return settings.current();
    },
    ...deps.itself,
  };

  const slots = createSlots(options.slots, () => claims.room());
  const keeper = createLeaseKeeper({
    controlPlane,
    clock,
    log,
    live: () => jobs.all(),
    renewMs: () => times.renew_ms,
    obey,
    signal: going.signal,
  });
  const shared: ExecutionDeps = {
    options,
    deps: { ...deps, controlPlane },
    record: createRecorder({ vitals, audit, clock, runnerId: options.runnerId ?? "", traces: vitals.traces }),
    journal,
    clock,
    control,
    sources: vitals.traces ? tracedSources(deps.sources, vitals.traces) : deps.sources,
    changed: keeper.changed,
    processSignal: going.signal,
  };

  const jobs = createLiveJobs({
    shared,
    slots,
    log,
    began: keeper.began,
    occupied: deps.occupied ?? (() => {}),
  });
  controlPlane.onSecret?.((secret) => {
    for (const job of jobs.all()) job.hide(secret);
  });
  const fresh = (work: Work): Begin => ({
    work,
    group: work.execution.group,
    handler: handlerFor(deps.handlers, work.job.type),
    deadlineMs: deadlineOf(work, clock.now()),
    done: [],
    nonce: null,
    redactable: true,
    secrets: [],
  });

  const claims = createClaimLoop({
    controlPlane,
    journal,
    clock,
    log,
    slots,
    groups,
    freeBytes: () => {
      vitals.turned(times.claim_hold_ms);
      return freeBytes(options.stateDir);
    },
    minFreeBytes: options.minFreeBytes,
    remember: (work) => {
      // An answer that is offered again names work that is running already.
      if (jobs.get(work.execution.id)) return;
      const { id, epoch, group, logStreamId } = work.execution;
      const now = clock.now();
      journal.addExecution({
        id,
        epoch,
        job: work.job,
        group,
        logStreamId,
        deadlineMs: deadlineOf(work, now),
        createdMs: now,
      });
    },
    begin: (work) => {
      if (!jobs.get(work.execution.id)) jobs.begin(fresh(work));
    },
    obey,
    signal: draining.signal,
    going: going.signal,
  });

  const recover = async (): Promise<Found[]> => {
    const found = await findExecutions(options.stateDir, journal, deps.handlers, controlPlane);
    if (found.length > 0)
      log.info("recovering", { executions: found.length, alive: found.filter((one) => one.toolSince !== null).length });
    const over = found.filter((one) => one.completion !== null);
    const reports = over.map(
      (one) => jobs.begin({ ...one.begin, ...(one.completion ? { completion: one.completion } : {}) }).settled,
    );
    const attached = found.some((one) => one.toolSince !== null);
    if (!attached) await Promise.race([Promise.all(reports), clock.sleep(RECOVERY_REPORT_MS, going.signal)]);
    return found.filter((one) => one.completion === null);
  };

  const resume = (found: Found, verdict: { verdict: string; reason: string } | undefined) => {
    const execution = jobs.begin(found.begin);
    if (verdict?.verdict === "cancel") execution.stop({ kind: "cancelled", why: verdict.reason });
    if (verdict && verdict.verdict !== "stop") return;
    // The epoch has moved on while we were away: what still runs is stopped, what is ours removed, and nothing said.
    const why = verdict?.reason ?? "the control plane does not know it";
    log.warn("an execution from before the restart is not ours any more", { execution: found.row.id, reason: why });
    execution.stop({ kind: "fenced", why });
  };

  const main = async (): Promise<ExitCode> => {
    const gpus = announced(deps);
    const held = await recover();
    // A Nuon server cancels executions that are a minute older than the start it reads from alive_time.
    const oldest = Math.min(processStart, ...held.map((one) => one.row.createdMs));
    const announcement = {
      instanceId,
      mode: options.mode,
      version: options.version,
      inventory: inventoryOf(options.labels, await gpus),
      slots: options.slots,
      jobTypes: Object.keys(deps.handlers),
      held: held.map(({ row }) => ({ execution_id: row.id, epoch: row.epoch, jobId: row.job.id })),
      aliveSince: oldest,
    };
    const session = await controlPlane.connect(announcement, AbortSignal.any([going.signal, draining.signal]));
    if (!session.ok) {
      if (draining.signal.aborted) return finish();
      throw session.error;
    }
    times = session.value.times;
    settings.take(session.value.settings);
    connectedMs = clock.now();
    void settings.keep();
    log.info("connected", { dialect: controlPlane.dialect, instance: instanceId });
    for (const one of held) {
      resume(
        one,
        session.value.held.find((verdict) => verdict.execution_id === one.row.id),
      );
    }
    ready.resolve();
    const refused = await claims.run();
    vitals.resting();
    if (refused) {
      log.error("the control plane refuses this runner", { reason: refused.message });
      orders.drain("refused by the control plane");
    }
    const code = await finish();
    return refused ? KIND_EXIT[refused.kind] : code;
  };

  /** Running jobs end, reports are delivered. */
  const finish = async (): Promise<ExitCode> => {
    await jobs.empty();
    return EXIT.done;
  };

  main()
    .catch((error: unknown) => {
      ready.reject(error);
      if (error instanceof RunnerError) log.error(error.message, error.remedy ? { remedy: error.remedy } : {});
      else log.error("defect", { reason: String(error instanceof Error ? error.stack : error) });
      return error instanceof RunnerError ? KIND_EXIT[error.kind] : EXIT.defect;
    })
    .then((code) => {
      going.abort();
      keeper.stop();
      audit.close();
      journal.close();
      ready.reject(new RunnerError("cancelled", "the runner ended before it was ready"));
      ended.resolve(code);
    });
  ready.promise.catch(() => {});
  const stateNow = () => {
    if (going.signal.aborted) return "stopped";
    if (draining.signal.aborted) return "draining";
    return connectedMs === null ? "starting" : "ready";
  };

  return {
    ready: ready.promise,
    ended: ended.promise,
    status: () => ({
      instance: instanceId,
      dialect: controlPlane.dialect,
      state: stateNow(),
      connectedMs,
      offlineMs: times.offline_ms,
      settings: settings.current(),
      slots: slotViews(options.slots, slots.free()),
      executions: executionViews(jobs.all()),
      lostWrites: journal.lostWrites,
      auditMissing: audit.missing(),
    }),
    tell: createTeller({ controlPlane, ready: ready.promise, log, signal: going.signal }),
    drain: orders.drain,
    cancel: orders.cancel,
    abandon: (why) => {
      orders.abandon(why);
      journal.close();
      ended.resolve(EXIT.done);
    },
  };
}

/** GPUs that cannot be listed are told once and not announced: no job that needs one comes here. */
async function announced({ gpus, log }: StartDeps): Promise<Gpu[]> {
  const found = gpus === undefined ? ok([]) : await gpus();
  if (found.ok) return found.value;
  log.warn(found.error.message, found.error.remedy ? { remedy: found.error.remedy } : {});
  return [];
}

/** For health-check jobs: nanoseconds since each group was last asked about, 0 the first time (nuon-runner-api.md 6.3). */
function createLoopChecks(groups: readonly JobGroup[], clock: Clock): () => Record<string, number> {
  const last = new Map<JobGroup, number>();
  return () => {
    const now = clock.monotonic();
    const ages = groups
      .filter((group) => group !== "operations")
      .map((group): [string, number] => [group, Math.round((now - (last.get(group) ?? now)) * 1_000_000)]);
    for (const group of groups) last.set(group, now);
    return Object.fromEntries(ages);
  };
}
