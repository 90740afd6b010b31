import type { LogBuffer, Row } from "./buffer.ts";

/** Which rows a person wants to see; empty text: all of them. */
export interface SightWish {
  readonly execution: string;
  readonly step: string;
  /** Steps that are folded to their heading, by `foldKey`. */
  readonly folded: ReadonlySet<string>;
}

export const SEE_ALL: SightWish = { execution: "", step: "", folded: new Set() };

export const foldKey = (row: Pick<Row, "execution" | "step">): string => `${row.execution}/${row.step}`;

export function isSeen(row: Row, { execution, step, folded }: SightWish): boolean {
  if (execution !== "" && row.execution !== execution) return false;
  if (step !== "" && row.step !== step) return false;
  return row.step === "" || row.kind === "step" || folded.size === 0 || !folded.has(foldKey(row));
}

/** The rows that are seen, by position from 0. With nothing hidden it costs nothing. */
export interface Sight {
  readonly count: number;
  /** Seen rows that were dropped in front: positions moved by so many. */
  readonly gone: number;
  rowAt(position: number): Row | undefined;
  /** Position of the first seen row that is not in front of this key. */
  positionOf(key: number): number;
  /** Takes in what was appended or dropped since. */
  update(): void;
}

export function createSight(buffer: LogBuffer, wish: SightWish): Sight {
  if (wish.execution === "" && wish.step === "" && wish.folded.size === 0) return everything(buffer);
  let keys: number[] = [];
  let next = 0;
  let gone = 0;
  const positionOf = (key: number) => firstAtLeast(keys.length, key, (position) => keys[position] ?? 0);
  return {
    get count() {
      return keys.length;
    },
    get gone() {
      return gone;
    },
    rowAt: (position) => buffer.rows[(keys[position] ?? -1) - buffer.dropped],
    positionOf,
    update() {
      const lost = positionOf(buffer.dropped);
      if (lost > 0) keys = keys.slice(lost);
      gone += lost;
      const end = buffer.dropped + buffer.rows.length;
      // A buffer that was cleared begins anew.
      if (end < next) [keys, next, gone] = [[], 0, 0];
      for (let key = Math.max(next, buffer.dropped); key < end; key++) {
        const row = buffer.rows[key - buffer.dropped];
        if (row && isSeen(row, wish)) keys.push(key);
      }
      next = end;
    },
  };
}

function everything(buffer: LogBuffer): Sight {
  return {
    get count() {
      return buffer.rows.length;
    },
    get gone() {
      return buffer.dropped;
    },
    rowAt: (position) => buffer.rows[position],
    positionOf: (key) => Math.min(Math.max(0, key - buffer.dropped), buffer.rows.length),
    update() {},
  };
}

/** The smallest index below `count` whose value is at least `wanted`, or `count`; values never fall. */
export function firstAtLeast(count: number, wanted: number, valueAt: (index: number) => number): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (valueAt(middle) < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The row with this line number, or undefined when it is not in the buffer. */
export function rowOfLine(rows: readonly Row[], line: number): Row | undefined {
  if (line < 1) return undefined;
  // Headings have no number: they stand for the line before them.
  const numberAt = (index: number): number => {
    let at = index;
    while (at >= 0 && rows[at]?.number === 0) at--;
    return rows[at]?.number ?? 0;
  };
  const row = rows[firstAtLeast(rows.length, line, numberAt)];
  return row?.number === line ? row : undefined;
}
