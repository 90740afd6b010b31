import { createReadStream } from "node:fs";
import { open, rm } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { RunnerError, reasonOf } from "../../protocol/errors.ts";
import { readTar } from "../workspace/tar-entries.ts";

/** No program is larger; what says so is a bomb. */
const MAX_ENTRY_BYTES = 1_073_741_824;

/**
 * Streams one file out of a gzipped tar into a new file with the given mode. Only the entry of exactly that path is
 * written, so that nothing else in the archive can matter. After a failure nothing of it stays. Throws RunnerError
 * `environment`.
 */
export async function untarOne(archive: string, name: string, into: string, mode: number): Promise<void> {
  let found = false;
  try {
    await pipeline(createReadStream(archive), createGunzip(), async (unpacked: AsyncIterable<Uint8Array>) => {
      await readTar(unpacked, async (entry, body) => {
        if (found || entry.kind !== "file" || entry.path.replace(/^(?:\.\/+)+/, "") !== name) return;
        found = true;
        if (entry.size > MAX_ENTRY_BYTES) throw new RunnerError("environment", `${name} is too large`);
        await write(body, into, mode);
      });
    });
  } catch (error) {
    await rm(into, { force: true });
    throw new RunnerError("environment", `the archive is damaged: ${reasonOf(error)}`, { cause: error });
  }
  if (!found) throw new RunnerError("environment", `the archive has no ${name} in it`);
}

async function write(body: AsyncIterable<Uint8Array>, into: string, mode: number): Promise<void> {
  const file = await open(into, "wx", mode);
  try {
    for await (const chunk of body) await file.writeFile(chunk);
  } finally {
    await file.close();
  }
}
