import type { Clock } from "../../kit/base/clock.ts";
import { failpoint, pausePoint } from "../../kit/base/failpoint.ts";
import type { SystemLog } from "../../kit/base/system-log.ts";
import { RunnerError, reasonOf } from "../../protocol/errors.ts";
import { judgeHealth } from "./health-judge.ts";
import type { ServiceManager } from "./service-manager.ts";
import type { LastUpdate, OpenUpdate, UpdateDocument, UpdateJournal } from "./update-journal.ts";
import type { Versions } from "./versions.ts";

/** How an update ended; `reason` is one line for people, empty when there is nothing to say. */
export type UpdateOutcome = Pick<LastUpdate, "version" | "from" | "outcome" | "reason">;

export interface UpdateOptions {
  /** Within this time after its start a version must be ready, milliseconds. */
  readonly deadlineMs: number;
  /** So long it must stay ready. */
  readonly settleMs: number;
  readonly when: "drain" | "reattach";
}

export interface UpdaterDeps {
  readonly versions: Versions;
  readonly journal: UpdateJournal;
  readonly manager: ServiceManager;
  readonly options: UpdateOptions;
  /** Of this process; null: it is none of the versions, so it does not update itself. */
  readonly ownVersion: string | null;
  /** The control plane answers us: a runner that cannot reach it has itself to blame. */
  readonly reachable: () => boolean;
  /** This process has a session of its own. */
  readonly ownReady: Promise<void>;
  /** This process is to end, so that its service manager starts the new version. */
  readonly leave: (why: string) => void;
  readonly clock: Clock;
  readonly log: SystemLog;
}

export interface Updater {
  /** Brings a version, or joins the update of this id; one after another. Never throws for what goes wrong. */
  update(wish: UpdateWish): Promise<UpdateOutcome>;
  /** Back to the version before this one. */
  rollback(id: string, reason: string): Promise<UpdateOutcome>;
  /** Stops and starts the runner; null: it is healthy again, else why not. */
  restart(): Promise<string | null>;
  /** Takes up what an earlier process left; resolves when there is nothing left to do. To be called first. */
  resume(): Promise<void>;
  busy(): boolean;
}

export interface UpdateWish extends Pick<OpenUpdate, "id" | "cause" | "wanted"> {}

