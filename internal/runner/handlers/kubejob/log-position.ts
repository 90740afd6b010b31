import { readFileSync, writeFileSync } from "node:fs";
import { z } from "zod";

/**
 * How far the log of a container was taken: the time of the last line, and how many lines had exactly that time. A log
 * that is asked for again from there brings some lines twice; `isNew` tells them.
 */
export interface Position {
  /** Nanoseconds since the epoch, as text of equal length, so that texts compare like times. */
  readonly at: string;
  readonly count: number;
}

export interface StampedLine {
  readonly at: string;
  readonly text: string;
}

/** `2026-11-21T19:00:00.12Z text`: trailing zeros of the fraction are left out by Kubernetes. null: no such line. */
export function stampedLine(line: string): StampedLine | null {
  const space = line.indexOf(" ");
  const stamp = space < 0 ? line : line.slice(0, space);
  const [, seconds, fraction = ""] = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z$/.exec(stamp) ?? [];
  if (seconds === undefined) return null;
  return { at: `${seconds}.${fraction.padEnd(9, "0")}`, text: space < 0 ? "" : line.slice(space + 1) };
}

/** Sorts out, line by line in order, what was taken before `from`. */
export function newLines(from: Position | null): (line: StampedLine) => boolean {
  let same = 0;
  return ({ at }) => {
    if (from === null || at > from.at) return true;
    if (at < from.at) return false;
    same += 1;
    return same > from.count;
  };
}

export const advance = (from: Position | null, { at }: StampedLine): Position =>
  from !== null && from.at === at ? { at, count: from.count + 1 } : { at, count: 1 };

const positions = z.record(z.string(), z.object({ at: z.string(), count: z.number() }));

/** Positions by container, in a file that outlives the runner. */
export function positionFile(path: string) {
  const known = new Map<string, Position>(Object.entries(read(path)));
  return {
    get: (key: string): Position | null => known.get(key) ?? null,
    /** In one small write right behind the output it stands for. */
    set(key: string, position: Position): void {
      known.set(key, position);
      writeFileSync(path, JSON.stringify(Object.fromEntries(known)), { mode: 0o600 });
    },
  };
}
export type PositionFile = ReturnType<typeof positionFile>;

function read(path: string): Readonly<Record<string, Position>> {
  try {
    return positions.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    return {}; // the first time, or torn by a machine that went down: lines come twice then
  }
}
