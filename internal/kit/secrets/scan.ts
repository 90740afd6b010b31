import { type Pattern, type Spelling, WRAP } from "./forms.ts";
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
 * The index over all patterns: a map of the two-byte beginnings, so that clean text costs one look-up per byte, then
 * one of the three-byte beginnings, so that it stays fast with hundreds of secrets; then the patterns themselves.
 */
export interface Index {
  add(pattern: Pattern): void;
  /** `resumed`: the bytes may begin behind the first characters of wrapped base64 that `calm` let go. */
  scan(bytes: Uint8Array, final: boolean, resumed: boolean): Scan;
}

/** No pattern is shorter: a secret has at least four characters. */
const HEAD = 3;

export function createIndex(): Index {
  const pairs = new Uint8Array(65536);
  const triples = new Uint8Array(65536);
  /** Patterns by the number that their first one, two or three bytes make; the length is the map's. */
  const byHead = [new Map<number, Pattern[]>(), new Map<number, Pattern[]>(), new Map<number, Pattern[]>()] as const;
  const wrapping: Pattern[] = [];

  const add = (pattern: Pattern) => {
    if (pattern.wraps) wrapping.push(pattern);
    for (const head of headsOf(pattern)) {
      pairs[head >> 8] = 1;
      triples[slot(head)] = 1;
      put(byHead[0], head >> 16, pattern);
      put(byHead[1], head >> 8, pattern);
      put(byHead[2], head, pattern);
    }
  };

  const scan = (bytes: Uint8Array, final: boolean, resumed: boolean): Scan => {
    const sweep = createSweep(bytes, final);
    const size = bytes.length;
    if (resumed) for (let skip = 1; skip < WEAK_CHARS; skip++) sweep.visit(wrapping, 0, skip);
    let head = ((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0);
    for (let at = HEAD - 1; at < size; at++) {
      head = ((head << 8) | (bytes[at] as number)) & 0xffffff;
      if (pairs[head >> 8] === 1 && triples[slot(head)] === 1) {
        sweep.visit(byHead[2].get(head) ?? [], at - HEAD + 1);
      }
    }
    if (!final) {
      if (size > 1) sweep.visit(byHead[1].get(((bytes[size - 2] ?? 0) << 8) | (bytes[size - 1] ?? 0)) ?? [], size - 2);
      if (size > 0) sweep.visit(byHead[0].get(bytes[size - 1] ?? 0) ?? [], size - 1);
    }
    return sweep.result();
  };

  return { add, scan };
}

function slot(head: number): number {
  return Math.imul(head, 0x9e3779b1) >>> 16;
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

/** Every row of three bytes a match can begin with, as a number. */
function headsOf(pattern: Pattern): Set<number> {
  const heads = new Set<number>();
  const extend = (element: number, head: number, length: number) => {
    if (length === HEAD) heads.add(head);
    else {
      for (const spelling of pattern.elements[element] ?? []) spell(spelling, element + 1, head, length, 0);
      if (pattern.wraps && element > 0) for (const feed of WRAP) spell(feed, element, head, length, 0);
    }
  };
  const spell = (spelling: Spelling, next: number, head: number, length: number, at: number) => {
    const byte = spelling.bytes[at];
    if (byte === undefined || length === HEAD) return extend(next, head, length);
    spell(spelling, next, (head << 8) | byte, length + 1, at + 1);
    // Lower-case letters of a folded spelling stand for both cases.
    if (spelling.fold && byte >= 97 && byte <= 122)
      spell(spelling, next, (head << 8) | (byte - 32), length + 1, at + 1);
  };
  extend(0, 0, 0);
  return heads;
}

function put(map: Map<number, Pattern[]>, key: number, pattern: Pattern): void {
  const list = map.get(key);
  if (!list) map.set(key, [pattern]);
  else if (list.at(-1) !== pattern) list.push(pattern);
}
