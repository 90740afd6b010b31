import { RunnerError } from "../../protocol/errors.ts";
import { RETRY } from "../../protocol/retry.ts";
import { digestOf, MANIFEST_TYPE, MAX_MANIFEST_BYTES, parseManifest, unpack } from "../workspace/index.ts";
import { resumingBody } from "./fetch-retry.ts";
import type { ArtifactSource } from "./reference.ts";
import { openRegistry, type RegistryGet, type RegistryOptions } from "./registry.ts";

export interface PullOptions extends Omit<RegistryOptions, "rule"> {
  readonly rule?: RegistryOptions["rule"];
  /** Blobs at the same time; default 4. */
  readonly concurrency?: number;
  /** Limit of all files together; default 1 GiB. */
  readonly maxBytes?: number;
  /** Pulls an artifact that holds folders as archives, which is the oras CLI's own way. Absent: it is refused. */
  readonly folders?: (pull: FolderPull) => Promise<Pick<Pulled, "files" | "bytes">>;
}

export interface FolderPull {
  readonly source: ArtifactSource;
  readonly digest: string;
  readonly plainHttp: boolean;
  readonly into: string;
  readonly maxBytes: number;
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
  const { get, plainHttp } = await openRegistry(source, { ...options, rule });
  const { bytes, digest } = await fetchManifest(get, source.reference);
  if (holdsFolders(bytes)) {
    if (!options.folders) throw new RunnerError("environment", "the artifact holds folders as archives");
    const maxBytes = options.maxBytes ?? MAX_BYTES;
    return { digest, ...(await options.folders({ source, digest, plainHttp, into, maxBytes })) };
  }
  const getBlob = async (blob: string) => {
    const path = `blobs/${blob}`;
    const first = await get(path);
    return resumingBody(first, (from) => get(path, from > 0 ? { range: `bytes=${from}-` } : {}), rule);
  };
  const limits = {
    ...(options.concurrency === undefined ? {} : { concurrency: options.concurrency }),
    ...(options.maxBytes === undefined ? {} : { maxBytes: options.maxBytes }),
  };
  return { digest, ...(await unpack(bytes, getBlob, into, limits)) };
}

/** `oras push … folder/` makes a layer of the folder's archive and marks it so. */
const ORAS_UNPACK = "io.deis.oras.content.unpack";
const MAX_BYTES = 1_073_741_824;

function holdsFolders(manifest: Uint8Array): boolean {
  return parseManifest(manifest).layers.some((layer) => layer.annotations?.[ORAS_UNPACK] === "true");
}

async function fetchManifest(
  get: RegistryGet,
  reference: string,
  depth = 0,
): Promise<{ bytes: Uint8Array; digest: string }> {
  const response = await get(`manifests/${reference}`, { accept: ACCEPT });
  if (Number(response.headers.get("content-length") ?? 0) > MAX_MANIFEST_BYTES) {
    await response.body?.cancel();
    throw new RunnerError("protocol", "the registry sent a manifest that is too large");
  }
  const bytes = new Uint8Array(await response.arrayBuffer());
  const digest = digestOf(bytes);
  const promised = reference.startsWith("sha256:") ? reference : response.headers.get("docker-content-digest");
  if (promised !== null && promised !== digest) {
    throw new RunnerError("protocol", `the manifest of ${reference} does not match its digest ${promised}`);
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
