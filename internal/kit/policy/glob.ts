/** Longest pattern, and longest text that is compared; a longer text is never said to match. */
export const PATTERN_LIMIT = 300;
export const TEXT_LIMIT = 16_384;

export interface GlobOptions {
  /** `*` passes slashes too, as in commands. Default: only `**` does. */
  readonly flat?: boolean;
}

/**
 * Whether the whole text fits the pattern: `*` is any run of characters without a slash, `**` any run at all, `?` one
 * character but a slash; everything else is itself. No user's regular expression is ever run: the time is bounded by
 * the product of both lengths, whatever they hold.
 */
export function globMatches(pattern: string, text: string, { flat = false }: GlobOptions = {}): boolean {
  if (text.length > TEXT_LIMIT) return false;
  const parts = partsOf(pattern, flat);
  // open[i]: the text read so far fits the first i parts.
  let open = new Uint8Array(parts.length + 1);
  open[0] = 1;
  skipRuns(parts, open);
  for (const char of text) {
    const next = new Uint8Array(parts.length + 1);
    for (const [at, part] of parts.entries()) {
      if (open[at] !== 1 || !takes(part, char)) continue;
      next[part.run ? at : at + 1] = 1;
    }
    skipRuns(parts, next);
    open = next;
  }
  return open[parts.length] === 1;
}

interface Part {
  /** Taken any number of times, also none. */
  readonly run: boolean;
  /** null: any character. */
  readonly char: string | null;
  readonly slash: boolean;
}

function partsOf(pattern: string, flat: boolean): Part[] {
  const parts: Part[] = [];
  const found = pattern.match(/\*+|[^*]/gsu) ?? [];
  for (const piece of found) {
    if (piece.startsWith("*")) parts.push({ run: true, char: null, slash: flat || piece.length > 1 });
    else if (piece === "?") parts.push({ run: false, char: null, slash: flat });
    else parts.push({ run: false, char: piece, slash: true });
  }
  return parts;
}

const takes = ({ char, slash }: Part, found: string): boolean =>
  char === null ? slash || found !== "/" : char === found;

function skipRuns(parts: readonly Part[], open: Uint8Array): void {
  for (const [at, part] of parts.entries()) if (open[at] === 1 && part.run) open[at + 1] = 1;
}
