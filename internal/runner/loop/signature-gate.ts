import type { WatchedFile } from "../../kit/base/watched-file.ts";
import { type SignedWork, type TrustedKeys, unsigned, verifyWork } from "../../kit/signing/index.ts";
import type { ControlPlane, Work } from "../controlplane/control-plane.ts";

export interface SignatureDeps {
  /** null: work need not be signed. */
  readonly trust: WatchedFile<TrustedKeys> | null;
  readonly runnerId: string;
  readonly dialect: ControlPlane["dialect"];
}

/** The name of the key that signed the work; null: none is asked for. Throws RunnerError policy. */
export function signerOf({ trust, runnerId, dialect }: SignatureDeps, work: Work, now: number): string | null {
  if (trust === null) return null;
  const { signature } = work.sealed;
  if (typeof signature !== "string") throw unsigned(whyNot(dialect));
  const verified = verifyWork(trust.current(), signature, signedWork(work, runnerId), now);
  if (!verified.ok) throw verified.error;
  return verified.value;
}

function whyNot(dialect: ControlPlane["dialect"]): string {
  if (dialect !== "native")
    return `a control plane of the dialect ${dialect} signs nothing; run it without --trust-keys`;
  return "it is not signed; the coordinator signs with --signing-key-file";
}

/** The work as the claim carried it, also after a restart. */
function signedWork({ job, execution, plan, options, sealed }: Work, runnerId: string): SignedWork {
  const { verify, cancelGraceMs, sensitiveVars, ...rest } = options;
  return {
    runnerId,
    executionId: execution.id,
    epoch: execution.epoch,
    job,
    plan,
    documents: sealed.documents,
    options: { verify, cancel_grace_ms: cancelGraceMs, sensitive_vars: sensitiveVars, ...rest },
  };
}
