import { RunnerError } from "../../protocol/errors.ts";
import { RETRY } from "../../protocol/retry.ts";
import { failpoint } from "../base/failpoint.ts";
import { digestOf, MANIFEST_TYPE, MAX_MANIFEST_BYTES, unpack } from "../workspace/index.ts";
import { readAtMost, resumingBody } from "./fetch-retry.ts";
import type { ArtifactSource } from "./reference.ts";
import { openRegistry, type RegistryGet, type RegistryOptions } from "./registry.ts";

export interface PullOptions extends Omit<RegistryOptions, "rule"> {
  readonly rule?: RegistryOptions["rule"];
  /** Blobs at the same time; default 4. */
  readonly concurrency?: number;
  /** Limit of all files together, unpacked; default 1 GiB. */
  readonly maxBytes?: number;
  /** Limit of files, links and folders together; default 100,000. */
  readonly maxFiles?: number;
}

export interface Pulled {
  /** Digest of the manifest that was unpacked. */
  readonly digest: string;
  readonly files: number;
  readonly bytes: number;
}

const DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json";
const INDEX_TYPES = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
];
const ACCEPT = [MANIFEST_TYPE, DOCKER_MANIFEST, ...INDEX_TYPES].join(", ");

/**
 * Pulls an artifact and unpacks it into a folder, streaming and with every digest checked; may be repeated over an
 * interrupted pull. Throws RunnerError: refused, unreachable, job (no such tag), protocol, environment, cancelled.
 */
export async function pullArtifact(source: ArtifactSource, into: string, options: PullOptions = {}): Promise<Pulled> {
  const rule = options.rule ?? RETRY.fetch;
  const { get } = await openRegistry(source, { ...options, rule });
  const { bytes, digest } = await fetchManifest(get, source.reference);
  const getBlob = async (blob: string) => {
    const path = `blobs/${blob}`;
    const first = await get(path);
    return resumingBody(first, (from) => get(path, from > 0 ? { range: `bytes=${from}-` } : {}), rule);
  };
  const limits = {
    ...(options.concurrency === undefined ? {} : { concurrency: options.concurrency }),
    ...(options.maxBytes === undefined ? {} : { maxBytes: options.maxBytes }),
    ...(options.maxFiles === undefined ? {} : { maxFiles: options.maxFiles }),
  };
  failpoint("oci.unpack");
  const unpacked = await unpack(bytes, getBlob, into, limits);
  failpoint("oci.unpacked");
  return { digest, ...unpacked };
}

async function fetchManifest(
  get: RegistryGet,
  reference: string,
  depth = 0,
): Promise<{ bytes: Uint8Array; digest: string }> {
  const response = await get(`manifests/${reference}`, { accept: ACCEPT });
  const bytes = await readAtMost(response, MAX_MANIFEST_BYTES);
  if (bytes === null) {
    throw new RunnerError("protocol", `the registry sent a manifest of more than ${MAX_MANIFEST_BYTES} bytes`);
  }
  const digest = digestOf(bytes);
  const promised = reference.startsWith("sha256:") ? reference : response.headers.get("docker-content-digest");
  if (promised !== null && promised !== digest) {
    throw new RunnerError("protocol", `the manifest of ${reference} does not match its digest ${promised}`, {
      remedy: "The registry, or what lies between, answers with something else: ask whoever runs it.",
    });
  }
  const only = indexEntry(bytes, response.headers.get("content-type"));
  if (only === null) return { bytes, digest };
  if (depth > 0) throw new RunnerError("protocol", `${reference} is an index of indexes, which holds no artifact`);
  return await fetchManifest(get, only, depth + 1);
}

/** Digest of the one manifest that an index names; null: not an index. Throws when it names none or several. */
function indexEntry(bytes: Uint8Array, type: string | null): string | null {
  let document: unknown;
  try {
    document = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw new RunnerError("protocol", "the registry sent a manifest that is not JSON", {
      remedy: "check that the address is that of a registry and not of a web page",
    });
  }
  if (typeof document !== "object" || document === null) return null;
  const named = "mediaType" in document ? document.mediaType : type?.split(";")[0];
  const isIndex = INDEX_TYPES.includes(String(named)) || ("manifests" in document && !("layers" in document));
  if (!isIndex) return null;
  const list = "manifests" in document && Array.isArray(document.manifests) ? document.manifests : [];
  const digest = list.length === 1 && typeof list[0]?.digest === "string" ? list[0].digest : null;
  if (digest === null || !/^sha256:[0-9a-f]{64}$/.test(digest)) {
    throw new RunnerError("protocol", `the tag is an index of ${list.length} manifests, not one artifact`, {
      remedy: "push the artifact under a tag of its own",
    });
  }
  return digest;
}
