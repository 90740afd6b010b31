import type { JobGroup } from "../../protocol/enums.ts";
import type { Slots } from "../../protocol/native.ts";

/**
 * What the polls of Go runners say, in the memory of this process. A loop of such a runner asks for work only when it
 * works on nothing, so a poll is the one sign that a job which the server ended is really over in the process.
 */
export interface NuonPolls {
  /** A loop asks for work of this group. */
  polled(runnerId: string, group: JobGroup): void;
  /** The server ended a job that the process may still work on. */
  stopping(runnerId: string, group: JobGroup): void;
  /** A process of this age (milliseconds) works for the runner: what stopped before it was started is over. */
  aged(runnerId: string, ageMs: number, manages: boolean): void;
  /** Groups whose loop has not asked since the server ended its job. */
  stoppingGroups(runnerId: string): readonly JobGroup[];
  /** Groups of these that were polled within `ms`; one that was never seen here counts from now on. */
  polledWithin(runnerId: string, groups: Slots, ms: number): JobGroup[];
}

/** `now`: milliseconds of a clock that nobody sets. */
export function createNuonPolls(now: () => number): NuonPolls {
  const polls = new Map<string, Map<JobGroup, number>>();
  const stopping = new Map<string, Map<JobGroup, number>>();
  const pollsOf = (runnerId: string) => {
    const known = polls.get(runnerId) ?? new Map<JobGroup, number>();
    polls.set(runnerId, known);
    return known;
  };
  return {
    polled: (runnerId, group) => {
      pollsOf(runnerId).set(group, now());
      stopping.get(runnerId)?.delete(group);
    },
    stopping: (runnerId, group) => {
      const groups = stopping.get(runnerId) ?? new Map<JobGroup, number>();
      stopping.set(runnerId, groups.set(group, now()));
    },
    aged: (runnerId, ageMs, manages) => {
      for (const [group, since] of stopping.get(runnerId) ?? []) {
        if (since < now() - ageMs && (group === "management") === manages) stopping.get(runnerId)?.delete(group);
      }
    },
    stoppingGroups: (runnerId) => [...(stopping.get(runnerId)?.keys() ?? [])],
    polledWithin: (runnerId, groups, ms) => {
      const known = pollsOf(runnerId);
      return (Object.keys(groups) as JobGroup[]).filter((group) => {
        const at = known.get(group) ?? now();
        known.set(group, at);
        return now() - at <= ms;
      });
    },
  };
}
