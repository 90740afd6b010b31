import { mask, type Redactor } from "./redactor.ts";

/** A stretch of output and the raw range it stands for. */
export interface Segment {
  readonly from: number;
  readonly to: number;
  readonly bytes: Uint8Array;
}

/**
 * The push form of the redactor, for streams that are not files. Segments follow each other without a gap; nothing of
 * a secret that is cut by a chunk border is in them, wherever the border lies.
 */
export interface RedactionStream {
  push(chunk: Uint8Array): Segment[];
  /** Nothing follows: release what was kept back. */
  end(): Segment[];
  /** Raw position up to which everything has been emitted: the start of the oldest match still open. */
  held(): number;
}

/** A chain of overlapping secrets longer than this is emitted in parts: memory stays bounded whatever comes. */
const MAX_KEPT = 1 << 20;

export function createRedactionStream(redactor: Redactor): RedactionStream {
  let kept: Uint8Array = new Uint8Array(0);
  let position = 0;

  const advance = (bytes: Uint8Array, final: boolean): Segment[] => {
    const { hits, held, open } = redactor.scan(bytes, final);
    const forced = held === 0 && open > 0 && bytes.length > MAX_KEPT;
    const end = forced ? open : held;
    const text = forced ? mask(bytes, [0, open], 0, open) : mask(bytes, hits, 0, end);
    const segment = { from: position, to: position + end, bytes: text };
    // A copy: the caller may use its chunk again.
    kept = bytes.slice(end);
    position += end;
    return end > 0 ? [segment] : [];
  };

  return {
    push: (chunk) => advance(kept.length > 0 ? Buffer.concat([kept, chunk]) : chunk, false),
    end: () => advance(kept, true),
    held: () => position,
  };
}
