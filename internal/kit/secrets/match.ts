import { type Element, type Pattern, type Spelling, WRAP } from "./forms.ts";

/** What a pattern makes of the bytes from one place on. */
export interface Match {
  /** End of the longest match, -1 when there is none. */
  end: number;
  /** The bytes ran out while more of them could still make a match, or a longer one. */
  live: boolean;
  /** As `live`, without base64 that was wrapped before its fourth character: one line in ten ends in such a character. */
  strong: boolean;
}

const MISS = -1;
const SHORT = -2;
/** From so many characters on wrapped base64 is taken for what it looks like. */
export const WEAK_CHARS = 4;
/** Spellings overlap only in secrets full of `%` or `\`; from here on places seen are remembered. */
const MEMO_AFTER = 4;

const LOWER = Uint8Array.from({ length: 256 }, (_, byte) => (byte >= 65 && byte <= 90 ? byte + 32 : byte));

/** Length of the spelling when it stands at `at`; MISS; or SHORT when the bytes end inside it. */
function compare(bytes: Uint8Array, at: number, spelling: Spelling): number {
  const want = spelling.bytes;
  const room = bytes.length - at;
  const count = Math.min(want.length, room);
  for (let i = 0; i < count; i++) {
    const byte = bytes[at + i] ?? 0;
    if ((spelling.fold ? LOWER[byte] : byte) !== want[i]) return MISS;
  }
  return want.length > room ? SHORT : want.length;
}

/** Places still to be tried: element index, position, whether a line break was crossed. */
type Place = readonly [element: number, at: number, wrapped: boolean];

/** Match `pattern` at `start`, without its first `skip` elements; the result object is filled anew and returned. */
export function matchAt(pattern: Pattern, bytes: Uint8Array, start: number, result: Match, skip = 0): Match {
  result.end = -1;
  result.live = false;
  result.strong = false;
  const { elements, wraps } = pattern;
  const open: Place[] = [];
  const memo = new Set<number>();
  let tried = 0;
  let place: Place | undefined = [skip, start, false];

  const tryAll = (options: Element, [element, at, wrapped]: Place, next: number, crossing: boolean) => {
    for (const spelling of options) {
      const length = compare(bytes, at, spelling);
      if (length === MISS) continue;
      if (length === SHORT) {
        result.live = true;
        if (!(wrapped || crossing) || element - skip >= WEAK_CHARS) result.strong = true;
      } else open.push([next, at + length, wrapped || crossing]);
    }
  };

  while (place) {
    const [element, at] = place;
    if (element === elements.length) finish(pattern.tail, bytes, at, result);
    else if (++tried < MEMO_AFTER * elements.length || !seen(memo, element, at - start)) {
      tryAll(elements[element] ?? [], place, element + 1, false);
      if (wraps && element > 0) tryWrap(bytes, place, tryAll);
    }
    place = open.pop();
  }
  return result;
}

/** At the end of the bytes the next one may be a line break as well; `tryAll` on the element has said so already. */
function tryWrap(
  bytes: Uint8Array,
  place: Place,
  tryAll: (options: Element, place: Place, next: number, crossing: boolean) => void,
): void {
  const byte = bytes[place[1]];
  if (byte === 10 || byte === 13 || byte === 92) tryAll(WRAP, place, place[0], true);
}

function finish(tail: Element, bytes: Uint8Array, at: number, result: Match): void {
  if (at > result.end) result.end = at;
  for (const spelling of tail) {
    const length = compare(bytes, at, spelling);
    if (length === SHORT) {
      result.live = true;
      result.strong = true;
    } else if (length !== MISS && at + length > result.end) result.end = at + length;
  }
}

function seen(memo: Set<number>, element: number, distance: number): boolean {
  const key = element * 0x400000 + distance;
  if (memo.has(key)) return true;
  memo.add(key);
  return false;
}
