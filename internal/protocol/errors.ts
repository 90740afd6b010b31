/**
 * Errors are values with a kind, a message that tells the person what to do, and a cause.
 * I/O edges return `Result`; `RunnerError` is thrown for everything that ends a command or a job.
 */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  refused: 3,
  policy: 4,
  cancelled: 5,
  timedOut: 6,
  defect: 70,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export type ErrorKind =
  | "usage" // flags, env, config or job file
  | "refused" // 401, 403, unknown runner
  | "unreachable" // no answer, or not one of ours
  | "protocol" // the peer sent what its contract does not allow
  | "conflict" // stale epoch, lost lease, another holder
  | "environment" // port in use, folder not writable, tool missing, disk full
  | "job" // the work itself failed
  | "policy"
  | "cancelled"
  | "timed-out"
  | "defect";

export const KIND_EXIT: Record<ErrorKind, ExitCode> = {
  usage: EXIT.usage,
  environment: EXIT.usage,
  refused: EXIT.refused,
  unreachable: EXIT.refused,
  protocol: EXIT.refused,
  conflict: EXIT.failed,
  job: EXIT.failed,
  policy: EXIT.policy,
  cancelled: EXIT.cancelled,
  "timed-out": EXIT.timedOut,
  defect: EXIT.defect,
};

export class RunnerError extends Error {
  readonly kind: ErrorKind;
  /** One sentence: what the person can do about it. */
  readonly remedy: string | undefined;

  constructor(kind: ErrorKind, message: string, options: { remedy?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "RunnerError";
    this.kind = kind;
    this.remedy = options.remedy;
  }
}

export type Result<T, E = RunnerError> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: E };
export const ok = <T>(value: T): { readonly ok: true; readonly value: T } => ({ ok: true, value });
export const fail = <E>(error: E): { readonly ok: false; readonly error: E } => ({ ok: false, error });

/** The message of anything thrown, on one line. */
export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/\s+/g, " ").trim();
}
