import { gunzipSync } from "node:zlib";
import { z } from "zod";
import { RunnerError } from "../../../protocol/errors.ts";
import { helmPlan, type ResourceDiff } from "../../../protocol/nuon/resource-diffs.ts";
import { decodeContents, encodeContents } from "../terraform/saved-plan.ts";

/**
 * What a plan was made of, kept beside Nuon's own keys: an apply renders the chart again and goes on only when it comes
 * to the same. Sums and not the objects themselves, so that no Secret leaves the cluster with a plan.
 */
export const binding = z.object({
  /** How the chart was rendered: against the cluster, or (definitions missing there) without it. */
  render: z.enum(["server", "offline"]),
  /** `name-version` of the chart. */
  chart: z.string(),
  /** Of all values given to the chart. */
  values_sha256: z.string(),
  /** Newest revision of the release when the plan was made; 0: there was none. */
  revision: z.number().int(),
  /** SHA-256 by object; hooks among them. */
  objects: z.record(z.string(), z.string()),
  /** Lines that differ from one rendering to the next (random values, times), by object; null: the whole object. */
  volatile: z.record(z.string(), z.array(z.number().int()).nullable()),
});
export type Binding = z.infer<typeof binding>;

const OPS = ["install", "upgrade", "uninstall"] as const;
const savedPlan = helmPlan.extend({ op: z.enum(OPS), runner_binding: binding.nullish() });
export type HelmOp = (typeof OPS)[number];

export interface SavedHelmPlan {
  readonly op: HelmOp;
  /** null: a runner that binds nothing made the plan. */
  readonly binding: Binding | null;
}

const PLAN_LIMIT = 256 * 1024 * 1024;
const AGAIN = "Make the plan again; an apply needs what its plan job stored.";

/** Throws RunnerError (protocol). An operation that is not known fails: Nuon's own runner would succeed without work. */
export function readSavedPlan(contents: string): SavedHelmPlan {
  const packed = decodeContents(contents);
  let json: unknown;
  try {
    json = JSON.parse(gunzipSync(packed, { maxOutputLength: PLAN_LIMIT }).toString("utf8"));
  } catch {
    throw new RunnerError("protocol", "the saved plan (apply_plan_contents) is not a helm plan", { remedy: AGAIN });
  }
  const parsed = savedPlan.safeParse(json);
  if (parsed.success) return { op: parsed.data.op, binding: parsed.data.runner_binding ?? null };
  const issue = parsed.error.issues[0];
  throw new RunnerError("protocol", `the saved helm plan cannot be used: ${issue?.path.join(".")}: ${issue?.message}`, {
    remedy: AGAIN,
  });
}

/** The two fields of a result, which hold the same text (nuon-handlers.md 4.1). */
export function planResult(plan: {
  readonly text: string;
  readonly op: HelmOp;
  readonly diffs: readonly ResourceDiff[];
  readonly binding: Binding | null;
}): { readonly success: true; readonly contents_compressed: string; readonly contents_display_compressed: string } {
  const document = {
    plan: plan.text,
    op: plan.op,
    helm_content_diff: plan.diffs,
    ...(plan.binding === null ? {} : { runner_binding: plan.binding }),
  };
  const packed = encodeContents(Bun.gzipSync(JSON.stringify(document)));
  return { success: true, contents_compressed: packed, contents_display_compressed: packed };
}
