/** One line of a comparison, in the order of reading. */
export interface DiffLine {
  readonly kind: "same" | "removed" | "added";
  readonly text: string;
}

/** Edits beyond which two texts count as different altogether: a bound on time and memory (their square). */
const MAX_EDITS = 600;

/** Shortest edit from `before` to `after` (Myers, "An O(ND) Difference Algorithm"), removals before additions. */
export function diffLines(before: readonly string[], after: readonly string[]): readonly DiffLine[] {
  let start = 0;
  while (start < before.length && start < after.length && before[start] === after[start]) start++;
  let end = 0;
  const room = Math.min(before.length, after.length) - start;
  while (end < room && before[before.length - 1 - end] === after[after.length - 1 - end]) end++;
  const same = (text: string): DiffLine => ({ kind: "same", text });
  return [
    ...before.slice(0, start).map(same),
    ...middle(before.slice(start, before.length - end), after.slice(start, after.length - end)),
    ...before.slice(before.length - end).map(same),
  ];
}

function middle(a: readonly string[], b: readonly string[]): readonly DiffLine[] {
  const trace = a.length === 0 || b.length === 0 ? null : shortestEdit(a, b);
  if (trace !== null) return walkBack(trace, a, b);
  return [
    ...a.map((text): DiffLine => ({ kind: "removed", text })),
    ...b.map((text): DiffLine => ({ kind: "added", text })),
  ];
}

type Reach = ReadonlyMap<number, number>;

/** How far each diagonal reaches after 0, 1, 2 … edits; null: too many edits. */
function shortestEdit(a: readonly string[], b: readonly string[]): Reach[] | null {
  const reach = new Map([[1, 0]]);
  const trace: Reach[] = [];
  for (let edits = 0; edits <= Math.min(a.length + b.length, MAX_EDITS); edits++) {
    trace.push(new Map(reach));
    for (let k = -edits; k <= edits; k += 2) {
      let x = stepsDown(reach, k, edits) ? at(reach, k + 1) : at(reach, k - 1) + 1;
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x++;
      reach.set(k, x);
      if (x >= a.length && x - k >= b.length) return trace;
    }
  }
  return null;
}

const at = (reach: Reach, k: number) => reach.get(k) ?? -1;
const stepsDown = (reach: Reach, k: number, edits: number) =>
  k === -edits || (k !== edits && at(reach, k - 1) < at(reach, k + 1));

function walkBack(trace: readonly Reach[], a: readonly string[], b: readonly string[]): DiffLine[] {
  const lines: DiffLine[] = [];
  let x = a.length;
  let y = b.length;
  for (let edits = trace.length - 1; edits >= 0; edits--) {
    const reach = trace[edits] ?? new Map<number, number>();
    const k = x - y;
    const down = stepsDown(reach, k, edits);
    const fromK = down ? k + 1 : k - 1;
    const fromX = edits === 0 ? 0 : at(reach, fromK);
    const fromY = edits === 0 ? 0 : fromX - fromK;
    while (x > fromX && y > fromY) {
      x--;
      y--;
      lines.push({ kind: "same", text: a[x] ?? "" });
    }
    if (edits === 0) break;
    if (down) lines.push({ kind: "added", text: b[fromY] ?? "" });
    else lines.push({ kind: "removed", text: a[fromX] ?? "" });
    x = fromX;
    y = fromY;
  }
  return lines.reverse();
}
