import type { Clock } from "../../kit/base/clock.ts";
import { type SigningKey, signWork } from "../../kit/signing/index.ts";
import { type Claim, claim as claimSchema } from "../../protocol/native.ts";

/** Signs claims as a runner will read them: after the way through JSON and its schema. */
export function claimSigner(key: SigningKey, clock: Clock): (claim: Claim, runnerId: string) => string {
  return (claim, runnerId) => {
    const { job, plan, documents, options, lease } = claimSchema.parse(JSON.parse(JSON.stringify(claim)));
    const work = { runnerId, executionId: claim.execution_id, epoch: lease.epoch, job, plan, documents, options };
    return signWork(key, work, clock.now());
  };
}
