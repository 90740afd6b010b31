import { createHash, verify } from "node:crypto";
import { fail, ok, type Result, RunnerError, reasonOf } from "../../protocol/errors.ts";
import { type ReleaseManifest, releaseManifest } from "./manifest.ts";
import type { ReleaseKey } from "./release-key.ts";
import type { ReleaseSource } from "./source.ts";
import { type ReleaseSums, readReleaseSums, SUMS, SUMS_SIGNATURE } from "./sums.ts";

/** A release whose list of files is signed by a trusted key. Its files are checked against `sums` as they are taken. */
export interface Release {
  readonly version: string;
  readonly manifest: ReleaseManifest;
  readonly sums: ReleaseSums;
  /** SHA-256 of the list itself. */
  readonly sumsSha256: string;
  readonly source: ReleaseSource;
  /** Of the key that signed it. */
  readonly fingerprint: string;
}

const LIMIT = 4 * 1_048_576;
const AGAIN = "Nothing was taken from it. Fetch the release again from where it was published.";

/**
 * Signature over SHA256SUMS by the key, then release.json by its sum. Errors: `usage` there is no release; `policy` it is
 * not what was signed (or not signed); `protocol`, `unreachable`, `refused`, `environment` as the source says.
 */
export async function verifyRelease(source: ReleaseSource, key: ReleaseKey): Promise<Result<Release>> {
  const sumsFile = await readSmall(source, SUMS);
  if (!sumsFile.ok) return sumsFile;
  if (sumsFile.value === null) return fail(noRelease(source.place));
  const signature = await readSmall(source, SUMS_SIGNATURE);
  if (!signature.ok) return signature;
  if (signature.value === null) {
    return refuse(`${source.place} is not signed: it has no ${SUMS_SIGNATURE}`, AGAIN);
  }
  if (!isSigned(sumsFile.value, signature.value, key)) {
    return refuse(
      `the signature of ${source.place} is not one of the trusted key (${key.fingerprint})`,
      `${AGAIN} If it was signed by another key on purpose, name that key with --public-key.`,
    );
  }
  const sums = readReleaseSums(sumsFile.value.toString(), source.place);
  if (!sums.ok) return sums;
  const manifest = await readManifest(source, sums.value);
  if (!manifest.ok) return manifest;
  return ok({
    version: manifest.value.version,
    manifest: manifest.value,
    sums: sums.value,
    sumsSha256: sha256(sumsFile.value),
    source,
    fingerprint: key.fingerprint,
  });
}

export function noRelease(place: string): RunnerError {
  return new RunnerError("usage", `there is no release at ${place}: it has no ${SUMS}`, {
    remedy: "Check the base address; it is a release folder, or a folder of them with a signed `latest`.",
  });
}

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

function isSigned(sums: Buffer, signature: Buffer, { key }: ReleaseKey): boolean {
  return signature.length === 64 && verify(null, sums, key, signature);
}

async function readManifest(source: ReleaseSource, sums: ReleaseSums): Promise<Result<ReleaseManifest>> {
  const expected = sums.get("release.json");
  if (expected === undefined) return refuse(`${source.place}/${SUMS} has no checksum of release.json`, AGAIN);
  const bytes = await readSmall(source, "release.json");
  if (!bytes.ok) return bytes;
  if (bytes.value === null) return refuse(`${source.place} has no release.json`, AGAIN);
  const sum = sha256(bytes.value);
  if (sum !== expected) {
    return refuse(`${source.place}/release.json has SHA-256 ${sum}, signed is ${expected}`, AGAIN);
  }
  try {
    const manifest = releaseManifest.parse(JSON.parse(bytes.value.toString()));
    const stray = [...manifest.artifacts, ...manifest.tools].find(({ file, sha256 }) => sums.get(file) !== sha256);
    if (stray) return refuse(`${source.place}/${SUMS} has no checksum of ${stray.file}, or another one`, AGAIN);
    return ok(manifest);
  } catch (cause) {
    const message = `${source.place}/release.json cannot be read: ${reasonOf(cause)}`;
    return fail(new RunnerError("protocol", message, { remedy: "It may need a newer runner.", cause }));
  }
}

/** A whole small file; null: there is none. A web page instead of it is said as such, whatever type it claims. */
export async function readSmall(source: ReleaseSource, file: string): Promise<Result<Buffer | null>> {
  const opened = await source.open(file);
  if (!opened.ok) return opened;
  if (opened.value === null) return ok(null);
  const parts: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const part of opened.value) {
      size += part.length;
      if (size > LIMIT) {
        return fail(new RunnerError("protocol", `${source.place}/${file} is larger than ${LIMIT} bytes`));
      }
      parts.push(part);
    }
  } catch (error) {
    if (error instanceof RunnerError) return fail(error);
    return fail(new RunnerError("environment", `${source.place}/${file}: ${reasonOf(error)}`, { cause: error }));
  }
  const bytes = Buffer.concat(parts);
  if (!/^\s*<(!doctype|html|\?xml|head|body)\b/i.test(bytes.subarray(0, 200).toString())) return ok(bytes);
  return fail(
    new RunnerError("protocol", `${source.place}/${file} is a web page instead of the file`, {
      remedy: "Check the base address; a proxy or a login page may stand before it.",
    }),
  );
}

function refuse(message: string, remedy: string): Result<never> {
  return fail(new RunnerError("policy", message, { remedy }));
}
