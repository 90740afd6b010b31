import type { Clock } from "../../kit/base/clock.ts";
import { failpoint } from "../../kit/base/failpoint.ts";
import type { SystemLog } from "../../kit/base/system-log.ts";
import type { JobGroup } from "../../protocol/enums.ts";
import type { RunnerError } from "../../protocol/errors.ts";
import { newSecret } from "../../protocol/ids.ts";
import type { ControlPlane, Granted, Wish, Work } from "../controlplane/control-plane.ts";
import type { Journal } from "./journal.ts";
import { type SlotPool, totalSlots } from "./slots.ts";

/**
 * One held claim at a time, for the free slots of each group. When a group that was full gets room, the held claim is
 * given up and asked again with the same key, so nothing that was granted in between is lost. A drain gives the held
 * claim up for good: what was granted to its key in that moment is asked for once more, and worked on.
 */
export interface ClaimLoopDeps {
  readonly controlPlane: ControlPlane;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly log: SystemLog;
  readonly slots: SlotPool;
  readonly groups: readonly JobGroup[];
  /** Free bytes in the state directory, and the least that allows new work. */
  readonly freeBytes: () => number;
  readonly minFreeBytes: number;
  /** Journal rows of granted work; called inside the transaction that forgets the claim key. */
  readonly remember: (work: Work) => void;
  readonly begin: (work: Work) => void;
  readonly obey: (wish: Wish) => void;
  /** Aborted by drain. */
  readonly signal: AbortSignal;
  /** Aborted when the process goes. */
  readonly going: AbortSignal;
}

/** A claim without room is only for directives: wait this long for room first. */
const ROOM_MS = 50;
/** Ends of many short jobs come together: gather them into one claim. */
const GATHER_MS = 1;
const DISK_CHECK_MS = 5_000;
/** A drain asks this long what its last claim was granted; after that the lease runs out by itself. */
const LAST_ANSWER_MS = 5_000;

export function createClaimLoop(deps: ClaimLoopDeps) {
  const { journal, clock, slots, signal } = deps;
  let held: { readonly abort: AbortController; readonly full: ReadonlySet<JobGroup> } | null = null;
  let roomMade: (() => void) | null = null;
  let after = 0;
  let diskFull = false;
  /** Kept here too: on a full disk the journal may not take the change. */
  let key: string | null = journal.pendingClaim();
  /** The answer of the last claim is not known. */
  let unanswered = key !== null;

  const enoughDisk = async (): Promise<boolean> => {
    const free = deps.freeBytes();
    if (free >= deps.minFreeBytes) {
      if (diskFull) {
        deps.log.info("enough free space again, taking work");
        journal.refill();
      }
      diskFull = false;
      return true;
    }
    if (!diskFull)
      deps.log.warn("too little free space in the state directory: taking no new work", {
        free_bytes: free,
        min_free_bytes: deps.minFreeBytes,
      });
    diskFull = true;
    await clock.sleep(DISK_CHECK_MS, signal);
    return false;
  };

  const claimKey = (): string => {
    if (key !== null) return key;
    const made = newSecret();
    key = made;
    journal.writeNow(() => journal.setPendingClaim(made));
    return made;
  };

  const once = async (): Promise<RunnerError | null> => {
    if (totalSlots(slots.free()) === 0) await roomOr(ROOM_MS);
    if (signal.aborted) return null;
    const free = slots.free();
    const abort = new AbortController();
    held = { abort, full: new Set(deps.groups.filter((group) => !free[group])) };
    const wish = { key: claimKey(), slots: free, groups: deps.groups, after };
    unanswered = true;
    const granted = await deps.controlPlane.claim(wish, AbortSignal.any([abort.signal, signal]));
    held = null;
    if (granted.ok) accept(granted.value);
    return granted.ok || abort.signal.aborted ? null : granted.error;
  };

  const accept = ({ work, directives, after: seen }: Granted): void => {
    unanswered = false;
    failpoint("runner.claim");
    after = seen;
    if (work.length > 0) {
      key = null;
      journal.writeNow(() => {
        for (const one of work) deps.remember(one);
        journal.setPendingClaim(null);
      });
      for (const one of work) deps.begin(one);
    }
    for (const wish of directives) deps.obey(wish);
  };

  /** Without this a job that was granted in the moment of the drain would wait for its lease to run out. */
  const lastAnswer = async (): Promise<void> => {
    if (!unanswered || key === null) return;
    const over = new AbortController();
    const answered = new AbortController();
    void clock.sleep(LAST_ANSWER_MS, answered.signal).then(() => over.abort());
    const wish = { key, slots: {}, groups: deps.groups, after, waitMs: 0 };
    const granted = await deps.controlPlane.claim(wish, AbortSignal.any([over.signal, deps.going]));
    answered.abort();
    if (granted.ok) accept(granted.value);
  };

  const roomOr = (ms: number) =>
    new Promise<void>((resolve) => {
      roomMade = resolve;
      void clock.sleep(ms, signal).then(resolve);
    });

  return {
    /** A slot got free. */
    room(): void {
      roomMade?.();
      roomMade = null;
      const now = held;
      if (!now) return;
      void clock.sleep(GATHER_MS).then(() => {
        const free = slots.free();
        if (held === now && deps.groups.some((group) => now.full.has(group) && (free[group] ?? 0) > 0))
          now.abort.abort();
      });
    },
    /** Until drained, or until the control plane refuses for good (the error says how). */
    async run(): Promise<RunnerError | null> {
      while (!signal.aborted) {
        if (!(await enoughDisk())) continue;
        const error = await once();
        if (error && !signal.aborted) return error;
      }
      await lastAnswer();
      return null;
    },
  };
}
