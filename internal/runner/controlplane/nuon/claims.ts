import type { Clock } from "../../../kit/base/clock.ts";
import { waitMs } from "../../../kit/http/back-off.ts";
import type { JobGroup } from "../../../protocol/enums.ts";
import { ok, type Result } from "../../../protocol/errors.ts";
import type { Slots } from "../../../protocol/native.ts";
import { RETRY } from "../../../protocol/retry.ts";
import { DEFAULT_TIMES, NUON_POLL_MS } from "../../../protocol/times.ts";
import type { ClaimWish, Granted, Work } from "../control-plane.ts";
import { groupOf } from "../native-mapping.ts";
import type { Poller } from "./poller.ts";
import type { Reservations, Reserved } from "./reservations.ts";

/** A reservation on its way when a claim is given up: its answer is waited for this long, then kept for the next claim. */
const ANSWER_MS = 15_000;
/** Ours alone: a Nuon server has no such groups. */
const FOREIGN: ReadonlySet<JobGroup> = new Set<JobGroup>(["scripts", "containers", "plugins"]);

interface Means {
  readonly poller: Poller;
  readonly reservations: Reservations;
  readonly clock: Clock;
  readonly random: () => number;
  readonly workOf: (reserved: Reserved) => Work;
  readonly isKnown: (executionId: string) => boolean;
}

/** Claims by polling and reserving: what a coordinator of ours does in one held request. */
export function createClaims({ poller, reservations, clock, random, workOf, isKnown }: Means) {
  /** Reserved, but not handed out yet. */
  const granted: Work[] = [];
  const underWay = new Map<string, { readonly group: JobGroup; readonly done: Promise<void> }>();
  let nextPollAt = 0;
  let failures = 0;
  let first = true;

  const grant = (reserved: readonly Reserved[]) => {
    for (const one of reserved) if (!isKnown(one.executionId)) granted.push(workOf(one));
  };

  function begin(job: Reserved["job"], nonce: string): void {
    const done = reservations.reserve(job, nonce).then((reserved) => {
      underWay.delete(job.id);
      if (reserved) grant([reserved]);
    });
    underWay.set(job.id, { group: groupOf(job), done });
  }

  /** Slots that neither a reservation on its way nor work not handed out yet will take. */
  function room(slots: Slots): Map<JobGroup, number> {
    const left = new Map<JobGroup, number>();
    for (const [group, free] of Object.entries(slots) as [JobGroup, number][])
      if (!FOREIGN.has(group)) left.set(group, free);
    const taken = [...[...underWay.values()].map((one) => one.group), ...granted.map((one) => one.execution.group)];
    for (const group of taken) left.set(group, (left.get(group) ?? 0) - 1);
    return left;
  }

  async function poll(wish: ClaimWish, signal: AbortSignal): Promise<Result<null>> {
    const left = room(wish.slots);
    const groups = wish.groups.filter((group) => (left.get(group) ?? 0) > 0);
    const jobs = await poller.round(groups, signal);
    if (!jobs.ok) {
      failures += 1;
      nextPollAt = clock.monotonic() + waitMs(RETRY.claim, failures, random, jobs.error.retryAfterMs ?? 0);
      // A refused token stays refused; an unknown path or an odd answer may pass.
      return jobs.error.status === 401 || jobs.error.status === 403 ? jobs : ok(null);
    }
    failures = 0;
    nextPollAt = clock.monotonic() + NUON_POLL_MS * (0.9 + random() * 0.2);
    for (const job of jobs.value) {
      const group = groupOf(job);
      const free = left.get(group) ?? 0;
      if (free <= 0 || underWay.has(job.id) || reservations.isDoubtful(job.id)) continue;
      left.set(group, free - 1);
      begin(job, wish.key);
    }
    return ok(null);
  }

  /** All reservations on their way are answered; after an abort at most ANSWER_MS more. */
  async function answers(signal: AbortSignal): Promise<void> {
    const all = Promise.all([...underWay.values()].map((one) => one.done));
    const over = new AbortController();
    const aborted = Promise.withResolvers<void>();
    const onAbort = () => aborted.resolve();
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    await Promise.race([all, aborted.promise.then(() => clock.sleep(ANSWER_MS, over.signal))]);
    over.abort();
    signal.removeEventListener("abort", onAbort);
  }

  return async (wish: ClaimWish, signal: AbortSignal): Promise<Result<Granted>> => {
    const until = clock.monotonic() + DEFAULT_TIMES.claim_hold_ms;
    if (first) {
      // The key outlived a restart: what was reserved under it is ours, and nobody works on it.
      grant(await reservations.lost(wish.key, isKnown, signal));
      first = signal.aborted;
    }
    for (;;) {
      if (granted.length > 0 || signal.aborted || clock.monotonic() >= until) break;
      await clock.sleep(Math.max(0, Math.min(nextPollAt, until) - clock.monotonic()), signal);
      if (signal.aborted || clock.monotonic() < nextPollAt) continue;
      grant(await reservations.settle());
      const polled = await poll(wish, signal);
      if (!polled.ok && !signal.aborted) return polled;
      await answers(signal);
    }
    if (granted.length > 0) nextPollAt = clock.monotonic();
    return ok({ work: granted.splice(0), directives: [], after: wish.after });
  };
}
