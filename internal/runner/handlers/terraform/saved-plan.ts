import { planBase, STALE_REMEDY, staleReason } from "../../../kit/terraform/plan-base.ts";
import { RunnerError } from "../../../protocol/errors.ts";
import type { JobContext } from "../../handler.ts";
import type { TerraformWork } from "./terraform-work.ts";

/** URL-safe base64 with padding: the only form Nuon's server takes (nuon-handlers.md 4.1). */
export function encodeContents(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64").replaceAll("+", "-").replaceAll("/", "_");
}

/** Bytes of a saved plan from standard, URL-safe or unpadded base64. Throws RunnerError (protocol). */
export function decodeContents(text: string): Uint8Array {
  const plain = text.replace(/\s+/g, "").replaceAll("-", "+").replaceAll("_", "/").replace(/=+$/, "");
  // Buffer skips what it cannot read: a damaged plan must not reach terraform as a different one.
  if (plain === "" || !/^[A-Za-z0-9+/]+$/.test(plain) || plain.length % 4 === 1) {
    throw new RunnerError("protocol", "the saved plan (apply_plan_contents) is not base64", {
      remedy: "Make the plan again; an apply needs what its plan job stored.",
    });
  }
  return Buffer.from(plain, "base64");
}

/**
 * Refuses a saved plan that does not fit the state as it is now, before anything runs: terraform would do so too, but
 * only after init, with the lock in its hands. Throws RunnerError (conflict). A plan that does not say what it was made
 * on, and a state that cannot be asked for, are left to terraform.
 */
export async function refuseStalePlan(ctx: JobContext<unknown>, work: TerraformWork): Promise<void> {
  const base = work.savedPlan === null ? null : planBase(work.savedPlan);
  if (base === null) return;
  let stale: string | null;
  try {
    stale = staleReason(base, await ctx.state.head(work.workspaceId));
  } catch {
    // Not the reason: a parser's message may quote the state.
    ctx.log.warn(`the plan could not be compared with the state; ${work.tool} does that itself`);
    return;
  }
  if (stale !== null) throw new RunnerError("conflict", stale, { remedy: STALE_REMEDY });
}
