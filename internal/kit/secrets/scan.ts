import { type Element, type Pattern, WRAP } from "./forms.ts";
import { type Match, matchAt, WEAK_CHARS } from "./match.ts";

/** What a scan of some bytes found. Positions count from the first byte given. */
export interface Scan {
  /** Start and end of each range to mask, flattened, in order, not overlapping; all of them end at or before `calm`. */
  readonly hits: readonly number[];
  /** Everything before it is decided; a secret may have begun here. The length of the bytes when nothing is open. */
  readonly held: number;
  /** As `held`, but a complete line is not kept back for one to three characters that may begin wrapped base64. */
  readonly calm: number;
  /** Start of the oldest open match itself; `held` lies before it when a range already found may still grow. */
  readonly open: number;
}

/**
 * The index over all patterns: a map of the two-byte beginnings, so that clean text costs one look-up per byte, and
 * the patterns behind each beginning.
 */
export interface Index {
  add(pattern: Pattern): void;
  /** `resumed`: the bytes may begin behind the first characters of wrapped base64 that `calm` let go. */
  scan(bytes: Uint8Array, final: boolean, resumed: boolean): Scan;
}

export function createIndex(): Index {
  const pairs = new Uint8Array(65536);
  const byPair = new Map<number, Pattern[]>();
  const byFirst = new Map<number, Pattern[]>();
  const wrapping: Pattern[] = [];

  const add = (pattern: Pattern) => {
    if (pattern.wraps) wrapping.push(pattern);
    const found = new Set<number>();
    for (const [first, second] of beginnings(pattern)) {
      found.add((first << 8) | second);
      put(byFirst, first, pattern);
    }
    for (const pair of found) {
      pairs[pair] = 1;
      put(byPair, pair, pattern);
    }
  };

  const scan = (bytes: Uint8Array, final: boolean, resumed: boolean): Scan => {
    const sweep = createSweep(bytes, final);
    if (resumed) for (let skip = 1; skip < WEAK_CHARS; skip++) sweep.visit(wrapping, 0, skip);
    const last = bytes.length - 1;
    let pair = bytes[0] ?? 0;
    for (let at = 0; at < last; at++) {
      pair = ((pair << 8) | (bytes[at + 1] as number)) & 0xffff;
      if (pairs[pair] === 1) sweep.visit(byPair.get(pair) ?? [], at);
    }
    if (last >= 0 && !final) sweep.visit(byFirst.get(bytes[last] ?? 0) ?? [], last);
    return sweep.result();
  };

  return { add, scan };
}

/** Collects matches in order of their start and merges those that overlap. */
function createSweep(bytes: Uint8Array, final: boolean) {
  const match: Match = { end: -1, live: false, strong: false };
  const hits: number[] = [];
  const size = bytes.length;
  let open = size;
  let calmOpen = size;
  let rangeStart = -1;
  let rangeEnd = -1;

  const visit = (patterns: readonly Pattern[], at: number, skip = 0) => {
    for (const pattern of patterns) {
      const { end, live, strong } = matchAt(pattern, bytes, at, match, skip);
      if (live && !final && at < open) open = at;
      if (strong && !final && at < calmOpen) calmOpen = at;
      if (end < 0) continue;
      if (at >= rangeEnd) {
        if (rangeEnd >= 0) hits.push(rangeStart, rangeEnd);
        rangeStart = at;
        rangeEnd = end;
      } else if (end > rangeEnd) rangeEnd = end;
    }
  };

  const result = (): Scan => {
    if (rangeEnd >= 0) hits.push(rangeStart, rangeEnd);
    const calm = startOfRange(hits, calmOpen);
    return { hits: before(hits, calm), held: startOfRange(hits, open), calm, open };
  };
  return { visit, result };
}

/** An open match inside a range may make the range longer: then the range as a whole is not decided yet. */
function startOfRange(hits: readonly number[], open: number): number {
  for (let at = hits.length - 2; at >= 0; at -= 2) {
    const from = hits[at] ?? 0;
    if (from <= open && open < (hits[at + 1] ?? 0)) return from;
  }
  return open;
}

function before(hits: readonly number[], limit: number): readonly number[] {
  let count = hits.length;
  while (count > 0 && (hits[count - 1] ?? 0) > limit) count -= 2;
  return count === hits.length ? hits : hits.slice(0, count);
}

function beginnings(pattern: Pattern): Array<[number, number]> {
  const list: Array<[number, number]> = [];
  const [first, second] = pattern.elements;
  const follow: Element = pattern.wraps ? [...(second ?? []), ...WRAP] : (second ?? []);
  for (const { bytes, fold } of first ?? []) {
    const heads = bytes.length > 1 ? [bytes[1] ?? 0] : follow.map((next) => next.bytes[0] ?? 0);
    for (const head of heads) {
      list.push([bytes[0] ?? 0, head]);
      if (fold && bytes.length > 1 && head >= 97 && head <= 122) list.push([bytes[0] ?? 0, head - 32]);
    }
  }
  return list;
}

function put(map: Map<number, Pattern[]>, key: number, pattern: Pattern): void {
  const list = map.get(key);
  if (!list) map.set(key, [pattern]);
  else if (list.at(-1) !== pattern) list.push(pattern);
}
