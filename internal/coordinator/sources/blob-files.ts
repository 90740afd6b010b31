import { mkdir, open, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { fail, ok, type Result, RunnerError, reasonOf } from "../../protocol/errors.ts";
import { hexOf } from "./digest.ts";

/** Blobs as files named by their digest: whole or absent, never half. */
export interface BlobFiles {
  /** Absolute path of a blob, whether or not it exists. `hex` must come from `hexOf`. */
  path(hex: string): string;
  size(hex: string): Promise<number | null>;
  /** Streams into a temporary file, checks the digest, then renames. Writing what exists succeeds. Value: bytes. */
  write(digest: string, body: ReadableStream<Uint8Array> | null): Promise<Result<number>>;
}

/** `limit`: largest blob in bytes. */
export function createBlobFiles(dir: string, limit: number): BlobFiles {
  const path = (hex: string) => join(dir, hex.slice(0, 2), hex);
  const size = async (hex: string) => {
    try {
      return (await stat(path(hex))).size;
    } catch {
      return null;
    }
  };
  return {
    path,
    size,
    write: async (digest, body) => {
      const hex = hexOf(digest);
      if (hex === null) return fail(new RunnerError("usage", `"${digest}" is not a digest of the form sha256:<hex>`));
      const known = await size(hex);
      if (known !== null) {
        await body?.cancel();
        return ok(known);
      }
      const temporary = join(dir, `incoming-${crypto.randomUUID()}`);
      try {
        await mkdir(join(dir, hex.slice(0, 2)), { recursive: true });
        const received = await receive(temporary, body, limit);
        if (!received.ok) return received;
        if (received.value.hex !== hex) {
          const found = `sha256:${received.value.hex}`;
          return fail(new RunnerError("usage", `the body's digest is ${found}, not ${digest}`, { remedy: REPEAT }));
        }
        await rename(temporary, path(hex));
        return ok(received.value.bytes);
      } catch (error) {
        return fail(new RunnerError("environment", `the blob cannot be stored: ${reasonOf(error)}`, { cause: error }));
      } finally {
        await rm(temporary, { force: true });
      }
    },
  };
}

const REPEAT = "The upload was cut or altered on its way: repeat it.";

async function receive(
  file: string,
  body: ReadableStream<Uint8Array> | null,
  limit: number,
): Promise<Result<{ hex: string; bytes: number }>> {
  const hasher = new Bun.CryptoHasher("sha256");
  const handle = await open(file, "wx", 0o600);
  let bytes = 0;
  try {
    if (body !== null) {
      for await (const chunk of body) {
        bytes += chunk.byteLength;
        if (bytes > limit) return fail(new RunnerError("usage", `the blob is larger than ${limit} bytes`));
        hasher.update(chunk);
        await writeAll(handle, chunk);
      }
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
  return ok({ hex: hasher.digest("hex"), bytes });
}

async function writeAll(handle: Awaited<ReturnType<typeof open>>, chunk: Uint8Array): Promise<void> {
  let written = 0;
  while (written < chunk.byteLength) written += (await handle.write(chunk, written)).bytesWritten;
}
