import { z } from "zod";
import { anyObject, int, rowFields, str, stringMap, time } from "./base.ts";

/**
 * Helm release storage of the driver `nuon` (nuon-runner-api.md 2.16). A release is Helm's own plain JSON and kept as it
 * came; only these keys are read.
 */
export const helmRelease = z.looseObject({
  name: str,
  info: z
    .looseObject({
      first_deployed: str,
      last_deployed: str,
      /** Empty until it is uninstalled. */
      deleted: str,
      description: str,
      status: str,
      notes: str,
    })
    .nullish(),
  chart: anyObject.nullish(),
  config: anyObject.nullish(),
  manifest: str,
  hooks: z.array(anyObject).nullish(),
  /** Revision, from 1. */
  version: int,
  namespace: str,
  /** Helm 4: `ssa` or `csa`; in the recordings, not in the document. */
  apply_method: str,
  labels: stringMap,
});
export type HelmRelease = z.infer<typeof helmRelease>;

/** `Type` of every row. */
export const HELM_RELEASE_TYPE = "helm.sh/release.v1";

/** What the creation of a release answers: Go names, `Body` is base64 of the gzipped release. */
export const helmReleaseRow = z.looseObject({
  HelmChartID: str,
  HelmChart: anyObject.nullish(),
  created_by_id: rowFields.created_by_id,
  created_at: time,
  updated_at: time,
  org_id: str,
  Key: str,
  Type: z.literal(HELM_RELEASE_TYPE),
  Body: str,
  Name: str,
  Namespace: str,
  Version: int,
  Status: str,
  Owner: str,
  labels: stringMap,
});

/** Keys a query may have; any other is refused. */
export const HELM_QUERY_KEYS = ["name", "owner", "status", "version", "createdAt", "modifiedAt"] as const;
