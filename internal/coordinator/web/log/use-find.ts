import { useMemo, useState } from "preact/hooks";
import type { Row } from "./buffer.ts";
import { findRows } from "./find.ts";

export interface Find {
  readonly text: string;
  readonly hits: readonly number[];
  /** Position in `hits`, -1 before the first step. */
  readonly at: number;
  /** Index of the row that is shown as the hit; -1: none. */
  readonly current: number;
  setText(text: string): void;
  /** Goes to the next (1) or previous (-1) hit and returns its row, or -1. */
  step(by: 1 | -1): number;
}

/** Search in the whole log: the browser's own finds only the rows that are rendered. */
export function useFind(rows: readonly Row[], version: number): Find {
  const [text, setText] = useState("");
  const [at, setAt] = useState(-1);
  const hits = useMemo(() => findRows(rows, text), [rows, version, text]);
  return {
    text,
    hits,
    at,
    current: hits[at] ?? -1,
    setText(next) {
      setText(next);
      setAt(-1);
    },
    step(by) {
      if (hits.length === 0) return -1;
      const next = (at + by + hits.length + (at < 0 && by < 0 ? 1 : 0)) % hits.length;
      setAt(next);
      return hits[next] ?? -1;
    },
  };
}
