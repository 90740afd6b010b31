import { z } from "zod";
import { MANIFEST_TYPE, type PackedFolder, packFolder } from "../../internal/kit/workspace/index.ts";
import type { OperatorClient } from "./operator-client.ts";

/** Blobs on their way at once: enough to hide round trips, few enough to share a line with the jobs. */
const AT_ONCE = 4;
const missingBlobs = z.looseObject({ missing: z.array(z.string()) });

/** Packs a folder and uploads what the coordinator does not have. Answers the digest. Throws RunnerError. */
export async function uploadSource(
  client: OperatorClient,
  folder: string,
  include: readonly string[] | undefined,
): Promise<string> {
  const packed = await packFolder(folder, { include });
  const path = `/sources/${packed.digest}`;
  const lacks = await client.putUnless(path, packed.manifest, MANIFEST_TYPE, missingBlobs);
  if (lacks !== null) {
    await uploadBlobs(client, packed, new Set(lacks.missing));
    await client.put(path, packed.manifest, MANIFEST_TYPE);
  }
  return packed.digest;
}

async function uploadBlobs(client: OperatorClient, packed: PackedFolder, missing: ReadonlySet<string>): Promise<void> {
  const waiting = packed.blobs.filter((blob) => missing.has(blob.digest));
  const worker = async () => {
    for (let blob = waiting.shift(); blob !== undefined; blob = waiting.shift()) {
      const data = new Uint8Array(await new Response(blob.open()).arrayBuffer());
      await client.put(`/sources/blobs/${blob.digest}`, data, "application/octet-stream");
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}