/** Updates of the runner that is looked after, as steps of a journal: a kill between any two is taken up again. */
export function createUpdater(deps: UpdaterDeps): Updater {
  const { versions, journal, manager, clock, log } = deps;
  let last: Promise<unknown> = Promise.resolve();
  let running = 0;
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    running++;
    const next = last.then(work, work).finally(() => running--);
    last = next.catch(() => {});
    return next;
  };
  const read = () => journal.read();
  const save = (open: OpenUpdate, extra: Partial<UpdateDocument> = {}): OpenUpdate => {
    journal.write({ ...read(), ...extra, open });
    return open;
  };

  const finish = async (open: OpenUpdate, outcome: LastUpdate["outcome"], reason: string): Promise<UpdateOutcome> => {
    const { id, cause, from, started_ms } = open;
    const version = open.version || open.wanted;
    const end: LastUpdate = {
      id,
      cause,
      version,
      from,
      outcome,
      reason,
      started_ms,
      ended_ms: clock.now(),
      told: true,
    };
    const doc = read();
    const bad = outcome === "updated" ? without(doc.bad, version) : doc.bad;
    journal.write({ ...doc, open: null, last: end, bad });
    tell(log, end);
    failpoint("mng.done");
    try {
      await versions.prune();
    } catch (cause) {
      log.warn("old versions could not be removed", { reason: reasonOf(cause) });
    }
    return end;
  };

  const steps: Readonly<Record<OpenUpdate["phase"], (open: OpenUpdate) => Promise<OpenUpdate | UpdateOutcome>>> = {
    async stage(open) {
      const staged = await versions.stage(open.wanted);
      if (!staged.ok) return finish(open, "failed", `nothing was changed: ${sentence(staged.error)}`);
      const { version } = staged.value;
      failpoint("mng.staged");
      await pausePoint("mng.staged");
      const { current, previous } = versions.pointers();
      if (version === current) return finish({ ...open, version }, "current", `${version} is installed already`);
      return save({ ...open, version, from: current, before: previous, phase: "stop" });
    },
    async stop(open) {
      log.info("an update begins", { from: open.from ?? "", to: open.version });
      const stopped = await manager.stop(deps.options.when === "drain" ? "drain" : "leave");
      if (!stopped.ok) return revert(open, stopped.error.message);
      failpoint("mng.stopped");
      return save({ ...open, phase: "switch" });
    },
    async switch(open) {
      try {
        await versions.point({ current: open.version, previous: open.from });
      } catch (cause) {
        return revert(open, `it cannot be switched to: ${reasonOf(cause)}`);
      }
      failpoint("mng.switched");
      return save({ ...open, phase: "start" });
    },
    async start(open) {
      const started = await manager.start();
      if (!started.ok) return revert(open, started.error.message);
      failpoint("mng.started");
      return save({ ...open, phase: "probation" });
    },
    async probation(open) {
      // A machine that was switched off in between: its service manager may not know of it.
      const started = await manager.start();
      const fault = started.ok ? await judgeHealth(deps) : started.error.message;
      failpoint("mng.judged");
      if (fault !== null) return revert(open, fault);
      if (deps.ownVersion === null || deps.ownVersion === open.version) return finish(open, "updated", "");
      return save({ ...open, phase: "self" });
    },
    async self(open) {
      if (deps.ownVersion !== open.version) {
        deps.leave(`version ${open.version} of this process is to be started`);
        return { version: open.version, from: open.from, outcome: "updated", reason: "" };
      }
      await deps.ownReady;
      await clock.sleep(deps.options.settleMs);
      return finish(open, "updated", "");
    },
    pending: async (open) => finish(open, "failed", "it belongs to a runner that is not managed"),
    async back(open) {
      await manager.stop(await gently());
      failpoint("mng.back.stopped");
      if (open.from !== null) await versions.point({ current: open.from, previous: open.before });
      failpoint("mng.back.switched");
      const started = await manager.start();
      failpoint("mng.back.started");
      const fault = started.ok ? await judgeHealth(deps) : started.error.message;
      const after = fault === null ? "" : `; ${open.from} is back but not healthy: ${fault}`;
      const end = await finish(open, "rolled-back", `${open.reason}; ${open.from} runs again${after}`);
      if (deps.ownVersion !== null && deps.ownVersion !== open.from) {
        deps.leave(`version ${open.from} of this process is to be started`);
      }
      return end;
    },
  };

  /** One that takes jobs while it is judged is given the time to end those that its own end would end. */
  const gently = async () => (versions.toolsOutlive || !(await manager.state()).ready ? "leave" : "drain");

  /** The version is remembered, so that it is not tried again by itself. */
  const revert = (open: OpenUpdate, reason: string): OpenUpdate => {
    log.error("an update goes back", { version: open.version, reason });
    const bad = withBad(read().bad, { version: open.version, reason, at_ms: clock.now() });
    return save({ ...open, phase: "back", reason }, { bad });
  };

  /** Somebody has installed another version in the middle of it: that one stays. */
  const superseded = async (open: OpenUpdate): Promise<UpdateOutcome | null> => {
    const { current } = versions.pointers();
    if (open.phase === "stage" || current === null || current === open.version || current === open.from) return null;
    const started = await manager.start();
    const why = started.ok ? "" : `; ${started.error.message}`;
    return finish(open, "failed", `${current} was installed meanwhile, and stays${why}`);
  };

  const advance = async (begun: OpenUpdate): Promise<UpdateOutcome> => {
    for (let open = begun; ; ) {
      const next = (await superseded(open)) ?? (await steps[open.phase](open));
      if ("outcome" in next) return next;
      failpoint(`mng.${next.phase}`);
      await pausePoint(`mng.${next.phase}`);
      open = next;
    }
  };

  const fresh = (wish: UpdateWish): OpenUpdate => {
    const { current, previous } = versions.pointers();
    return {
      ...wish,
      version: "",
      from: current,
      before: previous,
      phase: "stage",
      reason: "",
      starts: 0,
      guarded: false,
      started_ms: clock.now(),
    };
  };

  const begin = async (wish: UpdateWish, from: Partial<OpenUpdate> = {}): Promise<UpdateOutcome> => {
    const doc = read();
    if (doc.last?.id === wish.id) return doc.last;
    if (doc.open) {
      const ended = await advance(doc.open);
      if (doc.open.id === wish.id) return ended;
      // This process is about to go; the next one does it, when it is asked again.
      if (read().open !== null) return { ...ended, outcome: "failed", reason: "another update is under way" };
    }
    const open: OpenUpdate = { ...fresh(wish), ...from };
    const current = open.from;
    if (current === null) return await finish(open, "failed", versions.missing);
    if (from.phase === undefined && versions[wish.cause === "settings" ? "is" : "settled"](wish.wanted, current)) {
      return await finish({ ...open, version: current }, "current", `${current} is installed already`);
    }
    failpoint("mng.begun");
    return await advance(save(open));
  };
  const safely = (id: string, work: () => Promise<UpdateOutcome>): Promise<UpdateOutcome> =>
    inTurn(work).catch((cause: unknown): UpdateOutcome => {
      const reason = cause instanceof RunnerError ? sentence(cause) : reasonOf(cause);
      log.error("an update could not go on", { id, reason });
      return { version: "", from: null, outcome: "failed", reason };
    });

  return {
    update: (wish) => safely(wish.id, () => begin(wish)),
    rollback: (id, reason) =>
      safely(id, async () => {
        const known = read();
        if (known.last?.id === id) return known.last;
        if (known.open !== null) return await begin({ id, cause: "person", wanted: known.open.wanted });
        const { previous } = versions.pointers();
        if (previous === null || !(await versions.has(previous))) {
          // Into the journal: whoever asked a running mng looks there for the answer.
          const wish = { id, cause: "person", wanted: previous ?? "" } as const;
          const why = previous === null ? "there is no previous version here" : `${previous} is not here any more`;
          return await finish(fresh(wish), "failed", `nothing was changed: ${why}`);
        }
        const doc = read();
        const bad = { version: versions.pointers().current ?? "", reason, at_ms: clock.now() };
        journal.write({ ...doc, bad: withBad(doc.bad, bad) });
        return await begin({ id, cause: "person", wanted: previous }, { version: previous, phase: "stop" });
      }),
    restart: () =>
      inTurn(async () => {
        const stopped = await manager.stop(deps.options.when === "drain" ? "drain" : "leave");
        const started = await manager.start();
        const failed = !started.ok ? started.error : !stopped.ok ? stopped.error : null;
        return failed === null ? await judgeHealth(deps) : sentence(failed);
      }),
    resume: () =>
      inTurn(async () => {
        const { open } = read();
        if (open === null) return;
        log.info("an update is taken up again", { version: open.version || open.wanted, phase: open.phase });
        await advance(open);
      }),
    busy: () => running > 0,
  };
}

const sentence = ({ message, remedy }: RunnerError): string => (remedy ? `${message}. ${remedy}` : message);

export function tell(log: SystemLog, { version, from, outcome, reason }: UpdateOutcome): void {
  const fields = { version, from: from ?? "", ...(reason ? { reason } : {}) };
  if (outcome === "updated") log.info("the runner was updated", fields);
  else if (outcome === "current") log.info("no update is needed", fields);
  else if (outcome === "rolled-back") log.error("an update was rolled back", fields);
  else log.error("an update failed", fields);
}

type Bad = UpdateDocument["bad"];
const without = (bad: Bad, version: string): Bad => bad.filter((one) => one.version !== version);
/** The last ones are enough. */
export const withBad = (bad: Bad, one: Bad[number]): Bad => [...without(bad, one.version), one].slice(-50);
