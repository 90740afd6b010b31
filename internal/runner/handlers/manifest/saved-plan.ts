import { gunzipSync, gzipSync } from "node:zlib";
import { z } from "zod";
import { RunnerError } from "../../../protocol/errors.ts";
import type { ExecutionResultRequest } from "../../../protocol/nuon/jobs.ts";
import { kubernetesPlan, type ResourceDiff } from "../../../protocol/nuon/resource-diffs.ts";
import { decodeContents, encodeContents } from "../terraform/saved-plan.ts";

/** An object that a plan removes. */
const removal = z.object({
  apiVersion: z.string(),
  kind: z.string(),
  namespace: z.string(),
  name: z.string(),
  uid: z.string(),
});

/** Ours, beside Nuon's keys: what the plan was made of, so that nothing else is ever applied under its approval. */
const binding = z.object({
  /** SHA-256 of manifest, namespace and options. */
  manifest_sha256: z.string(),
  /** Each object of the manifest as the cluster had it; `version` null: it was not there. */
  objects: z.record(z.string(), z.object({ uid: z.string(), version: z.string().nullable() })),
  removals: z.array(removal),
});
export type Binding = z.infer<typeof binding>;

const stored = kubernetesPlan.extend({ op: z.enum(["apply", "delete"]), runner: binding.nullish() });

/** A plan as its job stored it (nuon-handlers.md 4.2). */
export interface SavedPlan {
  readonly op: "apply" | "delete";
  readonly diffs: readonly ResourceDiff[];
  /** null: another runner made it, and it does not say of what. */
  readonly binding: Binding | null;
}

/** Largest plan that is unpacked, in bytes. */
const LIMIT = 256 * 2 ** 20;
const AGAIN = "Make the plan again; an apply needs what its plan job stored.";

/** Throws RunnerError (protocol). */
export function readSavedPlan(contents: string): SavedPlan {
  if (contents === "") throw unusable("is missing");
  const bytes = decodeContents(contents);
  let parsed: ReturnType<typeof stored.safeParse>;
  try {
    parsed = stored.safeParse(JSON.parse(gunzipSync(bytes, { maxOutputLength: LIMIT }).toString("utf8")));
  } catch (cause) {
    throw unusable("cannot be read", cause);
  }
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw unusable(`has another form (${issue?.path.join(".") || "top"})`, parsed.error);
  }
  const { op, k8s_content_diff: diffs, runner } = parsed.data;
  return { op, diffs: diffs ?? [], binding: runner ?? null };
}

const unusable = (how: string, cause?: unknown) =>
  new RunnerError("protocol", `the saved plan (apply_plan_contents) ${how}`, { remedy: AGAIN, cause });

/** The result of a plan, and of an apply, which stores its plan again (nuon-handlers.md 4.1). */
export function planResult({ op, diffs, binding: made }: SavedPlan): ExecutionResultRequest {
  const listed = diffs.length === 0 ? {} : { k8s_content_diff: diffs };
  const plan = JSON.stringify(op === "apply" ? { k8s_content_diff: diffs } : { diff: diffs }, null, 2);
  const text = JSON.stringify({ plan, op, ...listed, ...(made === null ? {} : { runner: made }) });
  const packed = encodeContents(gzipSync(text));
  return { success: true, contents_compressed: packed, contents_display_compressed: packed };
}
