import { median, quantile } from "./stats.ts";

export type Unit = "ms" | "s" | "MB/s" | "MB" | "MiB" | "jobs/s" | "/min";

/** What is run beside ours in the same loop: the same work without us. */
export interface Floor {
  readonly what: string;
  readonly values: readonly number[];
}

export interface Goal {
  /** As the goal is written, e.g. `median ≤ 5 ms`. */
  readonly text: string;
  /** The value that is held against the limit. */
  readonly of: (values: readonly number[], floor: readonly number[]) => number;
  readonly limit: number;
  readonly atLeast?: boolean;
}

/** One line of the table: values of every run, in the order of the runs. */
export interface Line {
  readonly what: string;
  readonly unit: Unit;
  readonly values: readonly number[];
  readonly floor: Floor | null;
  readonly goals: readonly Goal[];
  /** How it was measured: from where to where, by which clock. */
  readonly how: string;
}

/** A benchmark by name; it may yield several lines of one loop. */
export interface Row {
  readonly name: string;
  /** Said when a goal is missed: where the time or the memory goes. */
  readonly why: string;
  readonly measure: (bench: Bench) => Promise<readonly Line[]>;
}

export interface Bench {
  /** Wished number of runs. */
  readonly runs: number;
  /** The compiled program. */
  readonly binary: string;
  /** Progress for people, on stderr. */
  readonly say: (text: string) => void;
}

export const atMost = (text: string, share: number | "median", limit: number): Goal => ({
  text,
  limit,
  of: (values) => (share === "median" ? median(values) : quantile(values, share)),
});
export const atLeast = (text: string, limit: number): Goal => ({ text, limit, atLeast: true, of: median });
/** Ours may cost this much more than the floor, by the medians. */
export const overFloor = (text: string, limit: number): Goal => ({
  text,
  limit,
  of: (values, floor) => median(values) - median(floor),
});

export interface Verdict {
  readonly met: boolean;
  readonly value: number;
}

export function judge(line: Line, goal: Goal): Verdict {
  const value = goal.of(line.values, line.floor?.values ?? []);
  return { value, met: goal.atLeast ? value >= goal.limit : value <= goal.limit };
}
