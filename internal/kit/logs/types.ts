/**
 * The log pipeline's vocabulary. One execution has one append-only output file: tools append raw bytes, the runner
 * appends lines of its own as `\x1e<nonce> <json>\n` records (the nonce is random per execution, so output cannot forge
 * them). A position in that file is the stream's offset everywhere: in the tail, on the wire and after a restart.
 */
export interface LogRecord {
  /** Nanoseconds since the epoch. */
  readonly time: bigint;
  readonly severity: "debug" | "info" | "warn" | "error";
  /** Whole lines without the last newline (many lines when output is fast), valid UTF-8, already redacted. */
  readonly text: string;
  readonly source: "tool" | "runner";
  /** The text does not end a line. */
  readonly partial: boolean;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  /** The span it was written in, where jobs are traced; ids in hex. */
  readonly span?: { readonly traceId: string; readonly spanId: string };
}

export interface LogBatch {
  /** Range of the output file this batch stands for. */
  readonly from: number;
  readonly to: number;
  readonly records: readonly LogRecord[];
}
