import { createHash } from "node:crypto";
import { open, rename, rm, statfs } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fail, ok, type Result, RunnerError, reasonOf } from "../../protocol/errors.ts";
import type { Release } from "./verify.ts";

export interface TakeOptions {
  /** Where the file goes; its folder exists. What lies there is replaced in one step. */
  readonly into: string;
  /** Default 0644; a program wants 0755. */
  readonly mode?: number;
}

/** No file of a release is larger. */
const LIMIT = 2 * 1024 ** 3;
/** What must be left on the disk beside the file. */
const SPARE = 16 * 1_048_576;

/**
 * Streams a file of the release to a temporary one beside its place, checks its SHA-256, makes it durable and moves it
 * there. After a failure nothing of it stays. Errors: `policy` missing or another checksum; `unreachable` it ended too
 * early; `environment` no space, not writable; others as the source says.
 */
export async function takeFile(release: Release, file: string, options: TakeOptions): Promise<Result<void>> {
  const { into, mode = 0o644 } = options;
  const size = release.manifest.artifacts.find((artifact) => artifact.file === file)?.size;
  const folder = dirname(into);
  const room = await spaceFor(size ?? 0, folder);
  if (room !== null) return fail(room);
  const part = join(folder, `.${basename(into)}.${process.pid}.${Math.random().toString(36).slice(2)}.part`);
  try {
    const out = await open(part, "wx", mode);
    let checked: Result<void>;
    try {
      await out.chmod(mode);
      checked = await checkFile(release, file, async (chunk) => void (await out.writeFile(chunk)));
      if (checked.ok) await out.sync();
    } finally {
      await out.close();
    }
    if (!checked.ok) return checked;
    await rename(part, into);
    await syncFolder(folder);
    return ok(undefined);
  } catch (error) {
    return fail(writeFault(error, into));
  } finally {
    await rm(part, { force: true }).catch(() => {});
  }
}

/** Reads a file of the release to its end and checks it; `sink` gets every part of it first. What `sink` throws is thrown. */
export async function checkFile(
  release: Release,
  file: string,
  sink: (chunk: Uint8Array) => Promise<void> = async () => {},
): Promise<Result<void>> {
  const { sums, source, manifest } = release;
  const expected = sums.get(file);
  if (expected === undefined)
    return fail(new RunnerError("policy", `${source.place} has no checksum of ${file}`, AGAIN));
  const opened = await source.open(file);
  if (!opened.ok) return opened;
  if (opened.value === null) return fail(new RunnerError("policy", `${source.place} has no ${file}`, AGAIN));
  const size = manifest.artifacts.find((artifact) => artifact.file === file)?.size;
  const hash = createHash("sha256");
  let got = 0;
  const chunks = opened.value[Symbol.asyncIterator]();
  for (;;) {
    const next = await nextOf(chunks, `${source.place}/${file}`);
    if (!next.ok) return next;
    if (next.value === null) break;
    got += next.value.length;
    if (got > (size ?? LIMIT)) {
      await chunks.return?.();
      return fail(tampered(release, file, `it is larger than ${size ?? LIMIT} bytes`));
    }
    hash.update(next.value);
    await sink(next.value);
  }
  if (size !== undefined && got < size) {
    const message = `${source.place}/${file} ended too early: ${got} of ${size} bytes`;
    return fail(
      new RunnerError("unreachable", message, { remedy: "Try again; check the server's disk and any proxy." }),
    );
  }
  const sum = hash.digest("hex");
  return sum === expected ? ok(undefined) : fail(tampered(release, file, `SHA-256 is ${sum}, signed is ${expected}`));
}

const AGAIN = { remedy: "Nothing was taken from it. Fetch the release again from where it was published." };

function tampered({ source }: Release, file: string, why: string): RunnerError {
  return new RunnerError("policy", `${source.place}/${file} is not the file that was signed: ${why}`, AGAIN);
}

/** The next part; null: the end. An error of the source, which must not be taken for one of writing. */
async function nextOf(chunks: AsyncIterator<Uint8Array>, what: string): Promise<Result<Uint8Array | null>> {
  try {
    const { done, value } = await chunks.next();
    return ok(done ? null : value);
  } catch (error) {
    if (error instanceof RunnerError) return fail(error);
    return fail(new RunnerError("unreachable", `${what}: ${reasonOf(error)}`, { cause: error }));
  }
}

async function spaceFor(size: number, folder: string): Promise<RunnerError | null> {
  try {
    const { bavail, bsize } = await statfs(folder);
    const free = Number(bavail) * Number(bsize);
    return free < size + SPARE
      ? noSpace(folder, `${mebibytes(free)} are free, ${mebibytes(size + SPARE)} needed`)
      : null;
  } catch (error) {
    return writeFault(error, folder);
  }
}

function writeFault(error: unknown, path: string): RunnerError {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (code === "ENOSPC" || code === "EDQUOT") return noSpace(dirname(path), reasonOf(error));
  const remedy = "Check that the folder exists and that this user may write there.";
  return new RunnerError("environment", `${path} cannot be written: ${reasonOf(error)}`, { remedy, cause: error });
}

function noSpace(folder: string, why: string): RunnerError {
  return new RunnerError("environment", `no space for the release in ${folder}: ${why}`, {
    remedy: "Free some space there, or take another disk.",
  });
}

const mebibytes = (bytes: number) => `${Math.ceil(bytes / 1_048_576)} MiB`;

/** After a rename: a power cut must not bring the old name back. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
