import { createHash } from "node:crypto";

/** Everything a runner acts on, as the claim carries it; what is not here is not signed. */
export interface SignedWork {
  readonly runnerId: string;
  readonly executionId: string;
  readonly epoch: number;
  readonly job: {
    readonly id: string;
    readonly type: string;
    readonly operation?: string | null | undefined;
    readonly execution_timeout?: number | null | undefined;
    readonly metadata?: unknown;
  };
  readonly plan: string | null;
  readonly documents: unknown;
  readonly options: unknown;
}

/** SHA-256 of the work, hexadecimal: the same whatever order or spacing its JSON had on the way. */
export function workDigest(work: SignedWork): string {
  const { id, type, operation = null, execution_timeout: timeout = null, metadata = null } = work.job;
  const { runnerId, executionId, epoch, plan, documents, options } = work;
  const job = { id, type, operation, timeout, metadata };
  return sha256(canonical({ runnerId, executionId, epoch, job, plan, documents, options }));
}

export const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

/** JSON with sorted keys and without members that are not there. */
function canonical(value: unknown): string {
  if (value === null || value === undefined) return "null";
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object") return JSON.stringify(value);
  const members = Object.entries(value)
    .filter(([, inner]) => inner !== undefined && inner !== null)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, inner]) => `${JSON.stringify(key)}:${canonical(inner)}`);
  return `{${members.join(",")}}`;
}
