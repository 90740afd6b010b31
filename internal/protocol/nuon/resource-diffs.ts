import { z } from "zod";
import { int, str } from "./base.ts";

/**
 * What plan jobs of helm and of Kubernetes manifests store (nuon-handlers.md 4.2): JSON, gzipped, the same text as
 * contents and as display. Keys of ours stand beside Nuon's; readers of either side let pass what they do not know.
 */

/** `type` of a resource and of an entry. */
export const DIFF_TYPE = { unchanged: 0, removed: 1, added: 2, modified: 3, error: 4 } as const;

const diffEntry = z.looseObject({
  path: str,
  /** Values of any form, of a Go runner's structural entries. */
  original: z.unknown().optional(),
  applied: z.unknown().optional(),
  type: int,
  changes: z.unknown().optional(),
  /** One line of YAML. */
  payload: str,
});
export type DiffEntry = z.infer<typeof diffEntry>;

export const resourceDiff = z.looseObject({
  _version: str,
  name: str,
  namespace: str,
  kind: str,
  /** Helm: the group alone (`apps`, `v1`); manifests: `group/version`, `/v1` for the core group. */
  api: str,
  resource: str,
  op: str,
  /** Helm leaves it at 0 whatever the entries say. */
  type: int,
  error: str,
  dry_run: z.boolean().nullish(),
  entries: z.array(diffEntry).nullish(),
});
export type ResourceDiff = z.infer<typeof resourceDiff>;

export const helmPlan = z.looseObject({
  plan: str,
  op: str,
  helm_content_diff: z.array(resourceDiff).nullish(),
});
export type HelmPlan = z.infer<typeof helmPlan>;

export const kubernetesPlan = z.looseObject({
  plan: str,
  op: str,
  /** Left out when nothing changes. */
  k8s_content_diff: z.array(resourceDiff).nullish(),
});
export type KubernetesPlan = z.infer<typeof kubernetesPlan>;
