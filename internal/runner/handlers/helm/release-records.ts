import { gunzipSync } from "node:zlib";
import { z } from "zod";
import { isNotFound, type KubeClient, kubeObject } from "../../../kit/kube/index.ts";
import { RunnerError } from "../../../protocol/errors.ts";
import { type HelmReleaseDocument, helmReleaseDocument } from "./rendering.ts";

/** Helm's own record of one revision (its drivers `secret` and `configmap`; a proxy shows `nuon` as the first). */
export interface ReleaseRecord {
  readonly revision: number;
  readonly status: string;
  readonly release: HelmReleaseDocument;
  readonly labels: Readonly<Record<string, string>>;
  /** The object as it was read, for writing it back. */
  readonly object: z.infer<typeof storedObject>;
}

export interface ReleaseRecords {
  /** Oldest first; none when there is no such release, or no such namespace. Throws KubeError. */
  list(): Promise<readonly ReleaseRecord[]>;
  /** Writes another status over a record, if nobody wrote it in between. Throws KubeError (409 then). */
  markFailed(record: ReleaseRecord, why: string): Promise<void>;
}

const storedObject = kubeObject.extend({ data: z.record(z.string(), z.string()).nullish() });
const storedList = z.looseObject({ items: z.array(storedObject).nullish() });

/** Largest release that is unpacked, in bytes; etcd keeps 1.5 MB, packed. */
const RELEASE_LIMIT = 64 * 2 ** 20;

export function releaseRecords(
  client: KubeClient,
  of: { readonly release: string; readonly namespace: string; readonly driver: "secret" | "configmap" },
): ReleaseRecords {
  const kind = of.driver === "secret" ? "secrets" : "configmaps";
  const base = `/api/v1/namespaces/${encodeURIComponent(of.namespace)}/${kind}`;
  return {
    async list() {
      const query = { labelSelector: `owner=helm,name=${of.release}` };
      const found = await client.request({ method: "GET", path: base, query, maxBytes: RELEASE_LIMIT }, storedList);
      if (!found.ok) {
        if (isNotFound(found.error)) return [];
        throw found.error;
      }
      const records = (found.value.items ?? []).map((object) => recordOf(object, of.driver));
      return records.sort((a, b) => a.revision - b.revision);
    },
    async markFailed({ object, release }, why) {
      const { metadata } = object;
      const changed = { ...release, info: { ...release.info, status: "failed", description: why } };
      const body = {
        apiVersion: "v1",
        kind: of.driver === "secret" ? "Secret" : "ConfigMap",
        ...object,
        metadata: { ...metadata, labels: { ...metadata?.labels, status: "failed" } },
        data: { ...object.data, release: encode(changed, of.driver) },
      };
      const path = `${base}/${encodeURIComponent(metadata?.name ?? "")}`;
      const written = await client.request({ method: "PUT", path, body }, kubeObject);
      if (!written.ok) throw written.error;
    },
  };
}

function recordOf(object: z.infer<typeof storedObject>, driver: "secret" | "configmap"): ReleaseRecord {
  const name = object.metadata?.name ?? "";
  const parsed = helmReleaseDocument.safeParse(decode(object.data?.release ?? "", driver, name));
  if (!parsed.success) throw unreadable(name);
  const { version: revision, info } = parsed.data;
  return { revision, status: info.status, release: parsed.data, labels: object.metadata?.labels ?? {}, object };
}

/** base64 of gzip of JSON; a Secret's data is base64 once more. */
function decode(data: string, driver: "secret" | "configmap", name: string): unknown {
  const inner = driver === "secret" ? Buffer.from(data, "base64").toString("latin1") : data;
  const bytes = Buffer.from(inner, "base64");
  const packed = bytes[0] === 0x1f && bytes[1] === 0x8b;
  try {
    return JSON.parse((packed ? gunzipSync(bytes, { maxOutputLength: RELEASE_LIMIT }) : bytes).toString("utf8"));
  } catch {
    throw unreadable(name);
  }
}

function encode(release: object, driver: "secret" | "configmap"): string {
  const text = Buffer.from(Bun.gzipSync(JSON.stringify(release))).toString("base64");
  return driver === "secret" ? Buffer.from(text).toString("base64") : text;
}

const unreadable = (name: string) =>
  new RunnerError("job", `the release record ${name} cannot be read`, {
    remedy: "`helm history` shows the revisions; delete a damaged one by hand.",
  });

/** What the next upgrade starts from, by helm's rule: the last deployed revision, else the last one. null: none. */
export const currentRecord = (records: readonly ReleaseRecord[]): ReleaseRecord | null =>
  records.findLast((one) => one.status === "deployed") ?? records.at(-1) ?? null;
